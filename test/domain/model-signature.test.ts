import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Signature from "../../src/domain/model-signature.ts"
import * as Sha256 from "../../src/domain/sha256.ts"

const Files = Schema.Record(Schema.String.check(Schema.isPattern(/^[a-c](\/[a-c.]{1,2}|\.[a-c])?$/)), Schema.String)
const found = (files: Readonly<Record<string, string>>) =>
  Object.entries(files).map(([path, text]) => ({ path, sha256: Sha256.of(text), bytes: text.length }))
const opened = (payload: Signature.Payload) =>
  Option.getOrThrow(Signature.open(Signature.encode(payload, Sha256.of("key"), new Uint8Array([1, 2, 255]))))

describe("the payload of a model's signature", () => {
  it.prop("is the same whatever the order of the files, and verifies exactly those", [Files], ([files]) => {
    const payload = Signature.payloadOf("v1", found(files))
    assert.deepStrictEqual(Signature.payloadOf("v1", found(files).toReversed()), payload)
    const signature = opened(payload)
    assert.deepStrictEqual(signature.payload, payload.payload)
    assert.deepStrictEqual([...signature.signature], [1, 2, 255])
    assert.deepStrictEqual(Signature.verify(signature, "v1", found(files)), [])
    assert.deepStrictEqual(Signature.verify(signature, "v1", [...found(files), ...found({ zz: "more" })]), [
      { kind: "extra", path: "zz" },
    ])
    for (const path of Object.keys(files)) {
      const { [path]: text, ...rest } = files
      assert.deepStrictEqual(Signature.verify(signature, "v1", found(rest)), [{ kind: "missing", path }])
      const changed = Signature.verify(signature, "v1", found({ ...rest, [path]: `${text}!` }))
      assert.deepStrictEqual(
        changed.flatMap((difference) => ("path" in difference ? difference.path : [])),
        [path],
      )
    }
  })

  it("lists the files by the parts of their paths, as the format's own program does, and leaves itself out", () => {
    const payload = Signature.payloadOf("v1", found({ "a.x": "1", "a/x": "2", "a/b/c": "3", "model.sig": "4", B: "5" }))
    const { predicate, subject } = opened(payload).statement
    assert.deepStrictEqual(
      predicate.resources.map(({ name }) => name),
      ["B", "a/b/c", "a/x", "a.x"],
    )
    const digests = ["5", "3", "2", "1"].map((text) => Buffer.from(Sha256.of(text), "hex"))
    assert.strictEqual(subject[0].digest.sha256, Sha256.of(Buffer.concat(digests)))
  })

  it("is refused where its digest is not that of its list, where it lists a file twice, or itself", () => {
    const { statement } = opened(Signature.payloadOf("v1", found({ a: "1" })))
    const [resource] = statement.predicate.resources
    const listing = (...resources: typeof statement.predicate.resources) => ({
      statement: { ...statement, predicate: { ...statement.predicate, resources } },
    })
    const reasons = (...resources: typeof statement.predicate.resources) =>
      Signature.verify(listing(...resources), "v1", found({ a: "1" })).flatMap((one) =>
        "reason" in one ? one.reason : [],
      )
    assert.deepStrictEqual(reasons(resource), [])
    assert.include(reasons(resource, resource), "model.sig lists a file twice")
    assert.include(reasons(resource, { ...resource, name: "model.sig" }), "model.sig lists itself")
    assert.deepStrictEqual(reasons({ ...resource, digest: Sha256.of("2") }), [
      "the digest that model.sig names is not the digest of what it lists",
    ])
  })
})
