import { dirname, join } from "node:path"
import { type Block, type Pipeline, isPipeline, listen } from "../authoring/pipeline.ts"
import * as CallSite from "../authoring/call-site.ts"
import { answer, part, told } from "../services/compile-child.ts"
import { endWithParent } from "../services/parent-death.ts"

/** A call in the file, line and column from 1, and what it wrote: paths in the document. */
export interface PlacedSite {
  readonly line: number
  readonly column: number
  readonly paths: ReadonlyArray<string>
}

/** What the child says when it is asked where its calls stand. */
export interface Sites {
  readonly sites: ReadonlyArray<PlacedSite>
}

/** Tasks of the pipeline that the child counts as `pipeline`, in the order in which they were added. */
export type Part = readonly [pipeline: number, block: Block, tasks: ReadonlyArray<readonly [id: string, task: object]>]

/**
 * What the child hands back: the document, without the tasks that went before it in parts, or the one mistake that kept
 * it from being made.
 */
export type Answer =
  | { readonly _tag: "Document"; readonly document: Pipeline["document"]; readonly pipeline: number | undefined }
  | {
      readonly _tag: "Mistake"
      readonly message: string
      readonly file: string
      readonly line: number
      readonly column: number
    }

interface BuildFault {
  readonly message: string
  readonly position?: { readonly file?: string; readonly line: number; readonly column: number } | null
}

const isBuildFault = (cause: unknown): cause is BuildFault =>
  typeof cause === "object" && cause !== null && "message" in cause && "position" in cause

const mistake = (file: string, cause: unknown): Answer => {
  const first: unknown = cause instanceof AggregateError ? cause.errors[0] : cause
  if (isBuildFault(first)) {
    const { position } = first
    const place = { file: position?.file ?? file, line: position?.line ?? 1, column: position?.column ?? 1 }
    return { _tag: "Mistake", message: first.message, ...place }
  }
  const message = first instanceof Error ? first.message : `This was thrown: ${String(first)}`
  const site = (first instanceof Error ? CallSite.within(first, file) : undefined) ?? { line: 1, column: 1 }
  return { _tag: "Mistake", message, file, line: site.line, column: site.column }
}

const wanted = "it must have a default export, like: export default pipeline(…)."

const noPipeline = (file: string, module: Readonly<Record<string, unknown>>): Answer => {
  const named = Object.keys(module).filter((name) => isPipeline(module[name]))
  const message =
    named.length === 0
      ? `The file has no pipeline: ${wanted}`
      : `The file has no pipeline of its own, only ${named.join(", ")}: ${wanted} A file holds one.`
  return { _tag: "Mistake", message, file, line: 1, column: 1 }
}

/** A pipeline that is used, but is not the one that lies beside this file under its id: that one would be compiled in. */
const elsewhere = async (file: string, { used }: Pipeline): Promise<Answer | undefined> => {
  for (const { call, pipeline } of used) {
    const name = `${String(pipeline.document.id)}.ts`
    const beside = await import(join(dirname(file), name)).then(
      (module: { readonly default?: unknown }) => module.default,
      () => undefined,
    )
    if (beside === pipeline) continue
    const message = `The pipeline "${String(pipeline.document.id)}" is not the one of ${name} in this folder. A pipeline that another one uses lies beside it, as the default export of a file with its id.`
    return { _tag: "Mistake", message, file, ...(CallSite.within(call, file) ?? { line: 1, column: 1 }) }
  }
  return undefined
}

const tasksInPart = 500
const blocks: ReadonlySet<string> = new Set<Block>(["tasks", "onFailure", "onCancel", "finally"])

/** Hands tasks on while the file is still being evaluated, so that the parent is not left waiting. */
const handOn = () => {
  const pipelines = new Map<Pipeline["document"], number>()
  let [of, open]: [number, Block] = [0, "tasks"]
  let tasks: Array<readonly [string, object]> = []
  const flush = () => {
    if (tasks.length > 0) part([of, open, tasks] satisfies Part)
    tasks = []
  }
  listen((document, block, id, task) => {
    const pipeline = pipelines.get(document) ?? pipelines.size
    pipelines.set(document, pipeline)
    if (pipeline !== of || block !== open || tasks.length === tasksInPart) flush()
    ;[of, open] = [pipeline, block]
    tasks.push([id, task])
  })
  return {
    flush,
    /** What is left of a document to be handed over, and the number that its tasks went under. */
    rest: (document: Pipeline["document"]) => {
      const pipeline = pipelines.get(document)
      if (pipeline === undefined) return { document, pipeline }
      const settings = Object.entries(document).filter(([key]) => !blocks.has(key))
      return { document: Object.fromEntries(settings), pipeline }
    },
  }
}

const described = async (
  file: string,
  module: Readonly<Record<string, unknown>>,
  { flush, rest }: ReturnType<typeof handOn>,
): Promise<Answer> => {
  const candidate = module.default
  if (!isPipeline(candidate)) return noPipeline(file, module)
  const wrong = await elsewhere(file, candidate)
  if (wrong !== undefined) return wrong
  flush()
  return { _tag: "Document", ...rest(candidate.document) }
}

/** The places of a document: the parent asks for them when there is a mistake to be placed. */
const placed = (file: string, candidate: unknown): ReadonlyArray<PlacedSite> => {
  if (!isPipeline(candidate)) return []
  // A loop calls from one place again and again: its stack is read once.
  const byStack = Map.groupBy(candidate.sites, ({ call }) => call.stack)
  return [...byStack.values()].flatMap((written): ReadonlyArray<PlacedSite> => {
    const site = CallSite.within(written[0].call, file)
    const paths = written.map(({ path }) => path)
    return site === undefined ? [] : [{ line: site.line, column: site.column, paths }]
  })
}

/**
 * Gets ready, waits to be told the pipeline file (an absolute path, links followed), evaluates it, hands its document to
 * the parent and ends.
 */
export const main = async (): Promise<never> => {
  endWithParent()
  Error.stackTraceLimit = 52
  const { preload, register } = await import("../program-modules.ts")
  register()
  await preload()
  const file = told()
  const handed = handOn()
  let made: unknown
  const evaluated = await import(file).then(
    (module: Readonly<Record<string, unknown>>) => described(file, ((made = module.default), module), handed),
    (cause: unknown) => mistake(file, cause),
  )
  return answer(evaluated, () => ({ sites: placed(file, made) }) satisfies Sites)
}
