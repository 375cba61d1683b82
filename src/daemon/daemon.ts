import { hostname } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { Drain } from "../engine/drain.ts"
import * as Checkpoint from "../ledger/checkpoint.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as Root from "../ledger/root.ts"
import * as StreamName from "../ledger/stream-name.ts"
import { Ids } from "../services/ids.ts"
import * as ProcessRecords from "../services/process-records.ts"
import { Settings } from "../services/settings.ts"
import * as FileTriggers from "./file-triggers.ts"
import * as Housekeeping from "./housekeeping.ts"
import { Leadership } from "./leadership.ts"
import * as Pipelines from "./pipelines.ts"
import * as Signs from "./signs.ts"
import * as Runner from "./runner.ts"
import * as Scheduler from "./scheduler.ts"
import { Surroundings } from "./surroundings.ts"

/** How often the root is told how far the schedules have got, and signed. */
const booksEvery = "1 minute"

const nothing = { cpu: 0, memory: 0, gpu: 0, pools: {} }

/** Tells the root how far the schedules have got, where they have gone on since the last time, and signs it. */
const books = Effect.gen(function* () {
  const scheduler = yield* Scheduler.Scheduler
  const ledger = yield* Ledger
  const sign = yield* Checkpoint.signer
  const { env } = yield* Surroundings
  let told: string | undefined
  let isBegun = false
  const keep = Effect.gen(function* () {
    isBegun = true
    const at = scheduler.known()?.head()
    if (at !== undefined && at.sequence > 0 && at.hash !== told) {
      const data = { stream: StreamName.ofSchedules(env), entries: at.sequence, head: at.hash }
      yield* ledger.record("root", [{ type: "dev.dandori.stream.closed.v1", data }])
      told = at.hash
    }
    yield* sign()
  })
  /** Once more, where they were kept: who only stood by writes nothing. */
  const keepAgain = Effect.suspend(() => (isBegun ? keep : Effect.void))
  return { keep, keepAgain }
})
type Books = Effect.Success<typeof books>

const untold =
  (say: (text: string) => Effect.Effect<void>) =>
  ({ message }: { readonly message: string }) =>
    say(`The root was not told how far the schedules got: ${message}`)

/** Schedules as long as this process leads; another one of the same ledger takes over when it does not any more. */
const lead = Effect.fnUntraced(function* (runs: FiberSet.FiberSet<void>, { keep }: Books) {
  const leases = yield* Leadership
  const ledger = yield* Ledger
  const scheduler = yield* Scheduler.Scheduler
  const drain = yield* Drain
  const { env, home, say } = yield* Surroundings
  const { uuid } = yield* Ids
  const request = { run: uuid(), resources: { locks: [`daemon/${env}`] }, capacity: nothing, priority: 0 }
  const lease = yield* leases.acquire(request, ({ holders }) => {
    const [holder] = holders
    const who = holder === undefined ? "another process" : `process ${holder.pid}`
    Effect.runFork(say(`Standing by: ${who}${holder?.host === undefined ? "" : ` on ${holder.host}`} leads`))
  })
  yield* Root.reconcile()
  yield* say("Leading")
  const who = { env: (yield* Settings).env, host: hostname(), pid: process.pid }
  yield* ledger.record("system", [{ type: "dev.dandori.leadership.taken.v1", data: who }])
  let left = "the process was stopped"
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      yield* ledger.record("system", [{ type: "dev.dandori.leadership.left.v1", data: { ...who, reason: left } }])
      yield* keep
    }).pipe(Effect.catch(untold(say))),
  )
  yield* keep.pipe(
    Effect.catch(({ message }) => say(`The books wait: ${message}`)),
    Effect.schedule(Schedule.spaced(booksEvery)),
    Effect.forkScoped,
  )
  yield* Effect.forkScoped((yield* Housekeeping.Housekeeping).run)
  yield* Effect.forkScoped(FileTriggers.run)
  // Also of runs that nobody goes on with.
  yield* Effect.forkScoped(ProcessRecords.stopLeftovers(join(home, "processes")))
  const loss = Effect.flatMap(lease.loss, (reason) => {
    left = reason
    return say(`Leading no more: ${reason}`)
  })
  // Another one may lead soon: runs end before anything waits for a ledger that may be away.
  yield* Effect.addFinalizer(() => (drain.isOpen() ? Effect.void : FiberSet.clear(runs)))
  yield* Effect.raceFirst(scheduler.run(runs), loss)
}, Effect.scoped)

/**
 * Leads with runs of its own. They end with the leading; where the process is stopped in order, another one leads
 * meanwhile, and what goes on of them has its grace.
 */
const leadWithRuns = Effect.gen(function* () {
  const runner = yield* Runner.Runner
  const drain = yield* Drain
  const runs = yield* FiberSet.make<void>()
  const own = yield* books
  const { say } = yield* Surroundings
  // What ended meanwhile is covered, too.
  const end = Effect.andThen(runner.drained, Effect.catch(own.keepAgain, untold(say)))
  yield* Effect.addFinalizer(() => (drain.isOpen() ? end : Effect.void))
  yield* lead(runs, own)
}).pipe(Effect.scoped)

/** How long a daemon that could not begin waits, milliseconds. */
const again = 2_000

/** The daemon: schedules when it leads, stands by when another one does. Goes on until it is interrupted. */
export const run = Effect.gen(function* () {
  const { say } = yield* Surroundings
  yield* Signs.begin
  return yield* leadWithRuns.pipe(
    Effect.catch(({ message }) => Effect.andThen(say(`Trying again: ${message}`), Effect.sleep(again))),
    Effect.forever,
  )
})

/** What the daemon consists of. */
export const layer = Scheduler.layer.pipe(
  Layer.provideMerge(Runner.layer),
  Layer.provideMerge(Pipelines.layer),
  Layer.provideMerge(Housekeeping.layer),
)
