import * as Effect from "effect/Effect"
import { compileYaml } from "../../src/compiler/compile.ts"
import type { Diagnostic } from "../../src/compiler/diagnostic.ts"
import * as Source from "../../src/compiler/source.ts"
import * as Catalog from "../../tasks/catalog.ts"

/** The task types that ship. */
export const shipped = Catalog.layer("/nowhere")

/** The plan of a YAML text. */
export const plan = (text: string) =>
  compileYaml(Source.make("p.yaml", text)).pipe(
    Effect.map((compiled) => compiled.plan),
    Effect.provide(shipped),
  )

/** The mistakes of a YAML text that does not compile. */
export const mistakes = (text: string) =>
  plan(text).pipe(
    Effect.flip,
    Effect.map((error): ReadonlyArray<Diagnostic> => (error._tag === "PipelineInvalid" ? error.diagnostics : [])),
  )

/** `line:column message` of the mistakes. */
export const told = (text: string) =>
  Effect.map(mistakes(text), (all) => all.map(({ line, column, message }) => `${line}:${column} ${message}`))

/** A pipeline with these lines after its id. */
export const pipeline = (...lines: ReadonlyArray<string>) => ["version: 1", "id: p", ...lines, ""].join("\n")

/** A command task on one line. */
export const command = (id: string, more = "") =>
  `  ${id}: { uses: command, with: { argv: [echo, ${id}] }${more === "" ? "" : `, ${more}`} }`
