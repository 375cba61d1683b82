/** A lock goes from one process to the other and back: from the moment it is given back to the moment the other has it. */
import { Database } from "bun:sqlite"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as LeasesSqlite from "../src/services/leases-sqlite.ts"
import { Leases } from "../src/services/leases.ts"
import type { Bench } from "./figure.ts"
import * as Figures from "./figure.ts"
import * as LockHolder from "./lock-holder.ts"
import * as Place from "./place.ts"

const program = join(import.meta.dir, "lock-holder.ts")

/** Times between a release and the next taking by another holder, milliseconds. */
const handOvers = (holders: ReadonlyArray<ReadonlyArray<LockHolder.Round>>): ReadonlyArray<number> => {
  const all = holders
    .flatMap((rounds, holder) => rounds.map((round) => ({ ...round, holder })))
    .toSorted((a, b) => a.taken - b.taken)
  return all.flatMap((next, at) => {
    const before = all[at - 1]
    if (before === undefined || before.holder === next.holder) return []
    if (next.taken < before.released) throw new Error("Two processes held the lock together")
    return [next.taken - before.released]
  })
}

const between = async (home: string, rounds: number, holdMillis: number) => {
  const start = async () => {
    const argv = [process.execPath, program, home, String(rounds), String(holdMillis)]
    const child = Bun.spawn(argv, { stdout: "pipe", stderr: "inherit" })
    const text = await new Response(child.stdout).text()
    if ((await child.exited) !== 0) throw new Error("A holder of the lock failed")
    return JSON.parse(text) as ReadonlyArray<LockHolder.Round>
  }
  return handOvers(await Promise.all([start(), start()]))
}

/** From kill -9 of the holder to the next in line having it. */
const afterKill = async (home: string) => {
  const holder = Bun.spawn([process.execPath, program, home, "1", "1000000"], { stdout: "ignore", stderr: "inherit" })
  const killed = await Effect.runPromise(
    Effect.gen(function* () {
      const leases = yield* Leases
      while ((yield* leases.holders("lock bench")).length === 0) yield* Effect.sleep(5)
      let from = 0
      return yield* Effect.scoped(
        Effect.gen(function* () {
          yield* leases.acquire(LockHolder.request, () => {
            from = performance.now()
            holder.kill("SIGKILL")
          })
          return performance.now() - from
        }),
      )
    }).pipe(Effect.provide(LeasesSqlite.layer(home))),
  )
  await holder.exited
  return killed
}

/** What a lease costs nobody contends for: taken and given back. */
const alone = (home: string, count: number) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const leases = yield* Leases
      const once = Effect.scoped(leases.acquire(LockHolder.request, () => {}))
      yield* once
      const found: Array<number> = []
      for (let i = 0; i < count; i++) {
        const start = performance.now()
        yield* once
        found.push(performance.now() - start)
      }
      return found
    }).pipe(Effect.provide(LeasesSqlite.layer(home))),
  )

/** Two fibers of one process that take turns. */
const within = (home: string, rounds: number) =>
  Effect.runPromise(
    Effect.all([LockHolder.rounds(rounds, 2), LockHolder.rounds(rounds, 2)], { concurrency: 2 }).pipe(
      Effect.map(handOvers),
      Effect.provide(LeasesSqlite.layer(home)),
    ),
  )

/** A peer's way to wait: SQLite's own busy_timeout on a write transaction, taken and committed. */
const sqlite = (home: string, count: number): ReadonlyArray<number> => {
  using database = new Database(join(home, "peer.sqlite"), { create: true })
  database.run("PRAGMA journal_mode = WAL")
  database.run("PRAGMA synchronous = NORMAL")
  database.run("CREATE TABLE locks (name TEXT PRIMARY KEY)")
  return Array.from({ length: count }, () => {
    const start = performance.now()
    database.run("BEGIN IMMEDIATE")
    database.run("INSERT INTO locks VALUES ('bench')")
    database.run("COMMIT")
    database.run("BEGIN IMMEDIATE")
    database.run("DELETE FROM locks")
    database.run("COMMIT")
    return performance.now() - start
  })
}

/** Hand-over between processes and within one, after a kill, and what a lease costs that nobody contends for. */
export const bench: Bench = (scale) =>
  Place.withFolder(async (folder) => {
    const full = scale === "full"
    const home = (name: string) => join(folder, name)
    const short = await between(home("short"), full ? 300 : 3, 2)
    const long = await between(home("long"), full ? 40 : 2, 100)
    const own = await within(home("within"), full ? 300 : 3)
    const kills: Array<number> = []
    for (let i = 0; i < (full ? 20 : 1); i++) kills.push(await afterKill(home("kill")))
    const costs = await alone(home("alone"), full ? 1_000 : 5)
    const peer = sqlite(folder, full ? 1_000 : 5)
    const against = {
      what: "two SQLite transactions",
      ratio: Figures.percentile(costs, 0.5) / Figures.percentile(peer, 0.5),
    }
    return {
      figures: [
        Figures.fromValues("released in A to held in B, held for 2 ms", "ms", short),
        Figures.fromValues("released in A to held in B, held for 100 ms", "ms", long),
        Figures.fromValues("released to held, two fibers of one process", "ms", own),
        Figures.fromValues("kill -9 of the holder to held by the next", "ms", kills),
        Figures.fromValues("taken and given back, nobody else there", "ms", costs, { against }),
      ],
      notes: ["who waits looks every 2 ms at first, and at most every 20 ms when nothing has changed for long"],
    }
  })
