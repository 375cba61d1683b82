import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { trial } from "../support/daemons-chaos.ts"
import * as End from "../support/daemons-end.ts"
import * as Place from "../support/daemons-place.ts"
import * as Servers from "../support/servers/scoped.ts"
import { until } from "../cli/daemon-project.ts"

const seed = Number(process.env.DANDORI_CHAOS_SEED ?? Date.now() % 1_000_000)

/** Machines with a daemon each on a PostgreSQL of their own; all goes with the scope. */
const daemons = Effect.fnUntraced(function* (...names: ReadonlyArray<string>) {
  const server = yield* Servers.ownPostgres()
  const root = yield* Effect.acquireRelease(
    Effect.promise(async () => Fs.realpath(await Fs.mkdtemp(join(tmpdir(), "daemons ")))),
    (folder) => Effect.promise(() => Fs.rm(folder, { recursive: true, force: true })),
  )
  const { machines, work } = yield* Effect.acquireRelease(
    Effect.promise(() => Place.machines(root, names, server.port, (port) => Place.urlAt(server.url, port))),
    ({ close }) => Effect.sync(close),
  )
  const all = yield* Effect.forEach(machines, (machine) =>
    Effect.acquireRelease(
      Effect.sync(() => ({ machine, daemon: Place.daemon(machine) })),
      ({ daemon }) =>
        Effect.promise(() => {
          daemon.kill("SIGKILL")
          return daemon.exited
        }),
    ),
  )
  return { url: server.url, work, all }
})

const leads = ({ daemon }: { readonly daemon: Place.Daemon }) =>
  until(Effect.sync(() => (daemon.leadsSince() === undefined ? undefined : true)))

describe("a daemon whose database was away until it led no more", () => {
  it.live(
    "goes on with its runs when it leads again",
    () =>
      Effect.gen(function* () {
        const { all, url } = yield* daemons("only")
        const [only] = all
        yield* leads(only)
        const runs = yield* until(
          Effect.map(
            Effect.promise(() => End.unended(url)),
            (open) => (open.length >= 3 ? open : undefined),
          ),
        )
        only.machine.link.set("refused")
        yield* until(Effect.sync(() => (only.daemon.leadsSince() === undefined ? true : undefined)))
        only.machine.link.set("open")
        yield* leads(only)
        yield* until(
          Effect.map(
            Effect.promise(() => End.unended(url)),
            (open) => (runs.some((run) => open.includes(run)) ? undefined : true),
          ),
        )
        only.daemon.kill("SIGTERM")
        assert.strictEqual(yield* Effect.promise(() => only.daemon.exited), 0, only.daemon.said())
      }),
    120_000,
  )
})

describe("three daemons on one PostgreSQL", () => {
  it(
    "lose and double no tick and no run while they are killed, stopped and cut off",
    { timeout: 400_000 },
    async () => {
      const tally = await trial({
        seed,
        millis: 30_000,
        pauseMillis: [2_000, 6_000],
        stopMillis: [3_000, 10_000],
        linkMillis: [2_000, 8_000],
      })
      assert.deepStrictEqual(tally.faults, [], `seed ${seed}`)
      assert.isAbove(tally.ticks, 30)
      assert.isAbove(tally.leaders, 1)
      assert.isAbove(tally.taken, 1)
    },
  )
})
