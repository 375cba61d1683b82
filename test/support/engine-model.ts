import type { ErrorData, Event } from "../../src/domain/event.ts"
import type { Block, Plan, PlanTask } from "../../src/domain/plan.ts"
import * as RandomPlan from "./engine-random-plan.ts"

/** What the model knows of a task. */
export interface ModelTask {
  readonly task: PlanTask
  readonly block: Block
  status: string
  attempt: number
  open: boolean
  due: number | undefined
  lost: boolean
  started: Array<number>
  ended: Array<number>
}

const terminal = new Set(["succeeded", "warned", "failed", "skipped", "cancelled", "timed_out", "lost"])
const good = new Set(["succeeded", "warned"])
const tenths = (value: number | undefined) => Math.round((value ?? 0) * 10)

/**
 * A second, naive reading of the specification: looks at all tasks after each event, keeps no counters, and throws at
 * the first event that the rules do not allow.
 */
export class Model {
  readonly tasks: ReadonlyArray<ModelTask>
  readonly byId: ReadonlyMap<string, ModelTask>
  phase: Block | "ended" = "tasks"
  cancelled: "no" | "cancel" | "timeout" = "no"
  cancelling: string | undefined
  finished: string | undefined

  constructor(plan: Plan) {
    this.tasks = plan.tasks.map((task) => ({
      task,
      block: task.block ?? "tasks",
      status: "pending",
      attempt: 0,
      open: false,
      due: undefined,
      lost: false,
      started: [],
      ended: [],
    }))
    this.byId = new Map(this.tasks.map((one) => [one.task.id, one]))
    this.advance()
  }

  private of(block: string) {
    return this.tasks.filter((one) => one.block === block)
  }
  private anyIn(block: string, ...statuses: ReadonlyArray<string>) {
    return this.of(block).some((one) => statuses.includes(one.status))
  }
  private advance() {
    while (this.phase !== "ended" && this.of(this.phase).every((one) => terminal.has(one.status))) {
      if (this.phase === "finally") this.phase = "ended"
      else if (this.phase !== "tasks") this.phase = "finally"
      else if (this.cancelled !== "no") this.phase = "onCancel"
      else this.phase = this.anyIn("tasks", "failed", "timed_out", "lost") ? "onFailure" : "finally"
    }
  }

  needsEnded(one: ModelTask): boolean {
    return one.task.needs.every((need) => terminal.has(this.byId.get(need)?.status ?? ""))
  }
  mustSkip(one: ModelTask): boolean {
    return one.task.if === undefined && !one.task.needs.every((need) => good.has(this.byId.get(need)?.status ?? ""))
  }
  /** The status by the rules: a pending task whose turn has come is `ready`. */
  statusOf(one: ModelTask): string {
    return one.status === "pending" && one.block === this.phase && this.needsEnded(one) ? "ready" : one.status
  }

  /** Throws when the running attempts hold more than there is. */
  checkResources() {
    const { capacity } = RandomPlan
    const held = this.tasks.filter((one) => one.status === "running").map((one) => one.task.resources ?? {})
    const sum = (pick: (resources: (typeof held)[number]) => number) => held.reduce((all, one) => all + pick(one), 0)
    const most = (what: string, used: number, offered: number) => {
      if (used > offered) throw new Error(`${what}: ${used} of ${offered} are held`)
    }
    most("attempts", held.length, capacity.attempts)
    most(
      "cpu tenths",
      sum(({ cpu }) => tenths(cpu)),
      tenths(capacity.cpu),
    )
    most(
      "memory",
      sum(({ memory }) => memory ?? 0),
      capacity.memory,
    )
    most(
      "gpu",
      sum(({ gpu }) => gpu ?? 0),
      capacity.gpu,
    )
    for (const pool of ["p", "q"])
      most(
        `pool ${pool}`,
        sum(({ pools }) => pools?.[pool] ?? 0),
        capacity.pools[pool],
      )
    for (const lock of ["a", "b"])
      most(
        `lock ${lock}`,
        sum(({ locks }) => (locks?.includes(lock) ? 1 : 0)),
        1,
      )
  }

  private retries(one: ModelTask, kind: "failed" | "timed_out" | "lost", attempt: number, error?: ErrorData): boolean {
    const { retry, effects } = one.task
    if (!one.open || this.cancelling === one.block || attempt >= (retry?.attempts ?? 3)) return false
    if (kind === "lost") return true
    const safe = effects === "pure" || effects === "idempotent"
    if (kind === "timed_out") return safe && retry?.on?.includes("TimedOut") === true
    if (error === undefined || error.tag === "GateFailed") return false
    const named = retry?.on === undefined ? error.transient === true : retry.on.includes(error.tag)
    return named && (safe || error.notApplied === true)
  }

  private finish(one: ModelTask, status: string) {
    const bad = status === "failed" || status === "timed_out" || status === "lost"
    one.status = bad && one.task.continueOnError === true ? "warned" : status
    one.open = false
    this.advance()
  }
  private demand(holds: boolean, what: string) {
    if (!holds) throw new Error(what)
  }

  apply(event: Event & { readonly time: number }) {
    if (event.type === "dev.dandori.run.created.v1" || event.type === "dev.dandori.run.resumed.v1") return
    this.demand(this.finished === undefined, `${event.type} after the end`)
    if (event.type === "dev.dandori.run.finished.v1") {
      this.demand(this.phase === "ended", "the run finished with work left")
      this.demand(event.data.status === this.finalStatus(), `${event.data.status}, not ${this.finalStatus()}`)
      this.finished = event.data.status
      return
    }
    if (event.type === "dev.dandori.cancel.requested.v1") {
      if (this.phase === "ended") return
      if (this.phase === "tasks" && this.cancelled === "no") this.cancelled = event.data.timeout ? "timeout" : "cancel"
      this.cancelling = this.phase
      for (const one of this.of(this.phase)) {
        if (!terminal.has(one.status) && one.status !== "running" && one.status !== "unknown") one.status = "cancelled"
      }
      this.advance()
      return
    }
    if (!("task" in event.data)) return
    const one = this.byId.get(event.data.task)
    if (one === undefined) throw new Error(`no task ${event.data.task}`)
    const { id } = one.task
    this.demand(one.block === this.phase, `${event.type} ${id} in ${this.phase}`)
    this.demand(!terminal.has(one.status), `${event.type} ${id} after it was ${one.status}`)
    if ("attempt" in event.data && one.open && event.type !== "dev.dandori.retry.scheduled.v1") {
      this.demand(event.data.attempt === one.attempt, `${event.type} ${id} of attempt ${event.data.attempt}`)
      one.ended.push(event.data.attempt)
    }
    switch (event.type) {
      case "dev.dandori.attempt.started.v1": {
        const may = this.statusOf(one) === "ready" || one.status === "retrying"
        this.demand(may && !this.mustSkip(one), `started ${id}, which is ${this.statusOf(one)}`)
        this.demand(event.data.attempt === one.attempt + 1, `started attempt ${event.data.attempt} of ${id}`)
        this.demand(one.status !== "retrying" || (one.due ?? Infinity) <= event.time, `${id} started before it was due`)
        Object.assign(one, { status: "running", open: true, attempt: event.data.attempt, due: undefined, lost: false })
        one.started.push(event.data.attempt)
        this.checkResources()
        return
      }
      case "dev.dandori.attempt.succeeded.v1":
        return this.finish(one, "succeeded")
      case "dev.dandori.attempt.cancelled.v1":
        return this.finish(one, "cancelled")
      case "dev.dandori.task.skipped.v1":
        return this.finish(one, "skipped")
      case "dev.dandori.task.resolved.v1":
        return this.finish(one, event.data.as)
      case "dev.dandori.attempt.unknown.v1":
        return void Object.assign(one, { status: "unknown", open: false })
      case "dev.dandori.attempt.failed.v1":
        return this.again(one, "failed", event.data.attempt, event.data.error)
      case "dev.dandori.attempt.timed_out.v1":
        return this.again(one, "timed_out", event.data.attempt)
      case "dev.dandori.attempt.lost.v1":
        if (this.cancelling === one.block) return this.finish(one, "cancelled")
        one.lost = true
        return this.again(one, "lost", event.data.attempt)
      case "dev.dandori.retry.scheduled.v1": {
        this.demand(one.status === "retrying" && one.due === undefined, `a retry of ${id}, which is ${one.status}`)
        this.demand(event.data.attempt === one.attempt + 1, `a retry as attempt ${event.data.attempt} of ${id}`)
        const { initial, factor, max } = one.task.retry?.backoff ?? { initial: 1_000, factor: 2, max: 60_000 }
        const longest = one.lost ? 0 : Math.round(Math.min(max, initial * factor ** (one.attempt - 1)))
        this.demand(event.data.delayMillis >= 0 && event.data.delayMillis <= longest, `${id} waits too long`)
        one.due = event.data.due
      }
    }
  }

  private again(one: ModelTask, kind: "failed" | "timed_out" | "lost", attempt: number, error?: ErrorData) {
    if (!this.retries(one, kind, attempt, error)) return this.finish(one, kind)
    Object.assign(one, { status: "retrying", open: false, due: undefined })
  }

  finalStatus(): string {
    const all = this.tasks
    if (this.cancelled !== "no") return this.cancelled === "timeout" ? "timed_out" : "cancelled"
    if (this.anyIn("tasks", "failed", "timed_out")) return "failed"
    if (this.anyIn("tasks", "lost")) return "lost"
    const bad = all.some(
      (one) => one.block !== "tasks" && ["failed", "timed_out", "lost", "cancelled"].includes(one.status),
    )
    return bad || all.some((one) => one.status === "warned") ? "warned" : "succeeded"
  }
}
