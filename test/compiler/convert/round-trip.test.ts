import * as Fs from "node:fs"
import { join, resolve } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "fast-check"
import * as Yaml from "yaml"
import * as RandomPipeline from "../random-pipeline.ts"
import { type Document, digest, evaluated, folder, typeErrors, typescript, write, yaml } from "./converted.ts"

const repository = resolve(import.meta.dirname, "../../..")
const read = (path: string): Document => Yaml.parse(Fs.readFileSync(join(repository, path), "utf8"))
const inYaml = [
  ...Fs.readdirSync(join(repository, "pipelines")).map((name) => `pipelines/${name}`),
  "test/compiler/fixtures/sample.yaml",
].filter((path) => path.endsWith(".yaml"))
const inTypeScript = ["pipelines/sample-e2e.ts", "test/compiler/fixtures/sample.ts"]

const random = (count: number): ReadonlyArray<Document> =>
  FastCheck.sample(
    FastCheck.gen().map((gen) => RandomPipeline.document((max) => gen(FastCheck.nat, { max }))),
    count,
  )

/** The documents after a way through TypeScript, whose types are checked too. */
const throughTypeScript = (documents: ReadonlyArray<Document>) =>
  Effect.gen(function* () {
    const path = yield* folder
    const files = documents.map((_, i) => join(path, `p${i}.ts`))
    for (const [i, document] of documents.entries()) yield* write(files[i], yield* typescript(document))
    const errors = yield* typeErrors(path)
    const named = files.findIndex((_, i) => errors.includes(`p${i}.ts(`))
    const text = named === -1 ? "" : Fs.readFileSync(files[named], "utf8")
    assert.strictEqual(errors, "", text)
    return yield* evaluated(files)
  }).pipe(Effect.scoped)

const same = (before: ReadonlyArray<Document>, after: ReadonlyArray<Document>) =>
  Effect.gen(function* () {
    assert.strictEqual(after.length, before.length)
    for (const [i, document] of before.entries()) {
      assert.strictEqual(yield* digest(after[i]), yield* digest(document), yaml(document))
    }
  })

describe("convert keeps the digest and type-checks", () => {
  it.live("of every pipeline that ships, from YAML and back, and from TypeScript and back", () =>
    Effect.gen(function* () {
      const written = inYaml.map(read)
      const evaluations = yield* evaluated(inTypeScript.map((path) => join(repository, path)))
      const before = [...written, ...evaluations]
      const typed = yield* throughTypeScript(before)
      yield* same(before, typed)
      yield* same(
        before,
        typed.map((document) => Yaml.parse(yaml(document))),
      )
      yield* same(
        before,
        before.map((document) => Yaml.parse(yaml(document))),
      )
    }),
  )

  it.live("of any pipeline of simple tasks", () =>
    Effect.gen(function* () {
      const before = random(60)
      const typed = yield* throughTypeScript(before)
      yield* same(before, typed)
      const again = typed.map((document): Document => Yaml.parse(yaml(document)))
      assert.deepStrictEqual(again, typed)
      yield* same(before, yield* throughTypeScript(again))
    }),
  )
})
