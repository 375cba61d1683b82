import * as Effect from "effect/Effect"
import * as CompileChild from "../services/compile-child.ts"
import * as Diagnostic from "./diagnostic.ts"
import * as Located from "./located.ts"
import { QuietTask } from "./quiet-task.ts"
import * as Source from "./source.ts"
import type { Answer, Part, PlacedSite, Sites } from "./typescript-child.ts"

/** How long a TypeScript pipeline may take to describe itself. */
export const defaultLimitMillis = 10_000

const offsetOf = (source: Source.Source, line: number, column: number): number =>
  Math.min(source.text.length, (source.lineStarts[line - 1] ?? 0) + Math.max(0, column - 1))

const spanAt = (source: Source.Source, line: number, column: number): Source.Span => {
  const start = offsetOf(source, line, column)
  const word = /^[A-Za-z_$][\w$.]*/.exec(source.text.slice(start, start + 200))
  return { start, end: start + Math.max(1, word?.[0].length ?? 1) }
}

/** Where the module stands that an import did not find, or in which it did not find a name. */
const importSpan = (source: Source.Source, message: string): Source.Span | undefined => {
  const name = /(?:Cannot find (?:module|package)|not found in module) '([^']+)'/.exec(message)?.[1]
  const found = name === undefined ? [] : [`"${name}"`, `'${name}'`].map((text) => source.text.indexOf(text))
  const start = found.find((at) => at !== -1)
  return start === undefined ? undefined : { start, end: start + (name?.length ?? 0) + 2 }
}

const wordOf = (step: string): RegExp =>
  new RegExp(`(?<![\\w$.])["']?${step.replace(/[^\w$-]/g, "")}["']?(?=\\s*[:,}(])`)

/** Narrows a call to the key that a path leads to, as far as it is written there. */
const narrow = (text: string, call: Source.Span, end: number, steps: ReadonlyArray<string>): Source.Span => {
  let found = call
  for (const step of steps) {
    const from = found === call ? call.end : found.end
    const match = wordOf(step).exec(text.slice(from, end))
    if (match === null) continue
    found = { start: from + match.index, end: from + match.index + match[0].length }
  }
  return found
}

class FoundSpan implements Source.Span {
  private readonly find: (path: string) => Source.Span
  private readonly path: string
  constructor(find: (path: string) => Source.Span, path: string) {
    this.find = find
    this.path = path
  }
  get start() {
    return this.find(this.path).start
  }
  get end() {
    return this.find(this.path).end
  }
}

/**
 * Finds the place of a document path: the key in the call that wrote it, or that call. A place is worked out when a
 * mistake is reported there.
 */
const places = (source: Source.Source, sites: ReadonlyArray<PlacedSite>) => {
  const spans = sites.map(({ line, column, paths }) => ({ span: spanAt(source, line, column), paths }))
  const starts = spans.map(({ span }) => span.start).toSorted((a, b) => a - b)
  let known: ReadonlyMap<string, Source.Span> | undefined
  const callsByPath = () => new Map(spans.flatMap(({ span, paths }) => paths.map((path) => [path, span] as const)))
  const find = (path: string): Source.Span => {
    const [block = "", id = "", ...inner] = path.split(/[.[\]]+/)
    const calls = (known ??= callsByPath())
    const task = calls.get(`${block}.${id}`)
    const call = task ?? calls.get("") ?? { start: 0, end: 1 }
    const end = starts.find((start) => start > call.start) ?? source.text.length
    const steps = (task === undefined ? [block, id, ...inner] : inner).filter((step) => !/^(with|\d*)$/.test(step))
    return narrow(source.text, call, end, steps)
  }
  return (path: string): Source.Span => new FoundSpan(find, path)
}

/** Puts the parts of documents together as they come: tasks are nodes before the last of them is known. */
const assembly = () => {
  const blocksOf = new Map<number, Map<string, Array<Located.LocatedEntry>>>()
  return {
    add: (part: ReadonlyArray<unknown>) => {
      const [pipeline, block, tasks] = part as unknown as Part
      const blocks = blocksOf.get(pipeline) ?? new Map<string, Array<Located.LocatedEntry>>()
      const entries = blocks.get(block) ?? []
      blocksOf.set(pipeline, blocks.set(block, entries))
      for (const [id, task] of tasks) entries.push(QuietTask.of(id, block, task) ?? Located.entry(id, task))
    },
    whole: ({ document, pipeline }: Extract<Answer, { readonly _tag: "Document" }>): Located.Located => {
      const blocks = pipeline === undefined ? [] : (blocksOf.get(pipeline) ?? [])
      const entries = Object.entries(document).map(([key, value]) => Located.entry(key, value))
      return Located.map([
        ...entries,
        ...[...blocks].map(([key, tasks]) => ({ key, keyAt: Located.nowhere, value: Located.map(tasks) })),
      ])
    },
  }
}

/**
 * The document that a TypeScript pipeline makes, without places, and the one with them: a child process evaluates the
 * file (`path`: absolute, links followed), and says where its calls stand when it is asked. Of a mistake that keeps the
 * document from being made the place is known.
 */
const evaluate = Effect.fnUntraced(function* (source: Source.Source, path: string, limitMillis: number) {
  const { add, whole } = assembly()
  const { answer, further } = yield* CompileChild.evaluate(path, limitMillis, add)
  const made = answer as Answer
  if (made._tag === "Document") {
    const document = whole(made)
    const placed = Effect.map(further, (said) =>
      Located.fromJson(Located.toJson(document), places(source, (said as Sites).sites)),
    )
    return { document, placed }
  }
  const { line, column, file } = made
  const message = made.message.replace(` imported from ${path}`, "")
  const diagnostic =
    file === path
      ? Diagnostic.at(source, importSpan(source, message) ?? spanAt(source, line, column), "", message)
      : { file, line, column, length: 1, path: "", message }
  return yield* new Diagnostic.PipelineInvalid({ file: source.file, diagnostics: [diagnostic] })
})

/** The document that a TypeScript pipeline makes, without places. */
export const readTypeScript = Effect.fn("Compiler.readTypeScript")(function* (
  source: Source.Source,
  path: string,
  limitMillis = defaultLimitMillis,
) {
  return (yield* evaluate(source, path, limitMillis)).document
}, Effect.scoped)

/**
 * Compiles a TypeScript pipeline: its document gets the same checks as YAML. What checks it is imported while a child
 * process evaluates the file. A mistake stands at the call that made it; where that is, is worked out only when there is
 * one.
 */
export const compileTypeScript = Effect.fn("Compiler.compileTypeScript")(function* (
  source: Source.Source,
  path: string,
  limitMillis = defaultLimitMillis,
) {
  const [{ document, placed }, { compileDocument }] = yield* Effect.all(
    [evaluate(source, path, limitMillis), Effect.promise(() => import("./compile.ts"))],
    { concurrency: "unbounded" },
  )
  return yield* compileDocument(source, document).pipe(
    Effect.catchTag("PipelineInvalid", () => Effect.flatMap(placed, (all) => compileDocument(source, all))),
  )
}, Effect.scoped)
