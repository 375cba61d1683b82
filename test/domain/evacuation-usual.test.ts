import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { parse } from "yaml"
import { EvacuationSection } from "../../src/domain/config/evacuation.ts"
import { usual } from "../../src/domain/config/evacuation-usual.ts"

describe("the evacuation of a project that says nothing of it", () => {
  it("is the one that ships", () => {
    const text = readFileSync(new URL("../../configs/base/evacuation.yaml", import.meta.url), "utf8")
    assert.deepStrictEqual(usual, Schema.decodeUnknownSync(EvacuationSection)(parse(text)))
  })
})
