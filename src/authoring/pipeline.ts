import type { AnyTaskType, TaskError, TaskType } from "../domain/task-type.ts"
import * as CallSite from "./call-site.ts"
import type { Matrix } from "./matrix.ts"
import { type ParamSchema, type ParamValue, jsonSchemaOf } from "./param.ts"
import { type Accepts, type Expression, type Ref, put, ref, sourceOf, toDocument } from "./reference.ts"
import type { FileTrigger } from "./file-trigger.ts"
import type { Schedule, TriggerParams } from "./schedule.ts"

export type Block = "tasks" | "onFailure" | "onCancel" | "finally"

/** How often and after which errors a task is tried again. Durations carry units: `30s`, `5 minutes`. */
export interface RetryOptions {
  /** How often in all; 3 where nothing is said. */
  readonly attempts?: number
  /** Tags of errors; without it those that the task type calls transient. */
  readonly on?: ReadonlyArray<string>
  readonly backoff?: {
    readonly initial?: string
    readonly factor?: number
    readonly max?: string
    readonly jitter?: "full" | "none"
  }
}

/** What an attempt holds while it runs. `memory` is a size with its unit: `2GiB`. */
export interface ResourceOptions {
  readonly cpu?: number
  readonly memory?: string
  readonly gpu?: number
  readonly pools?: Readonly<Record<string, number>>
  readonly locks?: ReadonlyArray<string>
}

/** What a task says beside its input. `if` is a condition (`when(…)`) or one expression as text. */
export interface TaskOptions {
  readonly needs?: ReadonlyArray<TaskRef<unknown> | Ref<ReadonlyArray<unknown>>>
  readonly if?: Expression<boolean> | string
  readonly retry?: RetryOptions
  /** Of each attempt, with its unit: `30 minutes`. */
  readonly timeout?: string
  /** An attempt that gives no sign of life (log, progress, output of a child process) for so long is stopped and lost. */
  readonly heartbeat?: string
  /** Takes the output of an equal earlier task; pure task types only. */
  readonly cache?: boolean
  /** A failure is `warned`, and what needs the task goes on; its output may be absent. */
  readonly continueOnError?: boolean
  readonly resources?: ResourceOptions
  /** Who must agree before it starts. */
  readonly approval?: { readonly approvers?: number; readonly timeout?: string; readonly onTimeout?: "fail" | "skip" }
  /** A moment before which it does not start: `2026-01-05T22:00:00Z`, or a reference that gives one. */
  readonly pauseUntil?: { readonly reason: string; readonly until: string | Expression<string> }
  /** Labels that a worker must have to take it. */
  readonly labels?: ReadonlyArray<string>
  /** Higher starts first; 0 where nothing is said. */
  readonly priority?: number
  readonly description?: string
}

/** How a task ended. */
export type TaskStatus = "succeeded" | "warned" | "failed" | "skipped" | "cancelled" | "timed_out" | "lost"

/** A task of the plan: a reference to its output, and its `status`. */
export type TaskRef<O> = Ref<O> & { readonly status: Ref<TaskStatus> }

/** What a task that uses a pipeline may say. */
export type SubPipelineOptions = Pick<TaskOptions, "needs" | "if" | "continueOnError" | "pauseUntil" | "description">

/** Adds a task to the plan and gives references to its output. */
export interface AddTask {
  <I, O, E extends TaskError, R>(
    id: string,
    type: TaskType<I, O, E, R>,
    input: NoInfer<Accepts<I>>,
    options?: TaskOptions,
  ): TaskRef<O>
  /** A sub-pipeline: its params, and what it gives. */
  <P, O>(
    id: string,
    pipeline: Pipeline<P, O>,
    params: NoInfer<SubPipelineParams<P>>,
    options?: SubPipelineOptions,
  ): TaskRef<O>
  <I, O, E extends TaskError, R>(
    id: string,
    type: TaskType<I, O, E, R>,
    input: NoInfer<Accepts<I>>,
    options: Omit<TaskOptions, "approval"> & { readonly matrix: Matrix },
  ): TaskRef<ReadonlyArray<O>>
}

type Defaulted<P> = { [K in keyof P]: P[K] extends { readonly default: unknown } ? K : never }[keyof P]

/** The params of a pipeline as another one gives them: those with a default may be left out. */
export type SubPipelineParams<P> = {
  readonly [K in Exclude<keyof P, Defaulted<P>>]: Accepts<ParamValue<P[K]>>
} & { readonly [K in Defaulted<P>]?: Accepts<ParamValue<P[K]>> }

/** What expressions may say of the run; its status is known in `onFailure`, `onCancel` and `finally` only. */
export interface RunFacts {
  readonly id: string
  readonly pipeline: string
  readonly env: "dev" | "stg" | "prod"
  readonly created: string
  readonly status: Exclude<TaskStatus, "skipped">
}

/** What a pipeline's function is given: references, and one function per block that adds tasks. */
export interface Build<P, V extends string> {
  readonly params: { readonly [K in keyof P]: Ref<ParamValue<P[K]>> }
  readonly run: Ref<RunFacts>
  readonly env: { readonly [K in V]: Ref<string> }
  readonly task: AddTask
  readonly onFailure: AddTask
  readonly onCancel: AddTask
  readonly finally: AddTask
}

/** What a pipeline says beside its tasks. `env` names the variables of the environment that it reads. */
export interface PipelineOptions<P, V extends string> {
  readonly description?: string
  readonly params?: P
  readonly env?: ReadonlyArray<V>
  /**
   * `required`, where nothing is said: no effect without a durable record of its intent. `best-effort`: goes on when the
   * ledger cannot be written; for pure and idempotent tasks only.
   */
  readonly audit?: "required" | "best-effort"
  readonly timeout?: string
  readonly schedule?: Schedule<TriggerParams<{ readonly [K in keyof NoInfer<P>]: ParamValue<NoInfer<P>[K]> }>>
  /** What starts the pipeline beside its schedule and people. */
  readonly on?: {
    readonly files: FileTrigger<TriggerParams<{ readonly [K in keyof NoInfer<P>]: ParamValue<NoInfer<P>[K]> }>>
  }
  readonly defaults?: { readonly retry?: RetryOptions; readonly heartbeat?: string }
  /** How many runs of a group go on at once, and what becomes of the next one. */
  readonly concurrency?: {
    readonly group: string
    readonly limit?: number
    readonly onConflict?: "queue" | "cancel-running" | "fail"
  }
}

/** References that a pipeline's function returns: its outputs, for pipelines that use it. */
export type Outputs = Readonly<Record<string, Expression<unknown>>>

type Given<X> = X extends Outputs ? { readonly [K in keyof X]: X[K] extends Expression<infer A> ? A : never } : object

/** A part of the document and the call that wrote it. */
export interface Site {
  readonly path: string
  readonly call: Error
}

/** A pipeline as a document: the same that YAML holds, and where its parts come from. */
export interface Pipeline<out P = unknown, out O = unknown> {
  readonly _tag: "dandori/Pipeline"
  /** The types of its params and outputs; no value. */
  readonly types?: { readonly params: P; readonly outputs: O }
  readonly document: Readonly<Record<string, unknown>>
  readonly sites: ReadonlyArray<Site>
  /** The pipelines that it uses, each with the call. */
  readonly used: ReadonlyArray<{ readonly pipeline: Pipeline; readonly call: Error }>
}

/** True for what `pipeline()` gives. */
export const isPipeline = (candidate: unknown): candidate is Pipeline =>
  typeof candidate === "object" && candidate !== null && "_tag" in candidate && candidate._tag === "dandori/Pipeline"

/** Is told of each task as it is added, as its pipeline's document will hold it. */
type Listener = (document: Pipeline["document"], block: Block, id: string, task: object) => void

let listener: Listener | undefined

/** Who evaluates a file can hand its tasks on before the whole of it has been evaluated. */
export const listen = (told: Listener): void => {
  listener = told
}

const tasksDot = "tasks."

const taskId = (task: Expression<unknown>, path: string, at: number): string => {
  const source = sourceOf(task) ?? ""
  if (source.startsWith(tasksDot) && !source.includes(".", tasksDot.length)) return source.slice(tasksDot.length)
  throw new TypeError(`${path}.needs[${at}] must be what task() returned`)
}

const isEmpty = (fields: object): boolean => {
  for (const _ in fields) return false
  return true
}

const tooLate = "It adds its tasks at once: await what it needs before pipeline(…) is called."

const conditionOf = (condition: Expression<boolean> | string): string => {
  const source = sourceOf(condition)
  return source === undefined ? String(condition) : `\${{ ${source} }}`
}

/**
 * Defines a pipeline: calls `build` once, which adds tasks. Loops and conditions over constants are TypeScript; the
 * value of a param or of an output exists only in a run. What it returns are the pipeline's outputs, for pipelines that
 * use it. The result is the default export of a pipeline file.
 */
export const pipeline = <
  const P extends Readonly<Record<string, ParamSchema>> = Readonly<Record<never, never>>,
  const V extends string = never,
  X extends Outputs | void = void,
>(
  id: string,
  options: PipelineOptions<P, V>,
  build: (context: Build<P, V>) => X,
): Pipeline<P, Given<X>> => {
  const sites: Array<Site> = [{ path: "", call: CallSite.capture() }]
  const used: Array<Pipeline["used"][number]> = []
  const document: Record<string, unknown> = { version: 1, id }
  const blocks: Record<Block, Record<string, unknown>> = { tasks: {}, onFailure: {}, onCancel: {}, finally: {} }
  let built = false
  const adder = (block: Block): AddTask => {
    const add = (
      name: string,
      type: AnyTaskType | Pipeline,
      input: unknown,
      taskOptions?: TaskOptions & { readonly matrix?: Matrix },
    ): unknown => {
      if (built) throw new TypeError(`Task "${name}" comes after its pipeline was built. ${tooLate}`)
      if (Object.hasOwn(blocks[block], name)) throw new TypeError(`The task id "${name}" is taken. Rename one of them.`)
      const path = `${block}.${name}`
      const call = CallSite.capture()
      sites.push({ path, call })
      if (isPipeline(type)) used.push({ pipeline: type, call })
      const written: Record<string, unknown> = {
        uses: isPipeline(type) ? `pipeline/${String(type.document.id)}` : type.type,
        with: toDocument(input, `${path}.with`),
      }
      if (taskOptions !== undefined) {
        const { needs, if: condition, matrix, ...rest } = taskOptions
        if (needs !== undefined) written.needs = needs.map((task, i) => taskId(task, path, i))
        if (condition !== undefined) written.if = conditionOf(condition)
        if (matrix !== undefined) written.matrix = toDocument(matrix.document, `${path}.matrix`)
        if (!isEmpty(rest)) Object.assign(written, toDocument(rest, path))
      }
      put(blocks[block], name, written)
      listener?.(document, block, name, written)
      return ref(`tasks.${name}`)
    }
    return add as AddTask
  }
  const { params, ...settings } = options
  const names = Object.keys(params ?? {})
  const outputs = build({
    params: Object.fromEntries(names.map((name) => [name, ref(`params.${name}`)])) as Build<P, V>["params"],
    run: ref<RunFacts>("run"),
    env: Object.fromEntries((options.env ?? []).map((name) => [name, ref(`env.${name}`)])) as Build<P, V>["env"],
    task: adder("tasks"),
    onFailure: adder("onFailure"),
    onCancel: adder("onCancel"),
    finally: adder("finally"),
  })
  built = true
  if (outputs instanceof Promise) throw new TypeError(`The function of pipeline("${id}") is async. ${tooLate}`)
  Object.assign(document, toDocument(settings, "pipeline"))
  if (params !== undefined) {
    document.params = Object.fromEntries(
      Object.entries(params).map(([name, param]) => [name, jsonSchemaOf(name, param)]),
    )
  }
  if (outputs !== undefined) document.outputs = toDocument(outputs, "outputs")
  for (const [block, tasks] of Object.entries(blocks)) if (!isEmpty(tasks)) document[block] = tasks
  return { _tag: "dandori/Pipeline", sites, used, document }
}
