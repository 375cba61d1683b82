import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { filesGo } from "../domain/registry.ts"
import { Artifacts } from "../services/artifacts.ts"
import { ModelFiles } from "../services/model-files.ts"
import { ModelRegistry } from "../services/model-registry.ts"
import { Ledger } from "./ledger.ts"
import * as StreamName from "./stream-name.ts"

/** What is read of a file at once; a digest may lie across the border of two such parts. */
const partBytes = 4 * 2 ** 20
const digestLength = 64

/** Other bytes than JSON are searched up to this size: what is larger is data, and names nothing. */
const largestText = 16 * 2 ** 20

const digests = /[0-9a-f]{64}/gi
/** The payload of a receipt's envelope: base64 of JSON; the quotes are escaped where the envelope is text in JSON. */
const payload = /"payload\\*"\s*:\s*\\*"([A-Za-z0-9+/]+=*)\\*"/g

const digestsOf = (text: string): ReadonlyArray<string> => text.match(digests)?.map((one) => one.toLowerCase()) ?? []

/** Every 64 hexadecimal digits that stand in a text, in receipts that lie in it too: rather too many than too few. */
const digestsIn = (text: string): ReadonlyArray<string> => {
  const inner = [...text.matchAll(payload)].flatMap(([, base64 = ""]) =>
    digestsOf(Buffer.from(base64, "base64").toString("latin1")),
  )
  return [...digestsOf(text), ...inner]
}

/** What an entry has only in an artifact: its plan, or an output or values that were too large for it. */
const kept = /"(plan|output|values)Artifact":\{[^{}]*?"sha256":"([0-9a-f]{64})"/g

/** What something names that is there, and why that may not be all; `doubts` is empty where it is. */
export interface Found {
  readonly named: ReadonlySet<string>
  readonly doubts: ReadonlyArray<string>
}

const startsAsJson = /^\s*[[{]/

/** Hands the text of a file on, part by part; of a large one only where it begins as JSON does. One that is gone has none. */
const readParts = Effect.fnUntraced(
  function* (path: string, take: (text: string) => void) {
    const fs = yield* FileSystem.FileSystem
    if ((yield* fs.stat(path)).size > largestText) {
      const head = yield* Stream.mkUint8Array(fs.stream(path, { bytesToRead: 64 }))
      if (!startsAsJson.test(Buffer.from(head).toString("latin1"))) return
    }
    let kept = ""
    yield* Stream.runForEach(fs.stream(path, { chunkSize: partBytes }), (part) =>
      Effect.sync(() => {
        const text = kept + Buffer.from(part).toString("latin1")
        take(text)
        kept = text.slice(-(digestLength - 1))
      }),
    )
  },
  Effect.catchReason("PlatformError", "NotFound", () => Effect.void),
)

/**
 * Which of some digests something names, as text: the streams of all runs that are there, `root` and `system` (so every
 * deployment), those of schedules, the registry's rows and histories of versions whose files are not purged, those files,
 * and whatever an artifact that is named names itself. `stored` are the artifacts that are here, `others` other bytes.
 *
 * In doubt are a plan and a large output or matrix that a stream names and that are not here: no sweep removes what is
 * named, so they are on another machine, or lost; and the files of a version that no purge has removed and that are gone.
 */
export const find = Effect.fn("ArtifactNames.find")(function* (
  stored: ReadonlySet<string>,
  others: ReadonlySet<string> = new Set(),
) {
  const fs = yield* FileSystem.FileSystem
  const ledger = yield* Ledger
  const artifacts = yield* Artifacts
  const named = new Set<string>()
  const looked = new Set<string>()
  const doubts: Array<string> = []
  const open: Array<string> = []
  const take = (text: string) => {
    for (const sha256 of digestsIn(text)) {
      if (named.has(sha256) || !(stored.has(sha256) || others.has(sha256))) continue
      named.add(sha256)
      open.push(sha256)
    }
  }
  /** Reads what a stream has only in artifacts; what was put since the stored ones were listed, too. */
  const takeKept = Effect.fnUntraced(function* (stream: string, text: string) {
    for (const [, kind, sha256 = ""] of text.matchAll(kept)) {
      if (stored.has(sha256) || looked.has(sha256)) continue
      looked.add(sha256)
      if (yield* fs.exists(artifacts.pathOf(sha256))) open.push(sha256)
      else doubts.push(`the ${kind} of ${stream} is not on this machine: ${artifacts.pathOf(sha256)}`)
    }
  })
  const takeStream = (stream: string) =>
    ledger.bytes(stream).pipe(
      Effect.flatMap((bytes) => {
        const text = Buffer.from(bytes).toString("latin1")
        take(text)
        const run = StreamName.runOf(stream)
        return takeKept(run === undefined ? `the stream ${stream}` : `run ${run}`, text)
      }),
      Effect.catchTag("StreamMissing", () => Effect.void),
    )
  const registry = yield* ModelRegistry
  const files = yield* ModelFiles
  const { events, files: states, moves } = yield* registry.histories
  const last = new Map(states.map(({ state, version }) => [version, state]))
  const rows = (yield* registry.list()).filter(({ version }) => !filesGo(last.get(version)))
  take(JSON.stringify({ rows, events, moves }))
  for (const { version } of rows) {
    const folder = yield* files.folder(version)
    if (!(yield* files.exists(folder))) {
      doubts.push(`the files of version ${version} are not at ${folder.path}: what they name is not known`)
      continue
    }
    for (const { path } of yield* files.inspect(folder)) yield* readParts(`${folder.path}/${path}`, take)
  }
  for (const stream of [StreamName.root, StreamName.system, ...(yield* ledger.schedules)]) yield* takeStream(stream)
  for (const run of yield* ledger.runs) yield* takeStream(StreamName.ofRun(run))
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    yield* readParts(artifacts.pathOf(next), take)
  }
  return { named, doubts } satisfies Found
})
