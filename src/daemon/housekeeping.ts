import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { parseDuration } from "../domain/quantity.ts"
import * as Retention from "../ledger/retention.ts"
import { Stores } from "../ledger/stores.ts"
import { Settings } from "../services/settings.ts"
import { Surroundings } from "./surroundings.ts"

type Needs = Effect.Services<ReturnType<typeof Retention.apply>> | Stores

/** How often retention is applied at most, and how soon again where there may be more than one pass does, milliseconds. */
const longest = 3_600_000
const soon = 60_000
/** A pass that purged so many runs may have left some. */
const many = 1_000

/** What a daemon does beside scheduling: retention, and how large the stores are. */
export class Housekeeping extends Context.Service<
  Housekeeping,
  {
    /** Goes on until it is interrupted; in the daemon that leads. */
    readonly run: Effect.Effect<never>
    /** Bytes of each store, when it was last measured. */
    readonly storeBytes: () => Readonly<Record<string, number>>
  }
>()("dandori/daemon/Housekeeping") {}

const make = Effect.fnUntraced(function* () {
  const services = yield* Effect.context<Needs>()
  const { say } = yield* Surroundings
  const { others, succeeded } = (yield* Settings).sections.retention.runs
  // What is kept for minutes goes within minutes.
  const kept = Math.min(parseDuration(others) ?? longest, parseDuration(succeeded) ?? longest)
  const every = Math.max(soon, Math.min(longest, kept / 4))
  let storeBytes: Readonly<Record<string, number>> = {}

  const stores = Context.get(services, Stores)
  const measure = Effect.map(stores.sizes, (sizes) => {
    storeBytes = Object.fromEntries(Object.entries(sizes).map(([store, { bytes }]) => [store, bytes]))
  })
  const retain = Effect.gen(function* () {
    const begun = yield* Clock.currentTimeMillis
    const { artifacts, left, purged } = yield* Retention.apply()
    const took = ((yield* Clock.currentTimeMillis) - begun) / 1_000
    if (purged.length > 0) {
      const runs = purged.length === 1 ? "run" : "runs"
      yield* say(`Retention purged ${purged.length} ${runs} in ${took.toFixed(1)} s; ${left.length} stay`)
    }
    if (artifacts !== undefined && artifacts.removed > 0) yield* say(`Retention removed ${artifacts.removed} artifacts`)
    if (artifacts?.why !== undefined) yield* say(`Artifacts are left as they are: ${artifacts.why}`)
    return purged.length >= many ? soon : every
  })
  const once = retain.pipe(
    Effect.tap(measure),
    Effect.catch(({ message }) => Effect.as(say(`Retention waits: ${message}`), every)),
    Effect.provide(services),
  )
  return Housekeeping.of({
    run: Effect.forever(Effect.flatMap(once, (pause) => Effect.sleep(pause))),
    storeBytes: () => storeBytes,
  })
})

export const layer = Layer.effect(Housekeeping, make())
