import * as Effect from "effect/Effect"
import { Catalog } from "../../domain/catalog.ts"
import * as JsonSchemas from "../../domain/json-schema.ts"
import type { JsonSchema } from "../../domain/json-schema.ts"
import * as Code from "./code.ts"
import * as ExpressionCode from "./expression-code.ts"
import { Names, camel } from "./names.ts"
import * as TaskOrder from "./task-order.ts"

type Document = Readonly<Record<string, unknown>>

const dandoriNames = [
  "configured",
  "cron",
  "each",
  "expression",
  "file",
  "has",
  "matrix",
  "pipeline",
  "tick",
  "when",
] as const
const contextNames = ["params", "run", "env", "task", "onFailure", "onCancel", "finally"] as const
const adders = { tasks: "task", onFailure: "onFailure", onCancel: "onCancel", finally: "lastly" } as const

/** Keys of a document that are no options of `pipeline()`. */
const elsewhere = new Set(["version", "id", "outputs", ...Object.keys(adders)])

const isRecord = (value: unknown): value is Document =>
  typeof value === "object" && value !== null && !Array.isArray(value)
const record = (value: unknown): Document => (isRecord(value) ? value : {})

/** What a file is written from: `outputs` by task, `fileOf` the module of a task type that does not ship. */
interface Source {
  readonly document: Document
  readonly tasks: ReadonlyArray<TaskOrder.Task>
  readonly outputs: ReadonlyMap<string, JsonSchema>
  readonly fileOf: (type: string) => string | undefined
}

/** Writes one file: its imports and constants are gathered as its parts are written. */
class Writer {
  private readonly source: Source
  private readonly document: Document
  private readonly used = new Set<string>(["pipeline"])
  private readonly names = new Names([...dandoriNames, ...contextNames, "lastly"])
  private readonly types = new Map<string, string>()
  private readonly constants = new Map<string, string>()
  /** Tasks that others name. */
  readonly read = new Set<string>()
  private readonly lines: Array<string> = []

  constructor(source: Source, held: (task: string) => boolean) {
    const { document, tasks } = source
    this.source = source
    this.document = document
    for (const { definition } of tasks) {
      const uses = String(definition.uses)
      if (!this.types.has(uses)) this.types.set(uses, this.names.give(camel(uses.replace(/^pipeline\//, "")), "Type"))
    }
    for (const { id } of tasks) if (held(id)) this.constants.set(id, this.names.give(camel(id), "Task"))
  }

  private constant(task: string): string | undefined {
    this.read.add(task)
    return this.constants.get(task)
  }

  private scope(matrix: ExpressionCode.Scope["matrix"]): ExpressionCode.Scope {
    return {
      params: record(this.document.params) as Record<string, JsonSchema>,
      outputs: this.source.outputs,
      constant: (task) => this.constant(task),
      matrix,
      use: (name) => {
        this.used.add(name)
        return name
      },
    }
  }

  /** Writes the constant of a task's matrix. */
  private matrix(id: string, given: unknown): ExpressionCode.Scope["matrix"] {
    if (!isRecord(given)) return undefined
    const { values, include, exclude, "fail-fast": failFast, "max-parallel": maxParallel } = given
    const constant = this.names.give(`${camel(id)}Matrix`, "")
    const scope = this.scope(undefined)
    const axes = new Set<string>()
    const entries = Object.entries(record(values)).map(([axis, item]): readonly [string, Code.Code] => {
      const source = typeof item === "string" ? TaskOrder.sources(item)[0] : undefined
      if (source === undefined || ExpressionCode.reference(scope, source) !== undefined) axes.add(axis)
      const list = source === undefined ? ExpressionCode.setting(undefined, item) : ExpressionCode.value(scope, item)
      return [axis, source === undefined ? list : Code.call(scope.use("each"), list)]
    })
    const options = Object.entries({ include, exclude, failFast, maxParallel }).filter(([, item]) => item !== undefined)
    const args = [Code.object(entries)]
    if (options.length > 0) args.push(ExpressionCode.setting(undefined, Object.fromEntries(options)))
    this.statement(`const ${constant} = `, Code.call(scope.use("matrix"), ...args))
    return { constant, axes }
  }

  private statement(lead: string, code: Code.Code): void {
    const indent = "    "
    this.lines.push(`${indent}${lead}${Code.print(code, indent, indent.length + lead.length)}`)
  }

  private task({ block, definition, id }: TaskOrder.Task): void {
    const { uses, with: input, needs, if: condition, matrix: given, ...rest } = definition
    const matrix = this.matrix(id, given)
    const scope = this.scope(matrix)
    const options: Array<readonly [string, Code.Code]> = []
    if (needs !== undefined) {
      const ids = (Array.isArray(needs) ? needs : [needs]).map(String)
      options.push(["needs", Code.list(ids.map((need) => Code.raw(this.constant(need) ?? need)))])
    }
    if (condition !== undefined) {
      options.push(["if", Code.raw(ExpressionCode.condition(scope, String(condition)))])
    }
    if (matrix !== undefined) options.push(["matrix", Code.raw(matrix.constant)])
    for (const [key, item] of Object.entries(rest)) {
      options.push([key, ExpressionCode.setting(key === "description" ? undefined : scope, item)])
    }
    this.used.add(block === "finally" ? "finally" : adders[block])
    const args = [
      Code.raw(Code.string(id)),
      Code.raw(this.types.get(String(uses)) ?? ""),
      ExpressionCode.value(scope, input ?? {}),
      ...(options.length === 0 ? [] : [Code.object(options)]),
    ]
    const constant = this.constants.get(id)
    this.statement(constant === undefined ? "" : `const ${constant} = `, Code.call(adders[block], ...args))
  }

  private result(): void {
    if (!isRecord(this.document.outputs)) return
    this.lines.push("")
    this.statement("return ", ExpressionCode.value(this.scope(undefined), this.document.outputs))
  }

  private triggers(scope: ExpressionCode.Scope, on: Document): Code.Code {
    const { params, ...more } = record(on.files)
    const files = Object.entries(more).map(([name, part]): readonly [string, Code.Code] => [
      name,
      ExpressionCode.setting(undefined, part),
    ])
    if (params !== undefined) files.push(["params", ExpressionCode.value(scope, params)])
    return Code.object([["files", Code.object(files)]])
  }

  private settings(): Code.Code {
    const scope = this.scope(undefined)
    const written = Object.entries(this.document).filter(([key]) => !elsewhere.has(key))
    const entries = written.map(([key, item]): readonly [string, Code.Code] => {
      if (key === "on" && isRecord(item)) return [key, this.triggers(scope, item)]
      if (key !== "schedule" || !isRecord(item)) return [key, ExpressionCode.setting(undefined, item)]
      const { configured, cron, params, ...more } = item
      const options = Object.entries(more).map(([name, part]): readonly [string, Code.Code] => [
        name,
        ExpressionCode.setting(undefined, part),
      ])
      if (params !== undefined) options.push(["params", ExpressionCode.value(scope, params)])
      const [maker, given] =
        configured === undefined ? (["cron", cron] as const) : (["configured", configured] as const)
      const said = options.length === 0 ? [] : [Code.object(options)]
      return [key, Code.call(scope.use(maker), ExpressionCode.setting(undefined, given), ...said)]
    })
    return Code.object(entries)
  }

  private imports(): ReadonlyArray<string> {
    const shipped: Array<string> = []
    const own: Array<string> = []
    for (const [type, name] of this.types) {
      const file = this.source.fileOf(type)
      if (file !== undefined) own.push(`import ${name} from ${Code.string(file)}`)
      else shipped.push(name === camel(type) ? name : `${camel(type)} as ${name}`)
    }
    const from = (names: ReadonlyArray<string>, module: string) => {
      const line = `import { ${names.join(", ")} } from "${module}"`
      return line.length <= 120 ? line : `import {\n${names.map((name) => `  ${name},\n`).join("")}} from "${module}"`
    }
    return [
      from(
        dandoriNames.filter((name) => this.used.has(name)),
        "dandori",
      ),
      ...(shipped.length === 0 ? [] : [from(shipped.toSorted(), "dandori/tasks")]),
      ...own.toSorted(),
    ]
  }

  file(): string {
    for (const task of this.source.tasks) this.task(task)
    this.result()
    const settings = this.settings()
    const id = Code.string(String(this.document.id))
    const context = contextNames
      .filter((name) => this.used.has(name))
      .map((name) => (name === "finally" ? "finally: lastly" : name))
    const lambda = `({ ${context.join(", ")} }) => {`
    const inline = `export default pipeline(${id}, ${Code.print(settings, "", 0)}, ${lambda}`
    const head = [...this.imports(), ""]
    if (inline.length <= 120 && !inline.includes("\n")) {
      return [...head, inline, ...this.lines.map((line) => line.replace(/^ {2}/gm, "")), "})", ""].join("\n")
    }
    const parts = [`  ${id},`, `  ${Code.print(settings, "  ", 2, 1)},`, `  ${lambda}`, ...this.lines, "  },", ")", ""]
    return [...head, "export default pipeline(", ...parts].join("\n")
  }
}

/**
 * A pipeline in TypeScript, from a document that compiles: an import per task type, a constant per task that another
 * one names, references in place of expressions where they say the same. `fileOf` gives the module of a task type that
 * does not ship.
 */
export const toTypeScript = Effect.fn("Convert.toTypeScript")(function* (
  document: Document,
  fileOf: (type: string) => string | undefined,
) {
  const catalog = yield* Catalog
  const tasks = TaskOrder.inOrder(document)
  const outputs = new Map<string, JsonSchema>()
  for (const { definition, id } of tasks) {
    const type = yield* catalog.load(String(definition.uses))
    if (type !== undefined && definition.matrix === undefined) outputs.set(id, JsonSchemas.ofSchema(type.output))
  }
  const source: Source = { document, tasks, outputs, fileOf }
  const first = new Writer(source, () => true)
  first.file()
  return new Writer(source, (task) => first.read.has(task)).file()
})
