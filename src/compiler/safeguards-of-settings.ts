import { type Safeguard, type Weakness, paired } from "./safeguard.ts"
import type { PlanSide } from "./plan-side.ts"
import { isFields } from "./value-diff.ts"

const auditLevels = ["best-effort", "required"]

/** The `approval` of the pipeline and of each task on both sides, as the plan has it. */
const approvals = (old: PlanSide, next: PlanSide) => {
  const of = (place: string, was: object, now: object) => ({
    place,
    was: "approval" in was ? was.approval : undefined,
    now: "approval" in now ? now.approval : undefined,
  })
  const tasks = paired(old, next).filter(({ was }) => was.approval !== undefined)
  return [
    of("approval", old.plan, next.plan),
    ...tasks.map(({ was, task }) => of(`tasks.${task.id}.approval`, was, task)),
  ].filter(({ was }) => was !== undefined && was !== false)
}

/** How many have to approve: one, where an approval does not say. */
const approversOf = (approval: unknown): number =>
  isFields(approval) && typeof approval.approvers === "number" ? approval.approvers : 1

const isStrict = (input: Readonly<Record<string, unknown>>): boolean => input.strict === true

const valued = (place: string, old: unknown, next: unknown): Weakness => ({
  place,
  ...(old === undefined ? {} : { old }),
  ...(next === undefined ? {} : { new: next }),
})

/** Rules about what a pipeline and its tasks say of themselves. */
export const settingSafeguards: ReadonlyArray<Safeguard> = [
  {
    name: "audit",
    why: "the audit is lowered: effects may happen without a durable record",
    find: (old, next) => {
      const [was, now]: ReadonlyArray<string> = [old.plan.audit, next.plan.audit]
      return auditLevels.indexOf(now) < auditLevels.indexOf(was) ? [valued("audit", was, now)] : []
    },
  },
  {
    name: "strict",
    why: "a task that refused what gates only warned of takes it now",
    find: (old, next) =>
      paired(old, next)
        .filter(({ was, task }) => isStrict(was.with) && !isStrict(task.with))
        .map(({ task }) => valued(`tasks.${task.id}.with.strict`, true, task.with.strict)),
  },
  {
    name: "approval-removed",
    why: "nobody has to approve any more",
    find: (old, next) =>
      approvals(old, next)
        .filter(({ now }) => now === undefined || now === false)
        .map(({ place, was, now }) => valued(place, was, now)),
  },
  {
    name: "approvers",
    why: "fewer people have to approve",
    find: (old, next) =>
      approvals(old, next)
        .filter(({ was, now }) => isFields(now) && approversOf(now) < approversOf(was))
        .map(({ place, was, now }) => valued(`${place}.approvers`, approversOf(was), approversOf(now))),
  },
  {
    name: "approval-timeout",
    why: "when nobody answers the task no longer fails",
    find: (old, next) =>
      approvals(old, next).flatMap(({ place, was, now }) => {
        if (!isFields(was) || !isFields(now)) return []
        const [before, after] = [was.onTimeout ?? "fail", now.onTimeout ?? "fail"]
        return before === "fail" && after !== "fail" ? [valued(`${place}.onTimeout`, before, after)] : []
      }),
  },
]
