import { assert, describe, it } from "@effect/vitest"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as JsonSchemas from "../../src/domain/json-schema.ts"
import { Catalog } from "../../src/domain/catalog.ts"
import * as Tasks from "../../tasks/index.ts"
import * as TaskCatalog from "../../tasks/catalog.ts"

const shipped = TaskCatalog.layer("/nowhere")

describe("the catalog", () => {
  it.effect("has what dandori/tasks exports, each under its name", () =>
    Effect.gen(function* () {
      const catalog = yield* Catalog
      const exported = Object.values(Tasks).map(({ type }) => type)
      assert.deepStrictEqual(exported.toSorted(), [...catalog.names])
      for (const name of catalog.names) assert.strictEqual((yield* catalog.load(name))?.type, name)
    }).pipe(Effect.provide(shipped)),
  )

  it.effect("has nothing under other names, those of JavaScript's objects among them", () =>
    Effect.gen(function* () {
      const catalog = yield* Catalog
      for (const name of ["", "sed", "constructor", "toString", "../seed"]) {
        assert.isUndefined(yield* catalog.load(name))
      }
    }).pipe(Effect.provide(shipped)),
  )

  it.effect("has only task types whose inputs are maps with a JSON Schema, and that say what they do", () =>
    Effect.gen(function* () {
      const catalog = yield* Catalog
      for (const name of catalog.names) {
        const type = yield* catalog.load(name)
        if (type === undefined) return assert.fail(name)
        assert.strictEqual(JsonSchemas.ofSchema(type.input).type, "object", name)
        assert.isNotEmpty(type.description, name)
      }
    }).pipe(Effect.provide(shipped)),
  )

  it.effect("in this checkout takes the task types that ship for its own, not for a project's", () =>
    Effect.gen(function* () {
      const catalog = yield* Catalog
      assert.strictEqual((yield* catalog.load("seed"))?.type, "seed")
    }).pipe(Effect.provide(TaskCatalog.layer(fileURLToPath(new URL("../..", import.meta.url))))),
  )
})
