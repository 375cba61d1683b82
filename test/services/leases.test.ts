import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { isAlive, lookUp } from "../../src/services/process-table.ts"
import * as LeasePlace from "../support/lease-place.ts"
import * as LeaseProcess from "../support/lease-process.ts"

const a = { locks: ["a"] }
const b = { locks: ["b"] }

const makePlace = Effect.flatMap(LeasePlace.Places, ({ make }) => make)

describe.each([
  ["the state store", LeasePlace.sqlite],
  ["PostgreSQL", LeasePlace.postgres],
] as const)("in %s", (_, places) => {
  layer(places, { excludeTestServices: true })((test) => {
    describe("leases of several processes", () => {
      test.effect("give a lock to one at a time, in the order in which they asked, and say who is waited for", () =>
        Effect.gen(function* () {
          const place = yield* makePlace
          const [one, two, three] = yield* Effect.all([1, 2, 3].map(() => place.start))
          one.acquire("first", a)
          yield* one.hear("first", "held")
          two.acquire("second", a)
          const { waiting } = yield* two.hear("second", "waiting")
          const holder = { run: "first", task: "first", attempt: 1, pid: one.child.pid, ...place.holder }
          assert.deepStrictEqual(waiting, { name: "lock a", holders: [holder], earlier: [] })
          three.acquire("third", a)
          yield* three.hear("third", "waiting")
          one.acquire("fourth", a)
          yield* one.hear("fourth", "waiting")

          yield* one.release("first")
          yield* two.hear("second", "held")
          yield* two.release("second")
          yield* three.hear("third", "held")
          yield* three.release("third")
          yield* one.hear("fourth", "held")
          yield* one.release("fourth")
          assert.deepStrictEqual(yield* place.rowsLeft, { owners: 3, requests: 0, wants: 0 })
        }),
      )

      test.effect(
        "are all or nothing: who waits for two locks holds neither, and opposite orders do not block each other",
        () =>
          Effect.gen(function* () {
            const place = yield* makePlace
            const [one, two] = yield* Effect.all([place.start, place.start])
            one.acquire("a", a)
            yield* one.hear("a", "held")
            two.acquire("both", { locks: ["b", "a"] })
            yield* two.hear("both", "waiting")
            one.acquire("again", { locks: ["a", "b"] })
            yield* one.hear("again", "waiting")
            yield* one.release("a")
            yield* two.hear("both", "held")
            yield* two.release("both")
            yield* one.hear("again", "held")
          }),
      )

      test.effect("let no small request starve a big one, and let one pass that takes nothing from it", () =>
        Effect.gen(function* () {
          const place = yield* makePlace
          const [one, two] = yield* Effect.all([place.start, place.start])
          one.acquire("small", { pools: { pool: 1 } })
          yield* one.hear("small", "held")
          two.acquire("big", { pools: { pool: 3 } })
          yield* two.hear("big", "waiting")
          one.acquire("late", { pools: { pool: 1 } })
          const { waiting } = yield* one.hear("late", "waiting")
          assert.strictEqual(waiting.name, "pool pool")
          assert.deepStrictEqual(
            waiting.earlier.map(({ run }) => run),
            ["big"],
          )
          one.acquire("other", b)
          yield* one.hear("other", "held")
          yield* one.release("small")
          yield* two.hear("big", "held")
          yield* two.release("big")
          yield* one.hear("late", "held")
        }),
      )

      test.effect("serve the higher priority first", () =>
        Effect.gen(function* () {
          const place = yield* makePlace
          const [one, two] = yield* Effect.all([place.start, place.start])
          one.acquire("holder", a)
          yield* one.hear("holder", "held")
          two.acquire("usual", a)
          yield* two.hear("usual", "waiting")
          one.acquire("urgent", a, { priority: 5 })
          yield* one.hear("urgent", "waiting")
          yield* one.release("holder")
          yield* one.hear("urgent", "held")
          yield* one.release("urgent")
          yield* two.hear("usual", "held")
        }),
      )

      test.effect("count the holdings of all against the sizes of who asks", () =>
        Effect.gen(function* () {
          const place = yield* makePlace
          const [one, two] = yield* Effect.all([place.start, place.start])
          one.acquire("two of three", { pools: { pool: 2 }, cpu: 1.5, memory: 60 })
          yield* one.hear("two of three", "held")
          assert.isUndefined(yield* two.refusal("one more", { pools: { pool: 1 } }))
          assert.match(
            (yield* two.refusal("two more", { pools: { pool: 2 } })) ?? "",
            /pool pool, held by run two of three/,
          )
          assert.match((yield* two.refusal("cpu", { cpu: 0.6 })) ?? "", /cpu, held by/)
          assert.match((yield* two.refusal("memory", { memory: 41 })) ?? "", /memory, held by/)
          const narrow = { cpu: 2, memory: 100, gpu: 0, pools: { pool: 2 } }
          two.acquire("narrow", { pools: { pool: 1 } }, { capacity: narrow })
          yield* two.hear("narrow", "waiting")
          yield* one.release("two of three")
          yield* two.hear("narrow", "held")
        }),
      )

      test.effect("leave nothing when a wait is interrupted, and the next in line is served", () =>
        Effect.gen(function* () {
          const place = yield* makePlace
          const [one, two] = yield* Effect.all([place.start, place.start])
          one.acquire("holder", a)
          yield* one.hear("holder", "held")
          two.acquire("gives up", { locks: ["a", "b"] })
          yield* two.hear("gives up", "waiting")
          one.acquire("behind it", b)
          yield* one.hear("behind it", "waiting")
          yield* two.release("gives up")
          yield* one.hear("behind it", "held")
          assert.deepStrictEqual(yield* place.rowsLeft, { owners: 2, requests: 2, wants: 2 })
        }),
      )

      test.effect("go with their process: an orderly end leaves no row and no file", () =>
        Effect.gen(function* () {
          const place = yield* makePlace
          const one = yield* place.start
          one.acquire("holder", a)
          yield* one.hear("holder", "held")
          assert.strictEqual(yield* one.end, 0)
          assert.deepStrictEqual(yield* place.rowsLeft, { owners: 0, requests: 0, wants: 0 })
          assert.deepStrictEqual(readdirSync(place.owners), [])
        }),
      )
    })

    describe("a lease of a run", () => {
      const grouped = { pools: { "concurrency/retrain": 1 } }
      const capacity = { cpu: 1, memory: 1, gpu: 0, pools: grouped.pools }
      const ofRun = (run: string) => ({ run, resources: grouped, capacity, priority: 0 })

      test.effect(
        "keeps another run of its group out, which can fail at once or wait, and names the run that has it",
        () =>
          Effect.gen(function* () {
            const place = yield* makePlace
            const [one, two] = yield* Effect.all([place.start, place.start])
            one.tell({ do: "acquire", id: "run 1", request: ofRun("run 1") })
            yield* one.hear("run 1", "held")
            two.tell({ do: "try", id: "run 2", request: ofRun("run 2") })
            const { message } = yield* two.hear("run 2", "refused")
            assert.include(message, `pool concurrency/retrain, held by run run 1, pid ${one.child.pid}`)
            two.tell({ do: "acquire", id: "run 2", request: ofRun("run 2") })
            const { waiting } = yield* two.hear("run 2", "waiting")
            assert.deepStrictEqual(waiting.holders, [{ run: "run 1", pid: one.child.pid, ...place.holder }])
            yield* one.release("run 1")
            yield* two.hear("run 2", "held")
          }),
      )

      test.effect("goes to the next only when no child process of the dead run is at work", () =>
        Effect.gen(function* () {
          const place = yield* makePlace
          const [one, two] = yield* Effect.all([place.start, place.start])
          one.tell({ do: "acquire", id: "run", request: ofRun("run 1") })
          yield* one.hear("run", "held")
          const file = join(place.home, "child")
          const child = [
            "sh",
            "-c",
            `trap '' INT; echo $$ > "$0"; echo ready; while :; do sleep 0.05; done`,
            file,
          ] as const
          const request = { ...LeaseProcess.request("task", a), run: "run 1" }
          one.tell({ do: "acquire", id: "task", request, child: [...child] })
          yield* one.hear("task", "at work")
          const pid = Number(readFileSync(file, "utf8"))
          const started = lookUp(pid)?.started ?? ""
          two.tell({ do: "acquire", id: "next run", request: ofRun("run 2") })
          yield* two.hear("next run", "waiting")
          yield* one.kill
          yield* two.hear("next run", "held")
          assert.isFalse(isAlive(pid, started))
        }),
      )
    })

    describe("the leases of a process that is killed", () => {
      test.effect("go to the next in line, and its place in the line with them", () =>
        Effect.gen(function* () {
          const place = yield* makePlace
          const [one, two, three] = yield* Effect.all([1, 2, 3].map(() => place.start))
          one.acquire("holder", a)
          yield* one.hear("holder", "held")
          two.acquire("in line", a)
          yield* two.hear("in line", "waiting")
          three.acquire("last", a)
          yield* three.hear("last", "waiting")
          yield* two.kill
          yield* one.kill
          yield* three.hear("last", "held")
          assert.deepStrictEqual(yield* place.rowsLeft, { owners: 1, requests: 1, wants: 1 })
          assert.strictEqual(readdirSync(place.owners).length, 1)
        }),
      )

      test.effect("are given on only when the child processes of its attempts are gone", () =>
        Effect.gen(function* () {
          const place = yield* makePlace
          const [one, two] = yield* Effect.all([place.start, place.start])
          const file = join(place.home, "child")
          const script = `trap '' INT; echo $$ > "$0"; echo ready; while :; do sleep 0.05; done`
          const child = ["sh", "-c", script, file] as const
          one.tell({ do: "acquire", id: "holder", request: LeaseProcess.request("holder", a), child: [...child] })
          yield* one.hear("holder", "at work")
          const other = `${file}.other`
          const alive = ["sh", "-c", `echo $$ > "$0"; echo ready; while :; do sleep 0.05; done`, other] as const
          two.tell({ do: "acquire", id: "untouched", request: LeaseProcess.request("untouched", b), child: [...alive] })
          yield* two.hear("untouched", "at work")
          const [pid, otherPid] = [file, other].map((name) => Number(readFileSync(name, "utf8")))
          const [started, otherStarted] = [pid, otherPid].map((each) => lookUp(each)?.started ?? "")

          two.acquire("next", a)
          yield* two.hear("next", "waiting")
          yield* one.kill
          yield* two.hear("next", "held")
          assert.isFalse(isAlive(pid, started))
          assert.isTrue(isAlive(otherPid, otherStarted))
        }),
      )

      test.effect("do not stand in the way of who does not want to wait", () =>
        Effect.gen(function* () {
          const place = yield* makePlace
          const [one, two] = yield* Effect.all([place.start, place.start])
          one.acquire("holder", a)
          yield* one.hear("holder", "held")
          assert.include(yield* two.refusal("early", a), "held by run holder")
          yield* one.kill
          assert.isUndefined(yield* two.refusal("late", a))
          assert.deepStrictEqual(yield* place.rowsLeft, { owners: 1, requests: 0, wants: 0 })
        }),
      )
    })
  })
})

describe("the leases of a process in the state store", () => {
  it.live("stay while it is only stopped", () =>
    Effect.gen(function* () {
      const home = yield* LeaseProcess.home
      const [one, two] = yield* Effect.all([LeaseProcess.start(home), LeaseProcess.start(home)])
      one.acquire("holder", a)
      yield* one.hear("holder", "held")
      one.child.kill("SIGSTOP")
      assert.include(yield* two.refusal("tries", a), `lock a, held by run holder, pid ${one.child.pid}`)
      two.acquire("waits", a)
      yield* two.hear("waits", "waiting")
      assert.include(yield* two.refusal("tries", a), `held by run holder, pid ${one.child.pid}`)
      one.child.kill("SIGCONT")
      yield* one.release("holder")
      yield* two.hear("waits", "held")
    }),
  )
})

describe("a state store that is removed", () => {
  const remove = (home: string) => {
    for (const suffix of ["", "-wal", "-shm"]) rmSync(join(home, `state.db${suffix}`), { force: true })
  }

  it.live("is made anew when nobody works with it, whatever a killed process had left", () =>
    Effect.gen(function* () {
      const home = yield* LeaseProcess.home
      const one = yield* LeaseProcess.start(home)
      one.acquire("holder", a)
      yield* one.hear("holder", "held")
      yield* one.kill
      remove(home)
      const two = yield* LeaseProcess.start(home)
      two.acquire("next", a)
      yield* two.hear("next", "held")
      assert.strictEqual(readdirSync(join(home, "owners")).length, 1)
    }),
  )

  it.live("gives nobody a lease that a living process may hold, and gives that process no more", () =>
    Effect.gen(function* () {
      const home = yield* LeaseProcess.home
      const [one, two] = yield* Effect.all([LeaseProcess.start(home), LeaseProcess.start(home)])
      one.acquire("holder", a)
      yield* one.hear("holder", "held")
      remove(home)
      two.acquire("newcomer", a)
      const { waiting } = yield* two.hear("newcomer", "waiting")
      assert.include(waiting.name, `process ${one.child.pid}, whose leases were lost`)
      one.acquire("more", b)
      assert.include((yield* one.hear("more", "refused")).message, "removed or replaced")
      yield* one.end
      yield* two.hear("newcomer", "held")
      assert.isTrue(existsSync(join(home, "state.db")))
    }),
  )

  it.live("is opened anew by a process that had nothing in it", () =>
    Effect.gen(function* () {
      const home = yield* LeaseProcess.home
      const one = yield* LeaseProcess.start(home)
      assert.isUndefined(yield* one.refusal("before", a))
      remove(home)
      assert.isUndefined(yield* one.refusal("after", a))
      assert.deepStrictEqual(LeaseProcess.rowsLeft(home), { owners: 1, requests: 0, wants: 0 })
    }),
  )
})
