import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Evidence } from "../../src/services/evidence.ts"
import type { Manifest } from "../../src/services/snapshot-manifest.ts"
import * as WormChain from "../../src/services/worm-chain.ts"

/** What was restored is whole by its digests, and does not hold up as evidence. */
export class EvidenceDamaged extends Schema.TaggedError<EvidenceDamaged>()("EvidenceDamaged", {
  target: Schema.String,
  problems: Schema.Array(Schema.String),
}) {
  override get message() {
    const more = this.problems.length > 5 ? ` (and ${this.problems.length - 5} more)` : ""
    return `The restored ${this.target} does not verify: ${this.problems.slice(0, 5).join("; ")}${more}. It was taken like this: keep the snapshot, and look at where it was taken`
  }
}

/** Verifies the ledger of a restored snapshot up to the manifest's head, and the chains of its write-once records. */
export const verify = Effect.fnUntraced(function* (manifest: Manifest, folder: string) {
  const of = (kind: string) => manifest.targets.filter((target) => target.kind === kind)
  let ledger: { readonly streams: number; readonly entries: number } | undefined
  for (const { name } of of("ledger")) {
    const { entries, problems, streams } = yield* (yield* Evidence).verifyFolder(join(folder, name), manifest.head)
    if (problems.length > 0) return yield* new EvidenceDamaged({ target: name, problems })
    ledger = { streams, entries }
  }
  let records: number | undefined
  for (const { name } of of("worm")) {
    const { chains, problems } = yield* WormChain.verifyCopy(join(folder, name))
    if (problems.length > 0) {
      const said = problems.map(({ detail, kind, path }) => `${path} ${kind}: ${detail}`)
      return yield* new EvidenceDamaged({ target: name, problems: said })
    }
    records = chains.reduce((sum, chain) => sum + chain.records, 0)
  }
  return { ...(ledger === undefined ? {} : { ledger }), ...(records === undefined ? {} : { records }) }
})
