import { randomUUID } from "node:crypto"
import * as Fs from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { compileDocument } from "../../../src/compiler/compile.ts"
import { toTypeScript } from "../../../src/compiler/convert/to-typescript.ts"
import { toYaml } from "../../../src/compiler/convert/to-yaml.ts"
import * as Located from "../../../src/compiler/located.ts"
import * as Source from "../../../src/compiler/source.ts"
import { type SubPipeline, SubPipelines } from "../../../src/compiler/sub-pipeline.ts"
import * as Plan from "../../../src/domain/plan.ts"
import { shipped } from "../compiled.ts"

export type Document = Readonly<Record<string, unknown>>

const repository = resolve(import.meta.dirname, "../../..")

const compiled = (document: unknown) => compileDocument(Source.make("p.yaml", ""), Located.fromJson(document))

/** The digest of a document's plan, with other documents beside it, which it may use. */
export const digest = (document: unknown, beside: ReadonlyArray<Document> = []) =>
  compiled(document).pipe(
    Effect.map(({ plan }) => Plan.digest(plan)),
    Effect.provideService(SubPipelines, {
      load: (id) =>
        compiled(beside.find((other) => other["id"] === id)).pipe(
          Effect.map(({ outputs, plan, requires }): SubPipeline => ({ _tag: "Compiled", plan, outputs, requires })),
          Effect.catchTag("PipelineInvalid", ({ diagnostics, message }) =>
            Effect.succeed<SubPipeline>({ _tag: "Unusable", reason: message, diagnostics }),
          ),
        ),
    }),
    Effect.provide(shipped),
  )

/** A document in TypeScript; `moduleOf` says where the pipeline of an id is, which another one may use. */
export const typescript = (document: unknown, moduleOf: (id: string) => string | undefined = () => undefined) =>
  toTypeScript(document as Document, (type) =>
    type.startsWith("pipeline/") ? moduleOf(type.slice("pipeline/".length)) : undefined,
  ).pipe(Effect.provide(shipped))

export const yaml = (document: unknown): string => Result.getOrThrow(toYaml("p.ts", document))

/** A folder in this checkout, where TypeScript finds `dandori`, that goes with the scope. */
export const folder = Effect.acquireRelease(
  Effect.promise(async () => {
    const path = join(repository, ".cache", `convert test ${randomUUID()}`)
    await Fs.mkdir(path, { recursive: true })
    const config = { extends: "../../tsconfig.json", compilerOptions: { incremental: false }, include: ["**/*.ts"] }
    await Fs.writeFile(join(path, "tsconfig.json"), JSON.stringify(config))
    return path
  }),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true, force: true })),
)

export const write = (path: string, text: string) =>
  Effect.promise(async () => {
    await Fs.mkdir(dirname(path), { recursive: true })
    await Fs.writeFile(path, text)
  })

const output = (argv: ReadonlyArray<string>, cwd: string) =>
  Effect.promise(async () => {
    const child = Bun.spawn([join(repository, "node_modules/.bin/bun"), ...argv], {
      cwd,
      stdout: "pipe",
      stderr: "pipe",
    })
    const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    return out === "" && (await child.exited) !== 0 ? err : out
  })

/** The documents that TypeScript pipelines make, evaluated in one process. */
export const evaluated = (files: ReadonlyArray<string>) =>
  Effect.map(
    output([join(repository, "test/compiler/fixtures/print-documents.ts"), ...files], repository),
    (text): ReadonlyArray<Document> => JSON.parse(text),
  )

/** What the type checker says of the files of a folder. */
export const typeErrors = (path: string) => output(["x", "--no-install", "tsc", "--noEmit", "-p", path], repository)

/** A text as the formatter gives it back. */
export const formatted = (text: string) =>
  Effect.promise(async () => {
    const argv = [join(repository, "node_modules/.bin/oxfmt"), "--stdin-filepath", "pipelines/p.ts"]
    const child = Bun.spawn(argv, { cwd: repository, stdin: new Blob([text]), stdout: "pipe", stderr: "inherit" })
    return await new Response(child.stdout).text()
  })
