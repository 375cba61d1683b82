import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import type { Json } from "../canonical-json.ts"
import * as Located from "./located.ts"
import { keyOf } from "./named-list.ts"
import type { Place, Problem } from "./problem.ts"
import { nearest } from "../suggest.ts"

/** Which file and line gave a value: `path` within the section, items of named lists by their name. */
export interface Origin {
  readonly path: string
  readonly value: Json
  readonly at: Place
}

const flatten = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) => {
    if (issue._tag === "MissingKey") return "is missing"
    if (issue._tag === "UnexpectedKey") return "is not a known key"
    return SchemaIssue.defaultLeafHook(issue)
  },
})

const keysOf = (ast: SchemaAST.AST): ReadonlyArray<string> => {
  if (SchemaAST.isUnion(ast)) return ast.types.flatMap(keysOf)
  return SchemaAST.isObjects(ast) ? ast.propertySignatures.map((signature) => String(signature.name)) : []
}

const literalsOf = (ast: SchemaAST.AST): ReadonlyArray<string> => {
  if (SchemaAST.isUnion(ast)) return ast.types.flatMap(literalsOf)
  return SchemaAST.isLiteral(ast) && typeof ast.literal === "string" ? [ast.literal] : []
}

interface Found {
  readonly at: Place
  readonly path: string
  readonly value: Located.Located | undefined
  readonly asts: ReadonlyArray<SchemaAST.AST>
}

/** Follows a path into a value, as far as the value goes: a key that is missing has its parent's place. */
const find = (root: Located.Located, ast: SchemaAST.AST, path: ReadonlyArray<PropertyKey>): Found => {
  let found: Found = { at: root.at, path: "", value: root, asts: [ast] }
  for (const step of path) {
    const { value } = found
    const asts = found.asts.flatMap((each) => Located.under(each, step))
    if (value?.kind === "list" && typeof step === "number") {
      const item = value.items[step]
      found = { at: item.at, path: `${found.path}[${itemName(item, step, found.asts)}]`, value: item, asts }
    } else {
      const key = String(step)
      const next = value?.kind === "map" ? value.entries.get(key) : undefined
      found = { at: next?.at ?? found.at, path: Located.child(found.path, key), value: next, asts }
    }
  }
  return found
}

const itemName = (item: Located.Located, index: number, asts: ReadonlyArray<SchemaAST.AST>): string => {
  const key = asts.map((ast) => keyOf(SchemaAST.resolve(ast))).find((each) => each !== undefined)
  const name = key !== undefined && item.kind === "map" ? item.entries.get(key) : undefined
  return name?.kind === "scalar" && typeof name.value === "string" ? name.value : String(index)
}

const given = (value: Located.Located | undefined): string => {
  if (value === undefined) return ""
  if (value.kind !== "scalar") return `, got a ${value.kind}`
  return value.value === null
    ? ", got nothing"
    : `, got ${typeof value.value === "string" ? "text" : `a ${typeof value.value}`}`
}

/** How messages name what a Schema expects. */
const words: Record<string, string> = {
  number: "a number",
  string: "text",
  boolean: "true or false",
  object: "a map",
  array: "a list",
  Duration: "a duration with a unit, like 90s, 5m or 2d",
  Size: "a size with a unit, like 500MB or 2GiB",
  ClockTime: 'a time of day in quotes, like "21:00"',
  Symbol: "a symbol like EURUSD",
  SecretReference: "a reference like ${env:NAME} or ${file:path}",
}

const problemOf = (
  root: Located.Located,
  ast: SchemaAST.AST,
  issue: { path: ReadonlyArray<PropertyKey>; message: string },
): Problem => {
  const { at, asts, path, value } = find(root, ast, issue.path)
  if (issue.message === "is not a known key") {
    const parent = find(root, ast, issue.path.slice(0, -1))
    const key = String(issue.path.at(-1))
    const there = parent.value?.kind === "map" ? parent.value : undefined
    const names = parent.asts.flatMap((each) => (SchemaAST.isObjects(each) ? each.indexSignatures : []))
    if (names.length > 0) {
      return {
        ...(there?.keys.get(key) ?? at),
        path,
        message: "is not a name that can stand here (letters, digits, '-', '_'; a symbol: capital letters and digits)",
      }
    }
    const suggestion = nearest(
      key,
      parent.asts.flatMap(keysOf).filter((known) => !there?.entries.has(known)),
    )
    return {
      ...(there?.keys.get(key) ?? at),
      path,
      message: issue.message,
      ...(suggestion === undefined ? {} : { suggestion }),
    }
  }
  const expected = /^Expected (.*)$/s.exec(issue.message)
  if (expected === null) return { ...at, path, message: issue.message }
  const discriminated = value?.kind === "map" && asts.some(SchemaAST.isUnion)
  if (discriminated) return unionProblem(at, path, value, asts)
  const literals = asts.flatMap(literalsOf)
  const suggestion =
    value?.kind === "scalar" && typeof value.value === "string" ? nearest(value.value, literals) : undefined
  const parts = expected[1].split(" | ")
  const wanted = literals.length > 1 ? literals : parts.map((part) => words[part] ?? part)
  const kinds = parts.every((part) => Object.hasOwn(words, part)) ? given(value) : ""
  return {
    ...at,
    path,
    message: `must be ${wanted.join(" or ")}${kinds}`,
    ...(suggestion === undefined ? {} : { suggestion }),
  }
}

/** A map that fits no member of a tagged union: the tag is missing, or is not one of the tags. */
const unionProblem = (
  at: Place,
  path: string,
  value: Located.Located & { kind: "map" },
  asts: ReadonlyArray<SchemaAST.AST>,
): Problem => {
  const members = asts.flatMap((ast) => (SchemaAST.isUnion(ast) ? ast.types : [ast])).filter(SchemaAST.isObjects)
  const signatures = members
    .flatMap((member) => member.propertySignatures)
    .filter((each) => SchemaAST.isLiteral(each.type))
  const tag = String(signatures[0]?.name ?? "")
  const tags = signatures.flatMap((each) => literalsOf(each.type))
  const written = value.entries.get(tag)
  const message = `must be one of ${tags.join(", ")}`
  if (written === undefined) return { ...at, path: Located.child(path, tag), message: `is missing; it ${message}` }
  const suggestion = written.kind === "scalar" ? nearest(String(written.value), tags) : undefined
  return { ...written.at, path: Located.child(path, tag), message, ...(suggestion === undefined ? {} : { suggestion }) }
}

/** Decodes a section strictly (unknown keys are problems); all that is wrong with it, in file order. */
export const check = <S extends Schema.ConstraintDecoder<unknown>>(
  schema: S,
  located: Located.Located,
): Result.Result<S["Type"], ReadonlyArray<Problem>> => {
  const decoded = Schema.decodeUnknownResult(schema)(Located.toJson(located), {
    errors: "all",
    onExcessProperty: "error",
  })
  if (Result.isSuccess(decoded)) return Result.succeed(decoded.success)
  const problems = flatten(decoded.failure.issue).issues.map((issue) =>
    problemOf(located, schema.ast, {
      path: (issue.path ?? []).map((step) => (typeof step === "object" ? step.key : step)),
      message: issue.message,
    }),
  )
  const unique = new Map(problems.map((problem) => [`${problem.path} ${problem.message}`, problem]))
  return Result.fail([...unique.values()])
}

/** The places of all values of a section, in the order they are written in. */
export const origins = (schema: Schema.Top, located: Located.Located): ReadonlyArray<Origin> => {
  const found: Array<Origin> = []
  const visit = (value: Located.Located, path: string, asts: ReadonlyArray<SchemaAST.AST>) => {
    if (
      value.kind === "scalar" ||
      (value.kind === "list" && value.items.length === 0) ||
      (value.kind === "map" && value.entries.size === 0)
    ) {
      found.push({ path, value: Located.toJson(value), at: value.at })
    } else if (value.kind === "list") {
      value.items.forEach((item, index) =>
        visit(
          item,
          `${path}[${itemName(item, index, asts)}]`,
          asts.flatMap((ast) => Located.under(ast, index)),
        ),
      )
    } else {
      for (const [key, each] of value.entries) {
        visit(
          each,
          Located.child(path, key),
          asts.flatMap((ast) => Located.under(ast, key)),
        )
      }
    }
  }
  visit(located, "", [schema.ast])
  return found
}
