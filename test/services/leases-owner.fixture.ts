// A process that takes leases as it is told, one JSON value a line: `bun leases-owner.fixture.ts HOME [URL TERM_MILLIS]`.
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as LeasesPostgres from "../../src/services/leases-postgres.ts"
import * as LeasesSqlite from "../../src/services/leases-sqlite.ts"
import { Leases } from "../../src/services/leases.ts"
import { ProcessMark } from "../../src/services/process-launch.ts"
import * as ProcessesLocal from "../../src/services/processes-local.ts"
import { Processes } from "../../src/services/processes.ts"
import type { Order, Word } from "../support/lease-process.ts"
import * as Databases from "../support/servers/databases.ts"

const [home, url, termMillis] = process.argv.slice(2)
const leases =
  url === undefined
    ? LeasesSqlite.layer(home)
    : LeasesPostgres.layer({ home, database: Databases.options(url), termMillis: Number(termMillis) })
const runtime = ManagedRuntime.make(
  // Standard output is for answers.
  Layer.mergeAll(leases, ProcessesLocal.layer({ folder: `${home}/processes` }), Logger.layer([])),
)
const say = (word: Word) => void process.stdout.write(`${JSON.stringify(word)}\n`)
const fibers = new Map<string, Fiber.Fiber<unknown, unknown>>()

const follow = (order: Order) =>
  Effect.gen(function* () {
    const leases = yield* Leases
    const { id } = order
    if (order.do === "release") {
      const fiber = fibers.get(id)
      if (fiber !== undefined) yield* Fiber.interrupt(fiber)
      return say({ id, is: "released" })
    }
    if (order.do === "try") {
      return yield* Effect.scoped(leases.acquireNow(order.request)).pipe(
        Effect.match({
          onFailure: (error) => say({ id, is: "refused", message: error.message }),
          onSuccess: () => say({ id, is: "held" }),
        }),
      )
    }
    const { child, request } = order
    const { attempt, run } = request
    const hold = Effect.gen(function* () {
      const lease = yield* leases.acquire(request, (waiting) => say({ id, is: "waiting", waiting }))
      say({ id, is: "held" })
      const lost = Effect.map(lease.loss, (message) => say({ id, is: "lost", message }))
      if (child === undefined) return yield* Effect.andThen(lost, Effect.never)
      const processes = yield* Processes
      yield* processes
        .run({ argv: child, graceMillis: 300, onStdout: () => Effect.sync(() => say({ id, is: "at work" })) })
        .pipe(
          Effect.provideService(ProcessMark, attempt === undefined ? undefined : { run, ...attempt }),
          Effect.raceFirst(lost),
        )
    }).pipe(
      Effect.scoped,
      Effect.catch((error) => Effect.sync(() => say({ id, is: "refused", message: error.message }))),
    )
    fibers.set(id, runtime.runFork(hold))
  })

for await (const line of console) if (line !== "") await runtime.runPromise(follow(JSON.parse(line)))
await runtime.dispose()
process.exit(0)
