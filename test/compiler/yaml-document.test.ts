import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { toJson } from "../../src/compiler/located.ts"
import * as Source from "../../src/compiler/source.ts"
import * as YamlDocument from "../../src/compiler/yaml-document.ts"
import { command, pipeline, told } from "./compiled.ts"

const read = (text: string) => {
  const { document, diagnostics } = YamlDocument.read(Source.make("p.yaml", text))
  return {
    json: document === undefined ? undefined : toJson(document),
    told: diagnostics.map(({ line, column, message }) => `${line}:${column} ${message}`),
  }
}

const bomb = (levels: number) =>
  [
    "a0: &a0 [x, x, x, x, x, x, x, x, x]",
    ...Array.from(
      { length: levels },
      (_, i) => `a${i + 1}: &a${i + 1} [${Array.from({ length: 9 }, () => `*a${i}`).join(", ")}]`,
    ),
  ].join("\n")

describe("a YAML document", () => {
  it("is read by the core schema of YAML 1.2: yes and no are text, octal has a prefix", () => {
    const { json, told } = read("a: yes\nb: no\nc: 010\nd: 0o10\ne: true\nf: ~\ng: 1e3\nh: 2025-01\n")
    assert.deepStrictEqual(told, [])
    assert.deepStrictEqual(json, { a: "yes", b: "no", c: 10, d: 8, e: true, f: null, g: 1000, h: "2025-01" })
  })

  it("may repeat parts by aliases", () => {
    assert.deepStrictEqual(read("a: &x { k: [1] }\nb: *x\n").json, { a: { k: [1] }, b: { k: [1] } })
  })

  it("whose aliases unfold without end is refused at the alias, quickly", () => {
    const { json, told } = read(bomb(9))
    assert.strictEqual(json, undefined)
    assert.lengthOf(told, 1)
    assert.match(told[0], /^5:\d+ The aliases of this file unfold to more than 10000 values/)
  })

  it("that refers to itself is refused", () => {
    const { told } = read("a: &a [*a]\n")
    assert.isNotEmpty(told)
  })

  it("has no merge keys", () => {
    const { json, told } = read("a: &x { k: 1 }\nb:\n  <<: *x\n")
    assert.deepStrictEqual(json, { a: { k: 1 }, b: {} })
    assert.deepStrictEqual(told, ["3:3 There are no merge keys: YAML 1.2 took them out. Write the keys here."])
  })

  it("with a key twice is told at the second, by its text", () => {
    assert.deepStrictEqual(read("a: 1\nb:\n  1: x\n  '1': y\na: 2\n").told, [
      '4:3 The key "1" stands here twice. Keep one of them.',
      '5:1 The key "a" stands here twice. Keep one of them.',
    ])
  })

  it("with a tag of its own is told at the tag's value", () => {
    const { told } = read("a: !secret x\nb: !!binary aGk=\n")
    assert.deepStrictEqual(told, [
      "1:12 The tag !secret means nothing here. Leave it out.",
      "2:13 The tag tag:yaml.org,2002:binary means nothing here. Leave it out.",
    ])
  })

  it("with an integer beyond 2^53 is told, as it would lose digits", () => {
    const { told, json } = read("a: 9007199254740991\nb: 9007199254740993\nc: -9007199254740992\n")
    assert.deepStrictEqual(told, [
      "2:4 9007199254740993 is beyond 2^53 and would lose digits. Write it as a string.",
      "3:4 -9007199254740992 is beyond 2^53 and would lose digits. Write it as a string.",
    ])
    assert.strictEqual((json as { a: number }).a, Number.MAX_SAFE_INTEGER)
  })

  it("with an infinite number or a NaN is told", () => {
    assert.deepStrictEqual(read("a: .inf\nb: .nan\nc: 1e999\n").told, [
      "1:4 Infinity and NaN are no values of a pipeline.",
      "2:4 Infinity and NaN are no values of a pipeline.",
      "3:4 Infinity and NaN are no values of a pipeline.",
    ])
  })

  it("with a list or a map as a key is told", () => {
    assert.deepStrictEqual(read("? [a, b]\n: 1\n").told, ["1:3 A key must be plain text."])
  })

  it("that is broken is told where it breaks", () => {
    const { told } = read("a: [1, 2\nb: 3\n")
    assert.isNotEmpty(told)
    assert.match(told[0], /^\d+:\d+ This is not valid YAML: /)
  })

  it("that is empty, too large or too deep is told", () => {
    assert.match(read("# nothing\n").told[0], /^1:1 The file is empty/)
    assert.match(read(`a: ${"x".repeat(YamlDocument.maxLength)}\n`).told[0], /larger than 2 MiB/)
    assert.match(read(`a: ${"[".repeat(150)}${"]".repeat(150)}\n`).told[0], /nested deeper than 100 levels/)
  })

  it("with two documents is refused", () => {
    assert.isNotEmpty(read("a: 1\n---\nb: 2\n").told)
  })

  it.effect("tells its own mistakes together with those of the pipeline", () =>
    Effect.gen(function* () {
      const all = yield* told(pipeline("id: q", "tasks:", command("a", "cach: true"), command("a")))
      assert.deepStrictEqual(
        all.map((text) => text.slice(0, 24)),
        ['3:1 The key "id" stands ', '5:50 Task a has no key "', '6:3 The key "a" stands h'],
      )
    }),
  )
})
