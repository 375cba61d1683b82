import * as Effect from "effect/Effect"
import * as JsonSchemas from "../domain/json-schema.ts"
import type { JsonSchema } from "../domain/json-schema.ts"
import type { Block, Plan, PlanTask } from "../domain/plan.ts"
import { didYouMean } from "../domain/suggest.ts"
import type { AnyTaskType } from "../domain/task-type.ts"
import { Catalog, type TaskTypeBroken } from "../domain/catalog.ts"
import * as ApprovalCheck from "./approval-check.ts"
import * as AuditCheck from "./audit-check.ts"
import * as ConfiguredSchedule from "./configured-schedule.ts"
import * as Definition from "./definition.ts"
import * as Diagnostic from "./diagnostic.ts"
import * as FileTriggerSettings from "./file-trigger-settings.ts"
import type { FieldReader } from "./field-reader.ts"
import type { Located } from "./located.ts"
import * as InputCheck from "./input-check.ts"
import * as Outputs from "./outputs.ts"
import * as Params from "./params.ts"
import * as RetryErrors from "./retry-errors.ts"
import * as ScheduleSettings from "./schedule-settings.ts"
import * as Scope from "../domain/expression/scope.ts"
import * as PlainTask from "./plain-task.ts"
import type { Source } from "./source.ts"
import * as SubPipeline from "./sub-pipeline.ts"
import * as TaskCheck from "./task-check.ts"
import type { TaskDefinition } from "./task-definition.ts"
import * as Topology from "./topology.ts"
import * as YamlDocument from "./yaml-document.ts"

/** A plan, and what the file says that is no part of it. */
export interface Compiled {
  readonly plan: Plan
  readonly description: string | undefined
  /** The type of what a pipeline that uses this one sees of it. */
  readonly outputs: JsonSchema
  /** The pipeline that says `audit: required`: this one, or one that it uses. */
  readonly requires: string | undefined
}

const loadTypes = Effect.fnUntraced(function* (reader: FieldReader, definition: Definition.Definition) {
  const catalog = yield* Catalog
  const types = new Map<string, AnyTaskType | undefined>()
  for (const task of definition.tasks.values()) {
    const { uses } = task
    if (types.get(uses.text) !== undefined || SubPipeline.idOf(uses.text) !== undefined) continue
    if (!types.has(uses.text)) types.set(uses.text, yield* catalog.load(uses.text))
    if (types.get(uses.text) !== undefined) continue
    const hint = didYouMean(uses.text, catalog.names)
    reader.report(
      uses.at,
      `${task.path}.uses`,
      `There is no task type "${uses.text}".${hint} Known: ${catalog.names.join(", ")}.`,
    )
  }
  return types
})

/** The JSON Schemas of one side of the task types that there are. */
const schemasOf = (
  types: ReadonlyMap<string, AnyTaskType | undefined>,
  side: (type: AnyTaskType) => AnyTaskType["input"] | AnyTaskType["output"],
): ReadonlyMap<string, JsonSchema> =>
  new Map([...types].flatMap(([name, type]) => (type === undefined ? [] : [[name, JsonSchemas.ofSchema(side(type))]])))

/**
 * The pipelines that tasks use. What keeps one from being used is told at the task, and with its own mistakes; `mayPass`:
 * whether one of them may be used another time.
 */
const loadPipelines = Effect.fnUntraced(function* (reader: FieldReader, definition: Definition.Definition) {
  const library = yield* SubPipeline.SubPipelines
  const children = new Map<string, Compiled>()
  let mayPass = false
  for (const task of definition.tasks.values()) {
    const { uses } = task
    const id = SubPipeline.idOf(uses.text)
    if (id === undefined) continue
    const { path } = task
    const child = yield* library.load(id)
    const refuse = (reason: string) => reader.report(uses.at, `${path}.uses`, reason)
    if (child._tag === "Unusable") {
      refuse(child.reason)
      if (child.mayPass === true) mayPass = true
      for (const diagnostic of child.diagnostics) {
        if (!reader.diagnostics.includes(diagnostic)) reader.diagnostics.push(diagnostic)
      }
      continue
    }
    const { plan } = child
    children.set(uses.text, { plan, outputs: child.outputs, requires: child.requires, description: undefined })
  }
  return { children, mayPass }
})

/** From so many tasks on, compiling the decoders of their inputs costs less than it saves. */
const manyTasks = 1_000

const blockOrder: Record<Block, number> = { tasks: 0, onFailure: 1, onCancel: 1, finally: 2 }

/** The tasks in the order of the plan: topological, ties by id; each sub-pipeline right before its own tasks. */
const order = (
  reader: FieldReader,
  definition: Definition.Definition,
  tasks: ReadonlyArray<PlanTask>,
  inner: ReadonlyMap<string, ReadonlyArray<PlanTask>>,
): ReadonlyArray<PlanTask> => {
  const sorted = Topology.sort(tasks)
  if ("order" in sorted) {
    const own = sorted.order
    const placed = own.some(({ block }) => block !== undefined)
      ? Definition.blocks.flatMap((block) => own.filter((task) => (task.block ?? "tasks") === block))
      : own
    return inner.size === 0 ? placed : placed.flatMap((task) => [task, ...(inner.get(task.id) ?? [])])
  }
  const first = definition.tasks.get(sorted.cycle[0])
  reader.report(
    first?.at ?? { start: 0, end: 1 },
    first?.path ?? "tasks",
    `These tasks wait for each other: ${sorted.cycle.join(" → ")}. Break the circle.`,
  )
  return []
}

/** What the tasks of a pipeline are checked against. */
interface Known {
  readonly types: ReadonlyMap<string, AnyTaskType | undefined>
  readonly children: ReadonlyMap<string, Compiled>
  readonly inputs: ReadonlyMap<string, JsonSchema>
  readonly scopes: ReturnType<typeof Scope.build>
}

/** Checks every task; `inner` are the tasks of sub-pipelines, by the task that uses each. */
const checkTasks = (reader: FieldReader, definition: Definition.Definition, known: Known) => {
  const { children, inputs, scopes, types } = known
  const byId = definition.tasks
  const tasks: Array<PlanTask> = []
  const inner = new Map<string, ReadonlyArray<PlanTask>>()
  let used = 0
  for (const task of byId.values()) {
    const { text: uses } = task.uses
    const type = types.get(uses)
    const child = children.get(uses)?.plan
    const input = child === undefined ? inputs.get(uses) : SubPipeline.inputOf(child)
    const plain = type === undefined ? undefined : PlainTask.make(task, type, input ?? {}, byId)
    if (plain !== undefined) {
      tasks.push(plain)
      continue
    }
    const checked = TaskCheck.check(reader, {
      task,
      type,
      child,
      input: input ?? {},
      scope: scopes[task.block],
      byId,
      earlier: (other) => blockOrder[other.block] < blockOrder[task.block],
    })
    if (checked === undefined) continue
    if (child === undefined) {
      tasks.push(checked)
      continue
    }
    used += child.tasks.length
    if (used > Definition.maxTasks) {
      const reason = `The pipelines that this one uses have more than ${Definition.maxTasks} tasks together. Use fewer, or a matrix.`
      reader.report(task.uses.at, `${task.path}.uses`, reason)
      break
    }
    const { outputs: given = {}, params: taken, timeout } = child
    const limit = timeout === undefined ? {} : { timeout }
    tasks.push({ ...checked, pipeline: { params: taken, outputs: given, ...limit } })
    inner.set(task.id, SubPipeline.placed(checked, child))
  }
  return { tasks, inner }
}

/** Compiles a located document. All mistakes of the file come at once, in file order. */
export const compileDocument = Effect.fnUntraced(function* (
  source: Source,
  written: Located,
): Effect.fn.Return<Compiled, Diagnostic.PipelineInvalid | TaskTypeBroken, Catalog> {
  const reader = Definition.reader(source)
  const document = yield* ConfiguredSchedule.expand(reader, written)
  const definition = Definition.read(reader, document)
  let mayPass = false
  if (definition !== undefined) {
    Params.check(reader, definition)
    const schedule = ScheduleSettings.read(reader, definition)
    const on = FileTriggerSettings.read(reader, definition)
    const types = yield* loadTypes(reader, definition)
    RetryErrors.check(reader, document, definition, types)
    if (definition.tasks.size > manyTasks) yield* InputCheck.compileDecoders(types.values())
    const inputs = schemasOf(types, ({ input }) => input)
    const { children, mayPass: isAway } = yield* loadPipelines(reader, definition)
    mayPass = isAway
    const outputs = () => {
      const known = schemasOf(types, ({ output }) => output)
      const outputOf = ({ settings, uses }: TaskDefinition): JsonSchema => {
        const { continueOnError, matrix } = settings
        const own = children.get(uses.text)?.outputs ?? known.get(uses.text) ?? {}
        return matrix === undefined ? own : Scope.listOf(own, continueOnError === true)
      }
      return new Map([...definition.tasks].map(([id, task]) => [id, outputOf(task)]))
    }
    const params = Object.fromEntries([...definition.params].map(([name, { schema }]) => [name, schema]))
    const scopes = Scope.build({ params, outputs, env: definition.env.map(({ text }) => text) })
    const { inner, tasks } = checkTasks(reader, definition, { types, children, inputs, scopes })
    ApprovalCheck.check(reader, definition, tasks, types)
    const given = Outputs.check(reader, definition, tasks, scopes.tasks)
    const { audit, requires } = AuditCheck.check(reader, definition, tasks, inner, children)
    const placed = order(reader, definition, tasks, inner)
    if (reader.diagnostics.length === 0) {
      return {
        description: definition.description,
        plan: {
          format: 1,
          id: definition.id,
          params: Object.fromEntries(
            [...definition.params].map(([name, { schema }]) => [name, Params.meaning(schema)]),
          ),
          env: [
            ...new Set([
              ...definition.env.map(({ text }) => text),
              ...[...children.values()].flatMap(({ plan }) => plan.env),
            ]),
          ].toSorted(),
          audit,
          ...(definition.timeout === undefined ? {} : { timeout: definition.timeout }),
          ...(definition.concurrency === undefined ? {} : { concurrency: definition.concurrency }),
          ...(definition.outputs.size === 0 ? {} : { outputs: given.outputs }),
          ...(schedule === undefined ? {} : { schedule }),
          ...(on === undefined ? {} : { on }),
          tasks: placed,
        },
        outputs: given.type,
        requires,
      }
    }
  }
  return yield* new Diagnostic.PipelineInvalid({
    file: source.file,
    diagnostics: [...Diagnostic.inOrder(reader.diagnostics)],
    ...(mayPass ? { mayPass } : {}),
  })
})

/** Compiles the text of a YAML file. */
export const compileYaml = Effect.fnUntraced(function* (source: Source) {
  const { document, diagnostics } = YamlDocument.read(source)
  if (document !== undefined && diagnostics.length === 0) return yield* compileDocument(source, document)
  const shape =
    document === undefined
      ? []
      : yield* Effect.flip(compileDocument(source, document)).pipe(
          Effect.map((error) => (error._tag === "PipelineInvalid" ? error.diagnostics : [])),
          Effect.orElseSucceed(() => []),
        )
  return yield* new Diagnostic.PipelineInvalid({
    file: source.file,
    diagnostics: [...Diagnostic.inOrder([...diagnostics, ...shape])],
  })
})
