import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { BundleManifest } from "../../domain/bundle.ts"
import { Collected, NotTaken, SourceFile } from "../../domain/collected.ts"
import { Pushed } from "../../domain/pushed.ts"
import * as Durable from "../durable-files.ts"
import type { IncidentFolder } from "./incidents.ts"

/** What of a bundle's manifest a record tells. */
const ManifestFacts = Schema.Struct({
  bundle: BundleManifest.fields.bundle,
  coverage: BundleManifest.fields.coverage,
  root: BundleManifest.fields.root,
})
export type ManifestFacts = typeof ManifestFacts.Type

/** What of `stopped.json` a record tells. Times are milliseconds since the epoch. */
export const StoppedFacts = Schema.Struct({
  done: Schema.Boolean,
  stops: Schema.Array(
    Schema.Struct({
      target: Schema.String,
      began: Schema.Int,
      processes: Schema.Array(Schema.Struct({ pid: Schema.Int, program: Schema.String, why: Schema.String })),
      containers: Schema.Array(Schema.Struct({ id: Schema.String, name: Schema.String })),
      signals: Schema.Array(Schema.Struct({ signal: Schema.String, at: Schema.Int, pids: Schema.Array(Schema.Int) })),
      ended: Schema.optionalKey(Schema.Int),
    }),
  ),
  remaining: Schema.Array(
    Schema.Struct({
      target: Schema.String,
      pid: Schema.optionalKey(Schema.Int),
      container: Schema.optionalKey(Schema.String),
      reason: Schema.String,
    }),
  ),
})
export type StoppedFacts = typeof StoppedFacts.Type

/** What of `recovered.json` a record tells. */
export const RecoveredFacts = Schema.Struct({
  starts: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      began: Schema.Int,
      pid: Schema.optionalKey(Schema.Int),
      ready: Schema.optionalKey(Schema.Int),
      failed: Schema.optionalKey(Schema.String),
    }),
  ),
})
export type RecoveredFacts = typeof RecoveredFacts.Type

/** How reading one of an incident's files went. */
export interface Input {
  readonly name: string
  readonly state: "read" | "missing" | "damaged"
  readonly detail?: string
}

/** An incident's folder as far as it can be read; what is missing or damaged in it is said in `inputs`. */
export interface IncidentRecord {
  readonly folder: IncidentFolder
  readonly inputs: ReadonlyArray<Input>
  readonly collected: ReadonlyArray<Collected>
  /** Files that were to be taken, each once. */
  readonly inventory: ReadonlyArray<Pick<SourceFile, "bytes" | "collector" | "path" | "source" | "to">>
  readonly pushed: ReadonlyArray<Pushed>
  /** Seen and not taken, each source once, with the last reason; what went away after all is not there. */
  readonly notTaken: ReadonlyArray<NotTaken>
  readonly stopped: StoppedFacts | undefined
  readonly recovered: RecoveredFacts | undefined
  readonly manifests: ReadonlyArray<ManifestFacts>
}

const readText = (path: string) =>
  Durable.attempt("read", path, () => Fs.readFile(path, "utf8")).pipe(
    Effect.map((text): { readonly text: string } | { readonly input: Pick<Input, "detail" | "state"> } => ({ text })),
    Effect.catch((error) =>
      Effect.succeed({
        input:
          error.code === "ENOENT"
            ? { state: "missing" as const }
            : { state: "damaged" as const, detail: `it cannot be read (${error.code})` },
      }),
    ),
  )

const readList = Effect.fnUntraced(function* <A>(folder: string, name: string, schema: Schema.Codec<A, any>) {
  const found = yield* readText(join(folder, name))
  const none: ReadonlyArray<A> = []
  if ("input" in found) return { input: { name, ...found.input } satisfies Input, lines: none }
  const decode = Schema.decodeUnknownOption(Schema.fromJsonString(schema))
  const texts = found.text.split("\n").filter((line) => line.trim() !== "")
  const lines = texts.flatMap((line) => Option.toArray(decode(line)))
  const lost = texts.length - lines.length
  const input: Input =
    lost === 0
      ? { name, state: "read" }
      : { name, state: "damaged", detail: `${lost} of ${texts.length} lines cannot be read` }
  return { input, lines }
})

const readDocument = Effect.fnUntraced(function* <A>(folder: string, name: string, schema: Schema.Codec<A, any>) {
  const found = yield* readText(join(folder, name))
  if ("input" in found) return { input: { name, ...found.input } satisfies Input, value: undefined }
  const value = Schema.decodeUnknownOption(Schema.fromJsonString(schema))(found.text)
  const input: Input = Option.isSome(value)
    ? { name, state: "read" }
    : { name, state: "damaged", detail: "it is not what is written there" }
  return { input, value: Option.getOrUndefined(value) }
})

/** The manifests below `bundles/`, wherever the bundles lie there. */
const readManifests = Effect.fnUntraced(function* (folder: string) {
  const names = yield* Durable.attempt("list", folder, () =>
    Fs.readdir(join(folder, "bundles"), { recursive: true }),
  ).pipe(Effect.orElseSucceed((): ReadonlyArray<string> => []))
  const files = names.filter((name) => /(^|\/)manifest[^/]*\.json$/.test(name)).toSorted()
  if (files.length === 0) {
    const none: ReadonlyArray<ManifestFacts> = []
    return { inputs: [{ name: "bundles/*/manifest.json", state: "missing" as const }], manifests: none }
  }
  const found = yield* Effect.forEach(files, (name) => readDocument(folder, join("bundles", name), ManifestFacts))
  const manifests = found.flatMap(({ value }) => (value === undefined ? [] : [value]))
  const inputs = found.map(({ input }): Input => input)
  return { inputs, manifests }
})

const InventoryLine = Schema.Struct({
  collector: SourceFile.fields.collector,
  to: SourceFile.fields.to,
  source: SourceFile.fields.source,
  path: SourceFile.fields.path,
  bytes: SourceFile.fields.bytes,
})

const keyOf = ({ collector, source }: { readonly collector: string; readonly source: string }) =>
  `${collector}\0${source}`

/** Reads an incident's folder, and never fails: what cannot be read is said. */
export const read = Effect.fn("IncidentRecord.read")(function* (folder: IncidentFolder) {
  const { path } = folder
  const [collected, inventory, pushed, notTaken, stopped, recovered, manifests] = yield* Effect.all([
    readList(path, "collected.ndjson", Collected),
    readList(path, "inventory.ndjson", InventoryLine),
    readList(path, "pushed.ndjson", Pushed),
    readList(path, "not-taken.ndjson", NotTaken),
    readDocument(path, "stopped.json", StoppedFacts),
    readDocument(path, "recovered.json", RecoveredFacts),
    readManifests(path),
  ])
  const files = new Map(inventory.lines.map((line) => [`${line.to}/${line.path}`, line]))
  const gone = new Set(
    pushed.lines.flatMap((line) => {
      const file = files.get(`${line.to}/${line.path}`)
      return file === undefined ? [] : [keyOf(file)]
    }),
  )
  const left = new Map(notTaken.lines.map((line) => [keyOf(line), line]))
  return {
    folder,
    inputs: [
      ...[collected, inventory, pushed, notTaken, stopped, recovered].map(({ input }) => input),
      ...manifests.inputs,
    ],
    // A collector that was run again counts as it ended last.
    collected: [...new Map(collected.lines.map((line) => [line.collector, line])).values()],
    inventory: [...files.values()],
    pushed: pushed.lines,
    notTaken: [...left.values()].filter((line) => !gone.has(keyOf(line))),
    stopped: stopped.value,
    recovered: recovered.value,
    manifests: manifests.manifests,
  } satisfies IncidentRecord
})
