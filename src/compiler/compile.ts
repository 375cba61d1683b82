import * as Effect from "effect/Effect"
import * as JsonSchemas from "../domain/json-schema.ts"
import type { JsonSchema } from "../domain/json-schema.ts"
import type { Block, Plan, PlanTask } from "../domain/plan.ts"
import { didYouMean } from "../domain/suggest.ts"
import type { AnyTaskType } from "../domain/task-type.ts"
import { Catalog, type TaskTypeBroken } from "../domain/catalog.ts"
import * as Definition from "./definition.ts"
import * as Diagnostic from "./diagnostic.ts"
import type { FieldReader } from "./field-reader.ts"
import type { Located } from "./located.ts"
import * as Params from "./params.ts"
import * as ScheduleSettings from "./schedule-settings.ts"
import * as Scope from "../domain/expression/scope.ts"
import type { Source } from "./source.ts"
import * as TaskCheck from "./task-check.ts"
import * as Topology from "./topology.ts"
import * as YamlDocument from "./yaml-document.ts"

/** A plan, and what the file says that is no part of it. */
export interface Compiled {
  readonly plan: Plan
  readonly description: string | undefined
}

const loadTypes = Effect.fnUntraced(function* (reader: FieldReader, definition: Definition.Definition) {
  const catalog = yield* Catalog
  const types = new Map<string, AnyTaskType | undefined>()
  for (const { uses, path } of definition.tasks) {
    if (!types.has(uses.text)) types.set(uses.text, yield* catalog.load(uses.text))
    if (types.get(uses.text) !== undefined) continue
    const hint = didYouMean(uses.text, catalog.names)
    reader.report(
      uses.at,
      `${path}.uses`,
      `There is no task type "${uses.text}".${hint} Known: ${catalog.names.join(", ")}.`,
    )
  }
  return types
})

const blockOrder: Record<Block, number> = { tasks: 0, onFailure: 1, onCancel: 1, finally: 2 }

const order = (
  reader: FieldReader,
  definition: Definition.Definition,
  tasks: ReadonlyMap<string, PlanTask>,
): ReadonlyArray<PlanTask> => {
  const sorted = Topology.sort(new Map([...tasks].map(([id, task]) => [id, task.needs])))
  if ("order" in sorted) {
    const placed = sorted.order.flatMap((id) => tasks.get(id) ?? [])
    return Definition.blocks.flatMap((block) => placed.filter((task) => (task.block ?? "tasks") === block))
  }
  const first = definition.tasks.find((task) => task.id === sorted.cycle[0])
  reader.report(
    first?.at ?? { start: 0, end: 1 },
    first?.path ?? "tasks",
    `These tasks wait for each other: ${sorted.cycle.join(" → ")}. Break the circle.`,
  )
  return []
}

/** Compiles a located document. All mistakes of the file come at once, in file order. */
export const compileDocument = Effect.fnUntraced(function* (
  source: Source,
  document: Located,
): Effect.fn.Return<Compiled, Diagnostic.PipelineInvalid | TaskTypeBroken, Catalog> {
  const reader = Definition.reader(source)
  const definition = Definition.read(reader, document)
  if (definition !== undefined) {
    Params.check(reader, definition)
    const schedule = ScheduleSettings.read(reader, definition)
    const types = yield* loadTypes(reader, definition)
    const schemas = new Map<string, { input: JsonSchema; output: JsonSchema }>()
    for (const [name, type] of types) {
      if (type === undefined) continue
      schemas.set(name, { input: JsonSchemas.ofSchema(type.input), output: JsonSchemas.ofSchema(type.output) })
    }
    const outputs = new Map(definition.tasks.map((task) => [task.id, schemas.get(task.uses.text)?.output ?? {}]))
    const params = Object.fromEntries([...definition.params].map(([name, { schema }]) => [name, schema]))
    const scopes = Scope.build({ params, outputs, env: definition.env.map(({ text }) => text) })
    const byId = new Map(definition.tasks.map((task) => [task.id, task]))
    const tasks = new Map<string, PlanTask>()
    for (const task of definition.tasks) {
      const type = types.get(task.uses.text)
      const input = schemas.get(task.uses.text)?.input
      const checked = TaskCheck.check(reader, {
        task,
        type,
        input: input ?? {},
        scope: scopes[task.block],
        byId,
        earlier: (other) => blockOrder[other.block] < blockOrder[task.block],
      })
      if (checked !== undefined) tasks.set(task.id, checked)
    }
    const placed = order(reader, definition, tasks)
    if (reader.diagnostics.length === 0) {
      return {
        description: definition.description,
        plan: {
          format: 1,
          id: definition.id,
          params: Object.fromEntries(
            [...definition.params].map(([name, { schema }]) => [name, Params.meaning(schema)]),
          ),
          env: definition.env.map(({ text }) => text).toSorted(),
          audit: "required",
          ...(definition.timeout === undefined ? {} : { timeout: definition.timeout }),
          ...(schedule === undefined ? {} : { schedule }),
          tasks: placed,
        },
      }
    }
  }
  return yield* new Diagnostic.PipelineInvalid({
    file: source.file,
    diagnostics: [...Diagnostic.inOrder(reader.diagnostics)],
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
