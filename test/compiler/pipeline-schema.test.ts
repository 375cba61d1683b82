import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Effect from "effect/Effect"
import { nameOf } from "../../src/compiler/input-schemas.ts"
import { generate } from "../../src/compiler/pipeline-schema.ts"
import { Catalog } from "../../src/domain/catalog.ts"
import type { JsonSchema } from "../../src/domain/json-schema.ts"
import { shipped } from "./compiled.ts"

const generated = Effect.map(generate, (text) => JSON.parse(text) as JsonSchema).pipe(Effect.provide(shipped))

const definitions = (schema: JsonSchema) => schema.$defs as Record<string, JsonSchema>

const references = (node: unknown): ReadonlyArray<string> => {
  if (Array.isArray(node)) return node.flatMap(references)
  if (typeof node !== "object" || node === null) return []
  return Object.entries(node).flatMap(([key, item]) => (key === "$ref" ? [String(item)] : references(item)))
}

describe("the JSON Schema of pipelines", () => {
  it.effect("that is kept in schema/ is what is generated now; `dandori schema` writes it", () =>
    Effect.gen(function* () {
      const kept = Fs.readFileSync(new URL("../../schema/pipeline.schema.json", import.meta.url), "utf8")
      assert.deepStrictEqual(JSON.parse(kept), yield* generated)
    }),
  )

  it.effect("offers every task type, each with its input", () =>
    Effect.gen(function* () {
      const schema = yield* generated
      const { names } = yield* Effect.provide(Catalog, shipped)
      const task = definitions(schema).task
      assert.deepStrictEqual(
        task.properties?.uses.anyOf?.flatMap((one) => one.const ?? []),
        [...names],
      )
      const [pattern] = task.properties?.uses.anyOf?.flatMap((one) => one.pattern ?? []) ?? []
      assert.match("pipeline/sample-e2e", new RegExp(String(pattern)))
      for (const name of names) assert.property(definitions(schema), `with.${nameOf(name)}`)
    }),
  )

  it.effect("defines everything that it refers to", () =>
    Effect.gen(function* () {
      const schema = yield* generated
      for (const reference of references(schema)) {
        assert.property(definitions(schema), reference.replace("#/$defs/", ""))
      }
    }),
  )

  it.effect("takes an expression for every input, and nothing else where a gate's output is wanted", () =>
    Effect.gen(function* () {
      const schema = yield* generated
      const seed = definitions(schema)["with.seed"].properties ?? {}
      assert.deepStrictEqual(seed.symbols.anyOf?.[1], { $ref: "#/$defs/expression" })
      const model = definitions(schema)["with.publish"].properties?.model
      assert.strictEqual(model?.$ref, "#/$defs/expression")
    }),
  )

  it.effect("explains every key of the language and every input of a task type, for who points at it", () =>
    Effect.gen(function* () {
      const schema = yield* generated
      const { names } = yield* Effect.provide(Catalog, shipped)
      const resolved = (node: JsonSchema): JsonSchema =>
        node.$ref === undefined ? node : (definitions(schema)[String(node.$ref).replace("#/$defs/", "")] ?? {})
      const silent = (node: JsonSchema, path: string): ReadonlyArray<string> =>
        Object.entries(node.properties ?? {}).flatMap(([key, field]) => [
          ...((field.description ?? resolved(field).description) === undefined ? [`${path}.${key}`] : []),
          ...(path.startsWith("with.") ? [] : silent(field, `${path}.${key}`)),
        ])
      const parts = ["task", "param", "retry", "resources", ...names.map((name) => `with.${name}`)]
      const found = [
        ...silent(schema, "pipeline"),
        ...parts.flatMap((part) => silent(definitions(schema)[part] ?? {}, part)),
      ]
      assert.deepStrictEqual(found, [])
    }),
  )

  it.effect("offers the errors of a task type, and those of the engine, to be tried again", () =>
    Effect.gen(function* () {
      const rules = definitions(yield* generated).task.allOf ?? []
      const rule = rules.find((one) => (one.if as JsonSchema).properties?.uses?.const === "train")
      const items = (rule?.then as JsonSchema | undefined)?.properties?.retry?.properties?.on?.items
      const offered = items?.anyOf?.map((one) => one.const)
      assert.includeMembers([...(offered ?? [])], ["TrainerUnavailable", "TimedOut"])
    }),
  )

  it.effect("refuses keys that the language does not have", () =>
    Effect.gen(function* () {
      const schema = yield* generated
      const open = (node: unknown, path: string): ReadonlyArray<string> => {
        if (typeof node !== "object" || node === null) return []
        const { additionalProperties, properties } = node as JsonSchema
        return [
          ...(properties !== undefined && additionalProperties === undefined && !/then|if$/.test(path) ? [path] : []),
          ...Object.entries(node).flatMap(([key, item]) => open(item, `${path}/${key}`)),
        ]
      }
      assert.deepStrictEqual(open(schema, ""), [])
    }),
  )

  it.effect("holds no keyword that is ours alone", () =>
    Effect.gen(function* () {
      assert.notInclude(JSON.stringify(yield* generated), '"x-name"')
    }),
  )
})
