import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Event } from "../../src/domain/event.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as Chain from "../../src/ledger/chain.ts"
import * as RootTestimonies from "../../src/ledger/root-testimonies.ts"
import { genesis, seal } from "../../src/ledger/sealing.ts"
import * as Testimony from "../../src/ledger/testimony.ts"
import { Bookmarks } from "../../src/services/bookmarks.ts"
import * as Chance from "../../src/simulation/chance.ts"

const author = { source: "dandori://dev/test", authid: "tester", authtype: "user" } as const
const runOf = (n: number) => `019d0000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`

/** Something that the root may say, also twice, of one of twenty runs or of two streams that never end. */
const drawn = (chance: Chance.Chance): Event => {
  const run = runOf(chance.draw(20))
  const stream = chance.among([`runs/${run}`, `runs/${run}`, `runs/${run}`, "system", "schedules/dev"])
  const [entries, head] = [chance.draw(3) + 1, Sha256.of(`${stream} ${chance.draw(3)}`)]
  const is = chance.among(["opened", "opened", "closed", "closed", "purged"])
  if (is === "opened") return { type: "dev.dandori.stream.opened.v1", data: { stream, first: Sha256.of(stream) } }
  if (is === "closed") return { type: "dev.dandori.stream.closed.v1", data: { stream, entries, head } }
  return {
    type: "dev.dandori.run.purged.v1",
    data: { run, stream: `runs/${run}`, entries, head, rule: "older than 30 days" },
  }
}

describe("what the root says of the streams", () => {
  it.effect("is the same read on piece by piece as read whole, but for what is not kept of purged runs", () =>
    Effect.gen(function* () {
      for (let seed = 0; seed < 100; seed++) {
        const chance = Chance.make(seed)
        let text = ""
        let head = genesis("root")
        const bytesFrom = (from: number) => Effect.sync(() => Buffer.from(text.slice(from)))
        const kept = new Map<string, string>()
        const withBookmarks = Effect.provideService(Bookmarks, {
          every: 200,
          read: (name) => Effect.sync(() => kept.get(name)),
          write: (name, json) => Effect.sync(() => void kept.set(name, json)),
        })
        const testimonies = withBookmarks(RootTestimonies.make(bytesFrom))
        for (let id = 0; id < 60; id++) {
          const sealed = seal(head, author, drawn(chance), {
            id: `00000000-0000-7000-8000-${id.toString(16).padStart(12, "0")}`,
            subject: "root",
            time: id,
          })
          text += sealed.line
          head = sealed.head
          if (!chance.hits(0.3)) continue
          const now = yield* testimonies
          const whole = Testimony.testimonies(Chain.read("root", Buffer.from(text)).entries)
          assert.strictEqual(now.entries, id + 1)
          const there = [...whole].filter(([, { purged }]) => purged === undefined)
          assert.deepStrictEqual(new Set(now.streams()), new Set(there.map(([stream]) => stream)), `seed ${seed}`)
          for (const [stream, said] of whole) {
            assert.strictEqual(now.isPurged(stream), said.purged !== undefined, `seed ${seed}, ${stream}`)
            if (said.purged !== undefined) assert.isUndefined(now.of(stream))
            else if (stream.startsWith("runs/")) assert.deepStrictEqual(now.of(stream), said, `seed ${seed}`)
            else assert.deepStrictEqual(now.of(stream), { ...said, closed: said.closed.slice(-1) }, `seed ${seed}`)
            assert.strictEqual(RootTestimonies.isOver(now, stream), said.closed.length > 0 || said.purged !== undefined)
          }
          assert.isFalse(now.isPurged(`runs/${runOf(999)}`))
          // Who begins at the bookmark that was left knows the same.
          const other = yield* RootTestimonies.make(bytesFrom).pipe(withBookmarks)
          assert.deepStrictEqual([other.entries, other.end], [now.entries, now.end])
          assert.sameMembers([...other.streams()], [...now.streams()])
          for (const stream of whole.keys()) {
            assert.deepStrictEqual(other.of(stream), now.of(stream), `seed ${seed}`)
            assert.strictEqual(other.isPurged(stream), now.isPurged(stream))
          }
        }
      }
    }),
  )
})
