import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type EventData, data as eventData } from "../domain/event.ts"
import { Ledger } from "./ledger.ts"
import * as Root from "./root.ts"
import * as StreamName from "./stream-name.ts"

const type = "dev.dandori.pipeline.deployed.v1"

/** A pipeline as it was deployed: by whom, and when (RFC 3339). */
export interface Deployment {
  readonly data: EventData<typeof type>
  readonly who: string
  readonly time: string
}

const isDeployed = Schema.is(eventData[type])

/**
 * What is deployed in an environment, by pipeline: the newest entry of `system` about each. Fails with `StreamDamaged`
 * when `system` does not verify.
 */
export const current = Effect.fn("Deployments.current")(function* (env: string) {
  const found = new Map<string, Deployment>()
  for (const { authid, data, time, type: entryType } of yield* Root.readWhole("system")) {
    if (entryType === type && isDeployed(data) && data.env === env) {
      found.set(data.pipeline, { data, who: authid, time })
    }
  }
  return found as ReadonlyMap<string, Deployment>
})

/** Records deployments, all or none; the root then names where `system` stands. Durable on return. */
export const record = Effect.fn("Deployments.record")(function* (deployments: ReadonlyArray<EventData<typeof type>>) {
  const ledger = yield* Ledger
  yield* ledger.record(
    StreamName.system,
    deployments.map((data) => ({ type, data })),
  )
  const { head } = yield* ledger.read(StreamName.system)
  yield* Root.closed(StreamName.system, head.sequence, head.hash)
})
