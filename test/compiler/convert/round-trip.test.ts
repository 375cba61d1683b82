import * as Fs from "node:fs"
import { basename, join, resolve } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "fast-check"
import * as Yaml from "yaml"
import * as ConfiguredSchedules from "../../../src/services/configured-schedules.ts"
import * as RandomPipeline from "../random-pipeline.ts"
import { type Document, digest, evaluated, folder, typeErrors, typescript, write, yaml } from "./converted.ts"

const repository = resolve(import.meta.dirname, "../../..")
const read = (path: string): Document => Yaml.parse(Fs.readFileSync(join(repository, path), "utf8"))
const inYaml = [
  ...Fs.readdirSync(join(repository, "pipelines")).map((name) => `pipelines/${name}`),
  "test/compiler/fixtures/sample.yaml",
].filter((path) => path.endsWith(".yaml"))
const inTypeScript = ["pipelines/nightly-retrain.ts", "pipelines/sample-e2e.ts", "test/compiler/fixtures/sample.ts"]

const random = (count: number): ReadonlyArray<Document> =>
  FastCheck.sample(
    FastCheck.gen().map((gen) => RandomPipeline.document((max) => gen(FastCheck.nat, { max }))),
    count,
  )

/** TypeScript files of documents, in a folder that goes with the scope. */
const written = Effect.fnUntraced(function* (documents: ReadonlyArray<Document>) {
  const path = yield* folder
  const files = documents.map((_, i) => join(path, `p${i}.ts`))
  const moduleOf = (id: string) => {
    const at = documents.findIndex((document) => document["id"] === id)
    return at === -1 ? undefined : `./p${at}.ts`
  }
  for (const [i, document] of documents.entries()) yield* write(files[i], yield* typescript(document, moduleOf))
  return { path, files }
})

/** The documents after a way through TypeScript. */
const throughTypeScript = (documents: ReadonlyArray<Document>) =>
  Effect.flatMap(written(documents), ({ files }) => evaluated(files)).pipe(Effect.scoped)

const throughYaml = (documents: ReadonlyArray<Document>): ReadonlyArray<Document> =>
  documents.map((document) => Yaml.parse(yaml(document)))

const same = (before: ReadonlyArray<Document>, after: ReadonlyArray<Document>) =>
  Effect.gen(function* () {
    assert.strictEqual(after.length, before.length)
    for (const [i, document] of before.entries()) {
      assert.strictEqual(yield* digest(after[i], after), yield* digest(document, before), yaml(document))
    }
  })

const shipping = Effect.map(evaluated(inTypeScript.map((path) => join(repository, path))), (typed) => [
  ...inYaml.map(read),
  ...typed,
])

describe("convert", () => {
  it.live("keeps the digest of every pipeline that ships, from YAML and back, and from TypeScript and back", () =>
    Effect.gen(function* () {
      const before = yield* shipping
      const typed = yield* throughTypeScript(before)
      yield* same(before, typed)
      yield* same(before, throughYaml(typed))
      yield* same(before, yield* throughTypeScript(throughYaml(before)))
    }).pipe(Effect.provide(ConfiguredSchedules.layer(repository, "dev"))),
  )

  it.live("keeps the digest of a pipeline that files start", () =>
    Effect.gen(function* () {
      const of = (complete: unknown): Document => ({
        version: 1,
        id: "arrivals",
        params: { path: { type: "string" }, bytes: { type: "integer", default: 0 }, name: { type: "string" } },
        on: {
          files: {
            path: "incoming/**/*.csv",
            complete,
            params: { path: "${{ run.file.path }}", bytes: "${{ run.file.size * 2 }}", name: "x-${{ run.file.name }}" },
          },
        },
        tasks: { a: { uses: "command", with: { argv: ["echo", "${{ params.path }}"] } } },
      })
      for (const complete of ["10s", "rename", { marker: ".done" }]) {
        const before = [of(complete)]
        const typed = yield* throughTypeScript(before)
        yield* same(before, typed)
        yield* same(before, throughYaml(typed))
      }
    }),
  )

  it.live("keeps the digest of any pipeline of simple tasks", () =>
    Effect.gen(function* () {
      const before = random(60)
      const typed = yield* throughTypeScript(before)
      yield* same(before, typed)
      const again = throughYaml(typed)
      assert.deepStrictEqual(again, typed)
      yield* same(before, yield* throughTypeScript(again))
    }),
  )

  it.live("writes TypeScript that type-checks", () =>
    Effect.gen(function* () {
      const { files, path } = yield* written([...(yield* shipping), ...random(40)])
      const hello = yield* typescript(read("pipelines/hello.yaml"))
      yield* write(join(path, "wrong.ts"), hello.replace('channel: "ml-ops"', "channel: 1"))
      const errors = yield* typeErrors(path)
      const named = files.find((file) => errors.includes(`${basename(file)}(`))
      const text = named === undefined ? hello : Fs.readFileSync(named, "utf8")
      assert.match(errors, /^[^\n]*wrong\.ts\(\d+,\d+\): error TS\d+: [^\n]*\n([ ]+[^\n]*\n)*$/, text)
    }).pipe(Effect.scoped),
  )
})
