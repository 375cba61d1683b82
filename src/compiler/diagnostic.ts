import * as Schema from "effect/Schema"
import * as Source from "./source.ts"

/** One mistake in a pipeline: where, and what to do. Line and column count from 1. */
export const Diagnostic = Schema.Struct({
  file: Schema.String,
  line: Schema.Int,
  column: Schema.Int,
  length: Schema.Int,
  path: Schema.String,
  message: Schema.String,
  excerpt: Schema.optionalKey(Schema.String),
})
export type Diagnostic = typeof Diagnostic.Type

/** A diagnostic at a span of a source. `path` is the place in the document, e.g. `tasks.train.with.seed`. */
export const at = (source: Source.Source, span: Source.Span, path: string, message: string): Diagnostic => {
  const { line, column } = Source.position(source, span.start)
  const excerpt = Source.lineText(source, line)
  const length = Math.max(1, Math.min(span.end - span.start, excerpt.length - column + 1))
  return { file: source.file, line, column, length, path, message, excerpt }
}

/** Most of a line that is shown, in characters: what lies around the place. */
const widest = 160

const caret = ({ column, length, line }: Diagnostic, excerpt: string): string => {
  const gutter = String(line)
  const from = excerpt.length <= widest ? 0 : Math.max(0, Math.min(column - 1 - widest / 4, excerpt.length - widest))
  const cut = excerpt.slice(from, from + widest)
  const [before, after] = [from > 0 ? "…" : "", from + cut.length < excerpt.length ? "…" : ""]
  const lead = `${before}${cut}`.slice(0, column - 1 - from + before.length).replace(/[^\t]/g, " ")
  const carets = "^".repeat(Math.min(length, Math.max(1, cut.length - (column - 1 - from))))
  return `  ${gutter} | ${before}${cut}${after}\n  ${" ".repeat(gutter.length)} | ${lead}${carets}`
}

/** `file:line:column: message`, then the line with carets under the place. */
export const render = (diagnostic: Diagnostic): string => {
  const head = `${diagnostic.file}:${diagnostic.line}:${diagnostic.column}: ${diagnostic.message}`
  return diagnostic.excerpt === undefined ? head : `${head}\n${caret(diagnostic, diagnostic.excerpt)}`
}

/** Diagnostics in file order. */
export const inOrder = (diagnostics: ReadonlyArray<Diagnostic>): ReadonlyArray<Diagnostic> =>
  diagnostics.toSorted((a, b) => a.line - b.line || a.column - b.column)

/** A pipeline that does not compile: all of its mistakes at once. */
export class PipelineInvalid extends Schema.TaggedError<PipelineInvalid>()("PipelineInvalid", {
  file: Schema.String,
  diagnostics: Schema.Array(Diagnostic),
  /** That a pipeline which it uses could not be compiled, as it may another time. */
  mayPass: Schema.optionalKey(Schema.Boolean),
}) {
  override get message() {
    const count = this.diagnostics.length
    return `${this.diagnostics.map(render).join("\n\n")}\n\n${this.file}: ${count} ${count === 1 ? "mistake" : "mistakes"}; nothing was run.`
  }
}
