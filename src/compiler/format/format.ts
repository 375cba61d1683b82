import { isDeepStrictEqual } from "node:util"
import * as Result from "effect/Result"
import * as Diagnostic from "../diagnostic.ts"
import { type Located, get, toJson } from "../located.ts"
import * as Source from "../source.ts"
import * as YamlDocument from "../yaml-document.ts"
import * as Comments from "./comments.ts"
import * as Order from "./order.ts"
import * as Print from "./print.ts"
import * as Read from "./read.ts"

const said = (source: Source.Source): ReadonlyArray<string> =>
  Comments.read(source)
    .map(({ text }) => text)
    .toSorted()

/** The deepest node that a path (`tasks.a.with.argv[0]`) leads to. */
const locate = (document: Located, path: string): Located => {
  let at = document
  for (const step of path.split(/[.[\]]+/).filter((part) => part !== "")) {
    const next = at.kind === "list" ? at.items[Number(step)] : get(at, step)
    if (next === undefined) return at
    at = next
  }
  return at
}

/**
 * The text of a YAML pipeline in its one form: keys in order, two spaces, quotes only where they are needed, short maps
 * and lists on one line (120 columns), comments and blank lines kept. The result is read back: it holds the same
 * document and the same comments, or the file is refused. Mistakes of YAML itself come with their places.
 */
export const format = (file: string, written: string): Result.Result<string, Diagnostic.PipelineInvalid> => {
  const source = Source.make(file, written.replace(/^\uFEFF/, "").replaceAll("\r\n", "\n"))
  const refuse = (diagnostics: ReadonlyArray<Diagnostic.Diagnostic>) =>
    Result.fail(new Diagnostic.PipelineInvalid({ file, diagnostics: [...Diagnostic.inOrder(diagnostics)] }))
  const before = YamlDocument.read(source)
  if (before.document === undefined || before.diagnostics.length > 0) return refuse(before.diagnostics)
  const root = Read.read(source)
  if (root === undefined) {
    return refuse([
      Diagnostic.at(source, before.document.at, "", "A pipeline must be a map that starts with: version: 1"),
    ])
  }
  const header = Order.arrange(root)
  const text = Print.print(root, header)
  const printed = Source.make(file, text)
  const after = YamlDocument.read(printed)
  const [problem] = after.diagnostics
  if (problem !== undefined) {
    const message = `With the keys in order this would be wrong: ${problem.message} Write the value out.`
    return refuse([Diagnostic.at(source, locate(before.document, problem.path).at, problem.path, message)])
  }
  const same =
    after.document !== undefined &&
    isDeepStrictEqual(toJson(after.document), toJson(before.document)) &&
    isDeepStrictEqual(said(printed), said(source))
  if (same) return Result.succeed(text)
  return refuse([
    Diagnostic.at(source, { start: 0, end: 1 }, "", "This file cannot be formatted without changing what it says."),
  ])
}
