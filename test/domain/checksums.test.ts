import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Schema from "effect/Schema"
import * as Checksums from "../../src/domain/checksums.ts"
import * as Model from "../../src/domain/model.ts"
import * as Sha256 from "../../src/domain/sha256.ts"

const file = (path: string, text: string) => ({ path, sha256: Sha256.of(text), bytes: text.length })
const files = [
  file("model_ai1.json", "one"),
  file("model_ai2.json", "two"),
  file("theta.yaml", "three"),
  file("receipts/backtest.json", "four"),
]
const list = Checksums.make("20250101_0000_abcd", files, { slot: "EURUSD-GBPUSD/1h" })
const replaced = (path: string, text: string) => files.map((found) => (found.path === path ? file(path, text) : found))

describe("Checksums.make", () => {
  it("keeps the runbook's shape, lists receipts, and takes the model's digest without them", () => {
    assert.deepStrictEqual(list.artifacts, ["model_ai1.json", "model_ai2.json", "theta.yaml"])
    assert.deepStrictEqual(Object.keys(list.checksums).length, 4)
    assert.strictEqual(list.sizes["theta.yaml"], 5)
    const model = files.slice(0, 3).map(({ path, sha256 }) => ({ name: path, sha256 }))
    assert.strictEqual(list.root_digest, Model.digest(model))
    assert.deepStrictEqual(Schema.decodeUnknownSync(Checksums.Checksums)(JSON.parse(JSON.stringify(list))), list)
  })
})

describe("Checksums.verify", () => {
  it("accepts exactly the listed files, the list and the signature beside them", () => {
    assert.deepStrictEqual(Checksums.verify(list, files), [])
    const beside = [...files, file("checksums.json", "x"), file("model.sig", "y")]
    assert.deepStrictEqual(Checksums.verify(list, beside), [])
  })

  it("names an extra file", () => {
    assert.deepStrictEqual(Checksums.verify(list, [...files, file("evil.pkl", "x")]), [
      { kind: "extra", path: "evil.pkl" },
    ])
  })

  it("names a missing file", () => {
    assert.deepStrictEqual(Checksums.verify(list, files.slice(1)), [{ kind: "missing", path: "model_ai1.json" }])
  })

  it("names an altered file", () => {
    const altered = replaced("theta.yaml", "threE")
    assert.deepStrictEqual(Checksums.verify(list, altered), [{ kind: "altered", path: "theta.yaml" }])
  })

  it("names both files of a swap", () => {
    const swapped = [file("model_ai1.json", "two"), file("model_ai2.json", "one"), ...files.slice(2)]
    assert.deepStrictEqual(Checksums.verify(list, swapped), [
      { kind: "swapped", path: "model_ai1.json", with: "model_ai2.json" },
      { kind: "swapped", path: "model_ai2.json", with: "model_ai1.json" },
    ])
  })

  it("calls a copy of a listed file over another one altered, not swapped", () => {
    const copied = replaced("model_ai1.json", "two")
    assert.deepStrictEqual(Checksums.verify(list, copied), [{ kind: "altered", path: "model_ai1.json" }])
  })

  it("never accepts an empty list", () => {
    const empty = Checksums.make("v", [], {})
    assert.deepStrictEqual(Checksums.verify(empty, []), [{ kind: "invalid", reason: "it lists no file" }])
    assert.notDeepEqual(Checksums.verify(Checksums.make("v", files.slice(3), {}), files.slice(3)), [])
  })

  it("finds a list whose parts do not agree", () => {
    const kinds = (listed: Checksums.Checksums) => Checksums.verify(listed, files).map(Checksums.describe)
    assert.match(kinds({ ...list, artifacts: ["theta.yaml"] })[0], /artifacts and checksums/)
    assert.match(kinds({ ...list, root_digest: Sha256.of("other") })[0], /root_digest/)
    assert.match(kinds({ ...list, sizes: { ...list.sizes, "theta.yaml": 4 } })[0], /size of theta\.yaml/)
    assert.match(kinds({ ...list, sizes: {} })[0], /checksums and sizes/)
  })

  it("finds any one change of any file", () => {
    fc.assert(
      fc.property(fc.nat(3), fc.constantFrom("change", "remove", "rename"), (index, change) => {
        const { path } = files[index]
        const found = files.flatMap((known, at) => {
          if (at !== index) return [known]
          if (change === "remove") return []
          return change === "rename" ? [{ ...known, path: `${path}.bak` }] : [file(path, "other")]
        })
        assert.isTrue(
          Checksums.verify(list, found).some((difference) => "path" in difference && difference.path === path),
        )
      }),
    )
  })
})
