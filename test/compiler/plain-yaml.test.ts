import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import { join, resolve } from "node:path"
import * as FastCheck from "fast-check"
import * as PlainYaml from "../../src/compiler/plain-yaml.ts"
import * as Source from "../../src/compiler/source.ts"
import * as YamlDocument from "../../src/compiler/yaml-document.ts"
import * as RandomPipeline from "./random-pipeline.ts"
import * as RandomYaml from "./random-yaml.ts"

const repository = resolve(import.meta.dirname, "../..")
const files = ["pipelines", "configs", "samples", "test/compiler/fixtures"].flatMap((folder) =>
  Fs.readdirSync(join(repository, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => Fs.readFileSync(join(repository, folder, name), "utf8")),
)

/** Reads a text both ways; whether it was plain enough. */
const alike = (text: string): boolean => {
  const document = PlainYaml.read(text)
  if (document === undefined) return false
  assert.deepStrictEqual(
    { document, diagnostics: [] },
    YamlDocument.readAny(Source.make("p.yaml", text)),
    JSON.stringify(text),
  )
  return true
}

const beginnings = [
  "",
  "a: ",
  "a:\n  b: ",
  "a:\n- ",
  "a: [",
  "a: { b: ",
  "a:\n  - b: 1\n    c: ",
  "a:\n  b:\n    c: 1",
  "# c\na: ",
]
const pieces = [
  ["a", "b:", "c: ", "x y", "x: y", "a:b", "http://x/y", "${{ a.b }}", "'x'", "'", '"y"', '"\\n"', '"\\x"', '"'],
  ["\n", "\n  ", "\n    ", "\n ", "\n\n", "\n# c\n", "\n  # c\n", "\n- ", "\n  - ", "\n   b: ", "\n  c: d", " ", "  "],
  ["- ", "-", "--", "-x", "-.", "- - ", "- a: ", "[", "]", "{", "}", ", ", ",", ": ", ":", " #c", "#", "?", "? "],
  ["1", "-1", "+2", "007", "-0", "0x1", "0o7", "1.5", ".5", "5.", "-0.0", "1e3", "1e999", ".inf", "-.inf", ".nan"],
  ["9007199254740993", "2025-01", "1h", "null", "~", "true", "True", "Null", "NO", "<<: ", "=", "(a)", "k/s-x: "],
  ["|", "> ", "|\n    x", "&a ", "*a", "!t ", "%", "@", "`", "---", "\n---\n", "...", "\t", "\r\n"],
  ["é", "日本", "\u00a0", "\u0085", "\u2028", "\ufeff", "\ud800", "\u{1f600}", "\u0007"],
].flat()
const piece = FastCheck.constantFrom(...pieces)

/** A text with some of its letters and lines changed. */
const changed = (text: string, changes: ReadonlyArray<readonly [number, number, string]>): string =>
  changes.reduce((before, [how, place, what]) => {
    const at = place % (before.length + 1)
    if (how === 0) return before.slice(0, at) + before.slice(at + 1)
    if (how === 1) return before.slice(0, at) + what + before.slice(at)
    if (how === 2) return before.slice(0, at) + what + before.slice(at + 1)
    const lines = before.split("\n")
    const line = lines[place % lines.length]
    return lines.toSpliced((place * 7) % lines.length, how === 3 ? 0 : 1, how === 5 ? `  ${line}` : line).join("\n")
  }, text)
const changes = FastCheck.array(FastCheck.tuple(FastCheck.nat(5), FastCheck.nat(100_000), piece), { maxLength: 3 })

/** The share of the texts that were plain enough. */
const shareOf = <A>(numRuns: number, texts: FastCheck.Arbitrary<A>, write: (drawn: A) => string): number => {
  let plain = 0
  FastCheck.assert(
    FastCheck.property(texts, (drawn) => {
      if (alike(write(drawn))) plain++
    }),
    { numRuns, seed: 20260101, endOnFailure: true },
  )
  return plain / numRuns
}

describe("a plain YAML text", () => {
  it("is what the project's own files are, and the library reads them alike", () => {
    assert.isAbove(files.length, 30)
    for (const text of files) assert.isTrue(alike(text), text)
  })

  it("is read as the library reads it, with the same places, whatever it is made of", () => {
    const drawn = FastCheck.tuple(FastCheck.constantFrom(...beginnings), FastCheck.array(piece, { maxLength: 10 }))
    assert.isAbove(
      shareOf(30_000, drawn, ([beginning, more]) => beginning + more.join("")),
      0.05,
    )
  })

  it("is read as the library reads it after any changes to the project's files", () => {
    const short = files.filter(({ length }) => length < 2_500)
    assert.isAbove(
      shareOf(5_000, FastCheck.tuple(FastCheck.constantFrom(...short), changes), ([text, how]) => changed(text, how)),
      0.25,
    )
  })

  it("is read as the library reads it in all the ways to write a pipeline, and after changes to those", () => {
    const drawn = FastCheck.tuple(FastCheck.array(FastCheck.nat(1_000), { minLength: 400, maxLength: 400 }), changes)
    const write = ([numbers, how]: readonly [ReadonlyArray<number>, Parameters<typeof changed>[1]]): string => {
      let next = 0
      const draw: RandomPipeline.Draw = (max) => numbers[next++ % numbers.length] % (max + 1)
      return changed(RandomYaml.write(draw, RandomPipeline.document(draw)).text, how)
    }
    shareOf(1_500, drawn, write)
  })

  it("holds no key twice, nothing of other lines, and no more depth than a pipeline has", () => {
    const deep = `a: ${"[".repeat(60)}${"]".repeat(60)}\n`
    for (const text of [
      "a: 1\na: 2\n",
      "a: { b: 1, b: 2 }\n",
      "a: x\n  y\n",
      "a: [1,\n  2]\n",
      "a:\nb: 1\n",
      "",
      deep,
    ]) {
      assert.isUndefined(PlainYaml.read(text), text)
    }
  })
})
