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
  /** Attempts that do not count. */
  spared: number
  started: Array<number>
  ended: Array<number>
  /** Instances that were made of it; undefined while it is not open, and for what is no group. */
  own: Array<ModelTask> | undefined
  readonly isInstance: boolean
  stopping: boolean
  pausedUntil: number | undefined
  asked: { readonly input: string; readonly due: number | undefined } | undefined
  granted: Set<string>
}

const fresh = (task: PlanTask, isInstance = false): ModelTask => ({
  task,
  block: task.block ?? "tasks",
  status: isInstance ? "ready" : "pending",
  attempt: 0,
  open: false,
  due: undefined,
  lost: false,
  spared: 0,
  started: [],
  ended: [],
  own: undefined,
  isInstance,
  stopping: false,
  pausedUntil: undefined,
  asked: undefined,
  granted: new Set(),
})

/** How far a pipeline is, or a sub-pipeline that was entered. */
interface ModelCourse {
  phase: Block | "ended"
  cancelled: "no" | "cancel" | "timeout"
  cancelling: string | undefined
  /** When its time is over. */
  due: number | undefined
}

const above = (id: string) => id.slice(0, Math.max(0, id.lastIndexOf("/")))

const terminal = new Set(["succeeded", "warned", "failed", "skipped", "cancelled", "timed_out", "lost"])
const isGroup = (task: PlanTask) => task.matrix !== undefined || task.pipeline !== undefined
const good = new Set(["succeeded", "warned"])
const tenths = (value: number | undefined) => Math.round((value ?? 0) * 10)

/**
 * A second, naive reading of the specification: looks at all tasks after each event, keeps no counters, and throws at
 * the first event that the rules do not allow.
 */
export class Model {
  /** The tasks of the plan, then instances as they were made. */
  readonly tasks: Array<ModelTask>
  readonly byId: Map<string, ModelTask>
  /** Of the run's own pipeline (`""`) and of the sub-pipelines that were entered. */
  private readonly courses = new Map<string, ModelCourse>()
  finished: string | undefined

  constructor(plan: Plan) {
    this.tasks = plan.tasks.map((task) => fresh(task))
    this.byId = new Map(this.tasks.map((one) => [one.task.id, one]))
    this.begin("")
  }

  get phase(): Block | "ended" {
    return this.courses.get("")?.phase ?? "ended"
  }
  private begin(pipeline: string, due?: number) {
    this.courses.set(pipeline, { phase: "tasks", cancelled: "no", cancelling: undefined, due })
    this.advance()
  }
  /** The pipeline that a task is of: `""`, or the sub-pipeline's task. */
  private pipelineOf(one: ModelTask): string {
    return above(one.task.id)
  }
  private of(pipeline: string, block: string) {
    return this.tasks.filter((one) => !one.isInstance && this.pipelineOf(one) === pipeline && one.block === block)
  }
  private below(pipeline: string) {
    return this.tasks.filter((one) => one.task.id.startsWith(`${pipeline}/`))
  }
  private matrixOf(one: ModelTask): ModelTask | undefined {
    return one.isInstance ? this.byId.get(one.task.id.replace(/\[\d+\]$/, "")) : undefined
  }
  private settled(one: ModelTask, status: string) {
    const bad = status === "failed" || status === "timed_out" || status === "lost"
    one.status = bad && one.task.continueOnError === true ? "warned" : status
  }
  /** A matrix whose instances have all ended, by the worst of them. */
  private closeMatrix(matrix: ModelTask): boolean {
    if (matrix.own === undefined || terminal.has(matrix.status)) return false
    if (!matrix.own.every((one) => terminal.has(one.status))) return false
    const has = (...statuses: ReadonlyArray<string>) => matrix.own?.some((one) => statuses.includes(one.status))
    const worst = ["lost", "cancelled", "warned"].find((one) => has(one)) ?? "succeeded"
    this.settled(matrix, has("failed", "timed_out") ? "failed" : worst)
    return true
  }
  /** A sub-pipeline that ended before it was entered: so did all that is in it. */
  private closeOff(pipeline: ModelTask) {
    if (pipeline.task.pipeline === undefined || this.courses.has(pipeline.task.id)) return
    if (!terminal.has(pipeline.status)) return
    const status = pipeline.status === "cancelled" ? "cancelled" : "skipped"
    for (const one of this.below(pipeline.task.id)) if (!terminal.has(one.status)) one.status = status
  }
  private leave(pipeline: string, course: ModelCourse): boolean {
    if (course.phase === "ended") return false
    const own = this.of(pipeline, course.phase)
    if (!own.every((one) => terminal.has(one.status))) return false
    const wentWrong = own.some((one) => ["failed", "timed_out", "lost"].includes(one.status))
    if (course.phase === "finally") course.phase = "ended"
    else if (course.phase !== "tasks") course.phase = "finally"
    else if (course.cancelled !== "no") course.phase = "onCancel"
    else course.phase = wentWrong ? "onFailure" : "finally"
    const task = this.byId.get(pipeline)
    if (course.phase === "ended" && task !== undefined) {
      this.settled(task, this.finalStatus(pipeline))
    }
    return true
  }
  private advance() {
    for (let again = true; again;) {
      again = false
      for (const one of this.tasks) {
        this.closeOff(one)
        again = this.closeMatrix(one) || again
      }
      for (const [pipeline, course] of this.courses) again = this.leave(pipeline, course) || again
    }
  }

  needsEnded(one: ModelTask): boolean {
    return one.isInstance || one.task.needs.every((need) => terminal.has(this.byId.get(need)?.status ?? ""))
  }
  mustSkip(one: ModelTask): boolean {
    if (one.isInstance) return false
    return one.task.if === undefined && !one.task.needs.every((need) => good.has(this.byId.get(need)?.status ?? ""))
  }
  private isCurrent(one: ModelTask): boolean {
    return this.courses.get(this.pipelineOf(one))?.phase === one.block
  }
  /** The status by the rules: a pending task whose turn has come is `ready`. */
  statusOf(one: ModelTask): string {
    return one.status === "pending" && this.isCurrent(one) && this.needsEnded(one) ? "ready" : one.status
  }

  /** Throws when the running attempts hold more than there is. */
  checkResources() {
    const { capacity } = RandomPlan
    const held = this.tasks.filter((one) => one.open && one.status === "running").map((one) => one.task.resources ?? {})
    const sum = (pick: (resources: (typeof held)[number]) => number) => held.reduce((all, one) => all + pick(one), 0)
    const most = (what: string, used: number, offered: number) => {
      if (used > offered) throw new Error(`${what}: ${used} of ${offered} are held`)
    }
    for (const { own, task } of this.tasks) {
      const running = own?.filter((one) => one.status === "running").length ?? 0
      most(`instances of ${task.id}`, running, task.matrix?.maxParallel ?? Infinity)
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
    if (!one.open || this.isStopping(one) || attempt - one.spared >= (retry?.attempts ?? 3)) return false
    if (kind === "lost") return true
    const safe = effects === "pure" || effects === "idempotent"
    if (kind === "timed_out") return safe && retry?.on?.includes("TimedOut") === true
    if (error === undefined || error.tag === "GateFailed") return false
    const named = retry?.on === undefined ? error.transient === true : retry.on.includes(error.tag)
    return named && (safe || error.notApplied === true)
  }

  isStopping(one: ModelTask): boolean {
    return this.courses.get(this.pipelineOf(one))?.cancelling === one.block || this.matrixOf(one)?.stopping === true
  }
  private stopOthers(group: ModelTask) {
    group.stopping = true
    for (const one of group.own ?? []) {
      if (!terminal.has(one.status) && one.status !== "running" && one.status !== "unknown") one.status = "cancelled"
    }
  }

  private finish(one: ModelTask, status: string) {
    this.settled(one, status)
    one.open = false
    const matrix = this.matrixOf(one)
    const failed = ["failed", "timed_out", "lost"].includes(one.status)
    if (matrix !== undefined && failed && matrix.task.matrix?.failFast !== false) this.stopOthers(matrix)
    this.advance()
  }
  /** Cancels what has not started of the block that goes on, and of the sub-pipelines that are open in it. */
  private cancel(pipeline: string, by: "cancel" | "timeout") {
    const course = this.courses.get(pipeline)
    if (course === undefined || course.phase === "ended") return
    if (course.phase === "tasks" && course.cancelled === "no") course.cancelled = by
    course.cancelling = course.phase
    const stop = (one: ModelTask) => {
      if (!terminal.has(one.status) && one.status !== "running" && one.status !== "unknown") one.status = "cancelled"
    }
    for (const one of this.of(pipeline, course.phase)) {
      for (const instance of one.own ?? []) stop(instance)
      if (one.own === undefined && !this.courses.has(one.task.id)) stop(one)
      this.cancel(one.task.id, "cancel")
    }
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
      this.cancel("", event.data.timeout === true ? "timeout" : "cancel")
      this.advance()
      return
    }
    if (!("task" in event.data)) return
    const one = this.byId.get(event.data.task)
    if (one === undefined) throw new Error(`no task ${event.data.task}`)
    const { id } = one.task
    this.demand(this.isCurrent(one), `${event.type} ${id}, whose block ${one.block} does not go on`)
    this.demand(!terminal.has(one.status), `${event.type} ${id} after it was ${one.status}`)
    if ("attempt" in event.data && one.open && event.type !== "dev.dandori.retry.scheduled.v1") {
      this.demand(event.data.attempt === one.attempt, `${event.type} ${id} of attempt ${event.data.attempt}`)
      one.ended.push(event.data.attempt)
    }
    switch (event.type) {
      case "dev.dandori.attempt.started.v1": {
        const may = this.statusOf(one) === "ready" || one.status === "retrying" || this.isPaused(one)
        this.demand(may && !this.mustSkip(one), `started ${id}, which is ${this.statusOf(one)}`)
        this.demand(!isGroup(one.task) || one.isInstance, `${id} is a group and was started`)
        this.demand(this.isAsked(one, event.time), `${id} was started without being asked`)
        this.demand(event.data.attempt === one.attempt + 1, `started attempt ${event.data.attempt} of ${id}`)
        this.demand(one.status !== "retrying" || (one.due ?? Infinity) <= event.time, `${id} started before it was due`)
        Object.assign(one, { status: "running", open: true, attempt: event.data.attempt, due: undefined, lost: false })
        one.started.push(event.data.attempt)
        this.checkResources()
        return
      }
      case "dev.dandori.matrix.expanded.v1": {
        this.opens(one, event.time)
        one.own = Array.from({ length: event.data.count }, (_, n) => {
          const { matrix: _m, if: _i, pauseUntil: _p, ...rest } = one.task
          return fresh({ ...rest, needs: [], id: `${id}[${n}]` }, true)
        })
        for (const own of one.own) this.byId.set(own.task.id, own)
        this.tasks.push(...one.own)
        one.status = "running"
        return this.advance()
      }
      case "dev.dandori.pipeline.entered.v1":
        this.opens(one, event.time)
        one.status = "running"
        return this.begin(id, event.data.due)
      case "dev.dandori.pipeline.timed_out.v1": {
        const course = this.courses.get(id)
        const may = course?.phase === "tasks" && course.cancelled === "no" && (course.due ?? Infinity) <= event.time
        this.demand(may, `${id} timed out before its time`)
        this.cancel(id, "timeout")
        return this.advance()
      }
      case "dev.dandori.task.paused.v1":
        this.demand(this.statusOf(one) === "ready", `${id} is paused but ${this.statusOf(one)}`)
        return void Object.assign(one, { status: "waiting", pausedUntil: event.data.until })
      case "dev.dandori.approval.requested.v1":
        this.demand(this.statusOf(one) === "ready" || this.isPaused(one), `approval of ${id}, ${this.statusOf(one)}`)
        this.demand(one.pausedUntil === undefined || one.pausedUntil <= event.time, `${id} is asked while it pauses`)
        return void Object.assign(one, {
          status: "waiting",
          asked: { input: event.data.input, due: event.data.due },
          granted: new Set(),
        })
      case "dev.dandori.approval.granted.v1":
        if (one.status !== "waiting" || one.asked?.input !== event.data.input) return
        one.granted.add(event.data.by)
        if (one.granted.size >= (one.task.approval?.approvers ?? 0)) one.status = "ready"
        return
      case "dev.dandori.approval.refused.v1":
        return one.status === "waiting" && one.asked?.input === event.data.input
          ? this.finish(one, "failed")
          : undefined
      case "dev.dandori.approval.expired.v1":
        this.demand(one.status === "waiting" && (one.asked?.due ?? Infinity) <= event.time, `${id} expired too early`)
        return this.finish(one, one.task.approval?.onTimeout === "skip" ? "skipped" : "failed")
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
        if (this.isStopping(one)) return this.finish(one, "cancelled")
        one.lost = true
        if (event.data.orderly !== true || one.spared >= 20) return this.again(one, "lost", event.data.attempt)
        one.spared++
        return void Object.assign(one, { status: "retrying", open: false, due: undefined })
      case "dev.dandori.retry.scheduled.v1": {
        this.demand(one.status === "retrying" && one.due === undefined, `a retry of ${id}, which is ${one.status}`)
        this.demand(event.data.attempt === one.attempt + 1, `a retry as attempt ${event.data.attempt} of ${id}`)
        const { initial, factor, max } = one.task.retry?.backoff ?? { initial: 1_000, factor: 2, max: 60_000 }
        const longest = one.lost ? 0 : Math.round(Math.min(max, initial * factor ** (one.attempt - one.spared - 1)))
        this.demand(event.data.delayMillis >= 0 && event.data.delayMillis <= longest, `${id} waits too long`)
        one.due = event.data.due
      }
    }
  }

  private isPaused(one: ModelTask) {
    return one.status === "waiting" && one.asked === undefined
  }
  /** Whether all that must be asked before a start was asked: the moment has come, enough people have agreed. */
  private isAsked(one: ModelTask, time: number) {
    const { approval, pauseUntil } = one.task
    const moment = pauseUntil === undefined || (one.pausedUntil ?? Infinity) <= time
    return moment && (approval === undefined || one.granted.size >= approval.approvers)
  }
  private opens(one: ModelTask, time: number) {
    const { id } = one.task
    const isOpen = one.own !== undefined || this.courses.has(id)
    this.demand(isGroup(one.task) && !isOpen, `${id} is opened again, or is no group`)
    this.demand(this.statusOf(one) === "ready" || this.isPaused(one), `${id} is opened but ${this.statusOf(one)}`)
    this.demand(!this.mustSkip(one) && this.isAsked(one, time), `${id} is opened before its time`)
  }

  private again(one: ModelTask, kind: "failed" | "timed_out" | "lost", attempt: number, error?: ErrorData) {
    if (!this.retries(one, kind, attempt, error)) return this.finish(one, kind)
    Object.assign(one, { status: "retrying", open: false, due: undefined })
  }

  finalStatus(pipeline = ""): string {
    const { cancelled } = this.courses.get(pipeline) ?? { cancelled: "no" }
    if (cancelled !== "no") return cancelled === "timeout" ? "timed_out" : "cancelled"
    const own = this.tasks.filter((one) => !one.isInstance && this.pipelineOf(one) === pipeline)
    const ended = (inTasks: boolean, ...statuses: ReadonlyArray<string>) =>
      own.some((one) => (one.block === "tasks") === inTasks && statuses.includes(one.status))
    if (ended(true, "failed", "timed_out")) return "failed"
    if (ended(true, "lost")) return "lost"
    const bad = ended(false, "failed", "timed_out", "lost", "cancelled")
    return bad || own.some((one) => one.status === "warned") ? "warned" : "succeeded"
  }
}
