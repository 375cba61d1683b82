import { relative, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Entry } from "../domain/event.ts"
import { Sha256 } from "../domain/sha256.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import type { WormHead } from "../services/worm-chain.ts"
import { RecordType } from "../services/worm-record.ts"

const place = { path: Schema.String, sha256: Sha256, sequence: Schema.Int, prevSha256: Sha256 }
const isAppended = Schema.is(
  Schema.Struct({ ...place, copies: Schema.optionalKey(Schema.Array(Schema.Struct(place))) }),
)
const isRecordType = Schema.is(RecordType)

const outputOf = ({ type, data }: Entry): unknown =>
  type === "dev.dandori.attempt.succeeded.v1" && typeof data === "object" && data !== null && "output" in data
    ? data.output
    : undefined

/** The path of a record below a folder or a bucket's prefix; undefined when it is elsewhere. */
const below = (location: string, project: string, path: string): string | undefined => {
  const isBucket = path.startsWith("s3:")
  if (isBucket !== location.startsWith("s3:")) return undefined
  if (isBucket) return path.startsWith(`${location}/`) ? path.slice(location.length + 1) : undefined
  return relative(location, resolve(project, path))
}

/**
 * The write-once records below each of some locations, folders or `s3://bucket/prefix`, that the ledger's events testify
 * to, each as the head that its chain had then. Reads every run of the ledger; `project` is what the events' paths are
 * relative to.
 */
export const under = Effect.fnUntraced(function* (locations: ReadonlyArray<string>, project: string) {
  const ledger = yield* Ledger
  const heads = new Map(locations.map((location) => [location, new Map<string, WormHead>()]))
  for (const run of yield* ledger.runs) {
    const chain = yield* ledger
      .read(StreamName.ofRun(run))
      .pipe(Effect.catchTag("StreamMissing", () => Effect.undefined))
    for (const output of (chain?.entries ?? []).map(outputOf)) {
      if (!isAppended(output)) continue
      for (const { path, sequence, sha256 } of [output, ...(output.copies ?? [])]) {
        for (const [location, found] of heads) {
          const [recordType = ""] = below(location, project, path)?.split("/") ?? []
          if (isRecordType(recordType))
            found.set(`${recordType} ${sequence} ${sha256}`, { recordType, sequence, sha256 })
        }
      }
    }
  }
  return new Map([...heads].map(([location, found]) => [location, [...found.values()]]))
})
