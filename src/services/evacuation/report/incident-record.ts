import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { BundleManifest } from "../../../domain/bundle.ts"
import { Collected, NotTaken, Redaction, type SourceFile } from "../../../domain/collected.ts"
import type { Pushed } from "../../../domain/pushed.ts"
import * as Durable from "../../durable-files.ts"
import type { IncidentFolder } from "../incident/incidents.ts"

/** What of a bundle's manifest a record tells. */
const ManifestFacts = Schema.Struct({
  bundle: BundleManifest.fields.bundle,
  coverage: BundleManifest.fields.coverage,
  root: BundleManifest.fields.root,
})
export type ManifestFacts = typeof ManifestFacts.Type

const Left = Schema.Array(
  Schema.Struct({
    target: Schema.String,
    pid: Schema.optionalKey(Schema.Int),
    container: Schema.optionalKey(Schema.String),
    reason: Schema.String,
  }),
)

/** What of `stopped.json` a record tells. `near` has a target's words and was left alone. */
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
      remaining: Left,
    }),
  ),
  near: Schema.Array(Schema.Struct({ target: Schema.String, pid: Schema.Int, reason: Schema.String })),
  remaining: Left,
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

/** What of a line of the inventory, and of what was pushed, a record tells. */
export type InventoryFacts = Pick<SourceFile, "bytes" | "collector" | "path" | "source" | "to">
export type PushedFacts = Pick<Pushed, "at" | "bytes" | "path" | "redactions" | "rung" | "to">

/** An incident's folder as far as it can be read; what is missing or damaged in it is said in `inputs`. */
export interface IncidentRecord {
  readonly folder: IncidentFolder
  readonly inputs: ReadonlyArray<Input>
  readonly collected: ReadonlyArray<Collected>
  /** Files that were to be taken, each once. */
  readonly inventory: ReadonlyArray<InventoryFacts>
  readonly pushed: ReadonlyArray<PushedFacts>
  /** What was seen and not taken, each source once, with the last reason. */
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

/** The list of a file whose lines `decode` reads; undefined stands for a line that is none. */
const readList = Effect.fnUntraced(function* <A>(
  folder: string,
  name: string,
  decode: (value: unknown) => A | undefined,
) {
  const found = yield* readText(join(folder, name))
  const lines: Array<A> = []
  if ("input" in found) return { input: { name, ...found.input } satisfies Input, lines }
  const { text } = found
  let all = 0
  for (let from = 0; from < text.length;) {
    const newline = text.indexOf("\n", from)
    const end = newline === -1 ? text.length : newline
    const line = text.slice(from, end)
    from = end + 1
    if (line.trim() === "") continue
    all++
    const value = decode(jsonOf(line))
    if (value !== undefined) lines.push(value)
  }
  const input: Input =
    lines.length === all
      ? { name, state: "read" }
      : { name, state: "damaged", detail: `${all - lines.length} of ${all} lines cannot be read` }
  return { input, lines }
})

const jsonOf = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

const by = <A>(schema: Schema.Codec<A, any>) => {
  const decode = Schema.decodeUnknownOption(schema)
  return (value: unknown) => Option.getOrUndefined(decode(value))
}

type Fields<A> = { readonly [K in keyof A]?: unknown }
const fieldsOf = <A>(value: unknown): Fields<A> => (typeof value === "object" && value !== null ? value : {})
const isBundle = (value: unknown): value is SourceFile["to"] => value === "evidence" || value === "snapshot"

/** As their Schemas do, by hand: there is a line for each file of the evacuation. */
const inventoryLine = (value: unknown): InventoryFacts | undefined => {
  const { bytes, collector, path, source, to } = fieldsOf<InventoryFacts>(value)
  if (typeof collector !== "string" || typeof path !== "string" || typeof source !== "string") return undefined
  return typeof bytes === "number" && isBundle(to) ? { bytes, collector, path, source, to } : undefined
}
const redactionsOf = by(Schema.Array(Redaction))
const pushedLine = (value: unknown): PushedFacts | undefined => {
  const { at, bytes, path, redactions, rung, to } = fieldsOf<PushedFacts>(value)
  if (typeof at !== "number" || typeof path !== "string" || typeof rung !== "string") return undefined
  if (typeof bytes !== "number" || !isBundle(to)) return undefined
  const found = redactions === undefined ? undefined : redactionsOf(redactions)
  return { at, bytes, path, rung, to, ...(found === undefined ? {} : { redactions: found }) }
}

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

/** What names a source among those of its collector. */
export const keyOf = ({ collector, source }: { readonly collector: string; readonly source: string }) =>
  `${collector}\0${source}`

/** The last line about each thing. */
const newest = <A>(lines: ReadonlyArray<A>, of: (line: A) => string): ReadonlyArray<A> => {
  const found = new Map<string, A>()
  for (const line of lines) found.set(of(line), line)
  return [...found.values()]
}

/** Reads an incident's folder, and never fails: what cannot be read is said. */
export const read = Effect.fn("IncidentRecord.read")(function* (folder: IncidentFolder) {
  const { path } = folder
  const [collected, inventory, pushed, notTaken, stopped, recovered, manifests] = yield* Effect.all([
    readList(path, "collected.ndjson", by(Collected)),
    readList(path, "inventory.ndjson", inventoryLine),
    readList(path, "pushed.ndjson", pushedLine),
    readList(path, "not-taken.ndjson", by(NotTaken)),
    readDocument(path, "stopped.json", StoppedFacts),
    readDocument(path, "recovered.json", RecoveredFacts),
    readManifests(path),
  ])
  return {
    folder,
    inputs: [
      ...[collected, inventory, pushed, notTaken, stopped, recovered].map(({ input }) => input),
      ...manifests.inputs,
    ],
    // A collector that was run again counts as it ended last.
    collected: newest(collected.lines, ({ collector }) => collector),
    inventory: newest(inventory.lines, ({ path: place, to }) => `${to}/${place}`),
    pushed: newest(pushed.lines, ({ path: place, rung, to }) => `${rung}/${to}/${place}`),
    notTaken: newest(notTaken.lines, keyOf),
    stopped: stopped.value,
    recovered: recovered.value,
    manifests: manifests.manifests,
  } satisfies IncidentRecord
})
