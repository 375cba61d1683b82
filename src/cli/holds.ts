import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Event } from "../domain/event.ts"
import * as Hold from "../domain/hold.ts"
import { EnvironmentName } from "../domain/names.ts"
import { filesGo } from "../domain/registry.ts"
import { Holds, HoldUnknown } from "../services/holds.ts"
import { FilesPurged, ModelRegistry, VersionUnknown } from "../services/model-registry.ts"
import * as WorkspaceFiles from "../services/workspace-files.ts"
import * as Hint from "./hint.ts"
import { Missing } from "./missing.ts"
import * as Moment from "./moment.ts"
import * as Output from "./output.ts"
import { plain, table } from "./plain-text.ts"
import * as Readers from "./project-readers.ts"
import * as PurgedRuns from "./purged-runs.ts"
import { who } from "./who.ts"

const isEnvironment = Schema.is(EnvironmentName)
const isSubject = Schema.is(Hold.HoldSubject)

const place = Effect.gen(function* () {
  const found = yield* Readers.find
  const { env } = found
  if (isEnvironment(env)) return { ...found, env }
  return yield* new Output.UsageError({ reason: `There is no environment ${env}; they are dev, stg and prod` })
})

type Place = Effect.Success<typeof place>

/** Puts an event into the `system` stream, durable on return: what it says counts only then. */
const testify = Effect.fnUntraced(function* (at: Place, event: Event) {
  yield* WorkspaceFiles.makeHome(at.home)
  const { Ledger } = yield* Effect.promise(() => import("../ledger/ledger.ts"))
  yield* Effect.flatMap(Ledger, (ledger) => ledger.record("system", [event])).pipe(Effect.provide(Readers.ledger(at)))
})

const stateOf = (hold: Hold.Hold, now: number): string => {
  if (hold.released !== null) {
    return `released ${hold.released} by ${hold.releasedBy ?? ""}: ${hold.releaseReason ?? ""}`
  }
  if (hold.until === null) return "until it is released"
  return Hold.isActive(hold, now) ? `until ${hold.until}` : `over since ${hold.until}`
}

const shown = (hold: Hold.Hold, now: number) => ({ v: 1, kind: "hold", ...hold, active: Hold.isActive(hold, now) })

/** What a person says of a hold. */
export interface HoldRequest {
  readonly subject: string
  readonly reason: string
  readonly until: string | undefined
}

/** Fails when what is to be held is a version that nobody has registered, or whose files are gone or about to be. */
const stillThere = Effect.fnUntraced(function* (subject: string) {
  const version = /^model\/(.*)$/.exec(subject)?.[1]
  if (version === undefined) return
  const registry = yield* ModelRegistry
  if (Option.isNone(yield* registry.find(version))) return yield* new VersionUnknown({ version })
  const found = Option.getOrUndefined(yield* registry.filesOf(version))
  if (found !== undefined && filesGo(found.state)) return yield* FilesPurged.of(found)
})

/** Fails when what is to be held is a run that the ledger does not have, or that goes: the hold would keep nothing. */
const runIsThere = Effect.fnUntraced(function* (at: Place, subject: string) {
  const run = /^run\/(.*)$/.exec(subject)?.[1]
  if (run === undefined) return
  const { Ledger } = yield* Effect.promise(() => import("../ledger/ledger.ts"))
  const look = Effect.gen(function* () {
    return { runs: yield* (yield* Ledger).runs, purged: (yield* PurgedRuns.all).get(run) }
  })
  const { purged, runs } = yield* Effect.provide(look, Readers.ledger(at))
  if (purged === undefined && runs.includes(run)) return
  const what = purged === undefined ? `The ledger has no run ${run}` : PurgedRuns.describe(purged)
  return yield* new Missing({ what, next: `See what there is: ${(yield* Hint.here).either("runs list")}` })
})

/** Adds a hold: recorded in the ledger, then it counts. The same hold by the same person again changes nothing. */
export const addHold = Effect.fnUntraced(function* ({ reason, subject, until: given }: HoldRequest) {
  const at = yield* place
  if (!isSubject(subject)) {
    const reason = `${JSON.stringify(subject)} cannot be held: write model/<version>, run/<id> or snapshot/<id>`
    return yield* new Output.UsageError({ reason })
  }
  const now = yield* Clock.currentTimeMillis
  const moment = given === undefined ? undefined : yield* Moment.read(given)
  if (moment !== undefined && moment <= now) {
    return yield* new Output.UsageError({ reason: `--until ${given}: that is over already` })
  }
  const until = moment === undefined ? null : new Date(moment).toISOString()
  const { added, hold } = yield* Effect.gen(function* () {
    const holds = yield* Holds
    const same = (yield* holds.list).find(
      (one) =>
        one.subject === subject &&
        one.reason === reason &&
        one.until === until &&
        one.who === who() &&
        Hold.isActive(one, now),
    )
    if (same !== undefined) return { hold: same, added: false }
    yield* stillThere(subject)
    yield* runIsThere(at, subject)
    const id = Bun.randomUUIDv7()
    const data = { hold: id, subject, env: at.env, reason, ...(until === null ? {} : { until }) }
    yield* testify(at, { type: "dev.dandori.hold.added.v1", data })
    const adding = stillThere(subject).pipe(
      Effect.andThen(runIsThere(at, subject)),
      Effect.andThen(holds.add({ id, subject, who: who(), reason, until })),
    )
    return { hold: yield* (yield* ModelRegistry).atomically(adding), added: true }
  }).pipe(Effect.provide(Readers.registry(at)))
  if (at.flags.json) return yield* Output.json({ ...shown(hold, now), changed: added })
  const words = added ? "is held" : "was held already"
  const release = (yield* Hint.here).files(`hold release ${hold.id}`)
  yield* Output.data(`${subject} ${words} by ${hold.who}, ${stateOf(hold, now)}. To release it: ${release}`)
})

/** Lists the holds; with `all` also those that are over. */
export const listHolds = Effect.fnUntraced(function* (all: boolean) {
  const at = yield* place
  const now = yield* Clock.currentTimeMillis
  const none: ReadonlyArray<Hold.Hold> = []
  const known = (yield* Readers.hasRegistry(at))
    ? yield* Effect.flatMap(Holds, ({ list }) => list).pipe(Effect.provide(Readers.registry(at)))
    : none
  const holds = known.filter((hold) => all || Hold.isActive(hold, now))
  if (at.flags.json) return yield* Effect.forEach(holds, (hold) => Output.json(shown(hold, now)), { discard: true })
  if (holds.length === 0) {
    const words = all || known.length === 0 ? "There are no holds." : "Nothing is held now; those that are over: --all"
    return yield* at.flags.quiet ? Effect.void : Output.message(words)
  }
  if (at.flags.quiet) return yield* Output.data(holds.map(({ id }) => id).join("\n"))
  const rows = holds.map((hold) => [
    hold.id,
    hold.subject,
    hold.who,
    hold.added,
    plain(stateOf(hold, now)),
    plain(hold.reason),
  ])
  yield* Output.data(table([["hold", "subject", "by", "since", "", "reason"], ...rows]).join("\n"))
})

/** Releases a hold: recorded in the ledger, then it is over. One that was released before stays as it is. */
export const releaseHold = Effect.fnUntraced(function* (id: string, reason: string) {
  const at = yield* place
  if (!(yield* Readers.hasRegistry(at))) return yield* new HoldUnknown({ id })
  const { changed, hold } = yield* Effect.gen(function* () {
    const holds = yield* Holds
    const found = (yield* holds.list).find((one) => one.id === id)
    if (found === undefined) return yield* new HoldUnknown({ id })
    if (found.released !== null) return { hold: found, changed: false }
    const data = { hold: id, subject: found.subject, env: at.env, reason }
    yield* testify(at, { type: "dev.dandori.hold.released.v1", data })
    return { hold: yield* holds.release(id, { who: who(), reason }), changed: true }
  }).pipe(Effect.provide(Readers.registry(at)))
  const now = yield* Clock.currentTimeMillis
  if (at.flags.json) return yield* Output.json({ ...shown(hold, now), changed })
  yield* Output.data(`${hold.subject}: ${plain(stateOf(hold, now))}`)
})
