import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Entry, data as eventData } from "../domain/event.ts"
import type { EnvironmentName } from "../domain/names.ts"
import type { EndedRun } from "../domain/run-retention.ts"
import { Ledger } from "./ledger.ts"
import type { RootTestimonies } from "./root-testimonies.ts"
import * as StreamName from "./stream-name.ts"

/** A run that has ended, by its first and its last entry; nothing is verified. `bytes` is the size of its stream. */
export interface Ended extends EndedRun {
  readonly env: EnvironmentName
  readonly bytes: number
}

const First = Schema.fromJsonString(Schema.Struct({ data: eventData["dev.dandori.run.created.v1"] }))
const Last = Schema.fromJsonString(
  Schema.Struct({ time: Entry.fields.time, data: eventData["dev.dandori.run.finished.v1"] }),
)
const decodeFirst = Schema.decodeUnknownOption(First)
const decodeLast = Schema.decodeUnknownOption(Last)

const newline = 10

/** What a run's bytes say of it; undefined where they do not begin and end as those of a run that has ended. */
const read = (run: string, bytes: Uint8Array): Ended | undefined => {
  const text = (from: number, to: number) => new TextDecoder().decode(bytes.subarray(from, to))
  const first = decodeFirst(text(0, bytes.indexOf(newline)))
  const last = decodeLast(text(bytes.lastIndexOf(newline, bytes.length - 2) + 1, bytes.length))
  if (first._tag === "None" || last._tag === "None") return undefined
  const { env, pipeline } = first.value.data
  const { data, time } = last.value
  return { run, env, pipeline, status: data.status, ended: Date.parse(time), bytes: bytes.length }
}

/** What this process has read of a ledger's runs: an ended one changes no more. */
const known = new WeakMap<Ledger["Service"], Map<string, Ended>>()

/**
 * The runs that the root has closed and not purged and that are there, oldest first. Each is read once in a process: the first and the
 * last line of its stream. One that does not tell what it was is left out; `ledger verify` tells of it.
 */
export const list = Effect.fn("EndedRuns.list")(function* (said: RootTestimonies) {
  const ledger = yield* Ledger
  const before = known.get(ledger) ?? new Map<string, Ended>()
  const now = new Map<string, Ended>()
  for (const run of yield* ledger.runs) {
    const stream = StreamName.ofRun(run)
    if ((said.of(stream)?.closed ?? []).length === 0) continue
    const ended =
      before.get(run) ??
      (yield* ledger.bytes(stream).pipe(
        Effect.map((bytes) => read(run, bytes)),
        Effect.catchTag("StreamMissing", () => Effect.undefined),
      ))
    if (ended !== undefined) now.set(run, ended)
  }
  known.set(ledger, now)
  return [...now.values()]
})
