import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import * as Queue from "../../src/services/lease-queue.ts"

const capacity = { cpu: 2, memory: 100, gpu: 1, pools: { p: 3, q: 1 } }

const amount = (most: number) => FastCheck.option(FastCheck.integer({ min: 1, max: most }), { nil: undefined })
const resources = FastCheck.record({
  cpu: amount(2),
  memory: amount(100),
  p: amount(3),
  q: amount(1),
  locks: FastCheck.subarray(["a", "b"]),
}).map(({ cpu, locks, memory, p, q }) => ({
  ...(cpu === undefined ? {} : { cpu }),
  ...(memory === undefined ? {} : { memory }),
  pools: { ...(p === undefined ? {} : { p }), ...(q === undefined ? {} : { q }) },
  locks,
}))
const steps = FastCheck.array(
  FastCheck.oneof(
    FastCheck.record({ ask: resources, priority: FastCheck.integer({ min: 0, max: 2 }) }),
    FastCheck.record({ release: FastCheck.nat() }),
  ),
  { maxLength: 40 },
)

/** A queue as a process would keep it: requests with their wants, each waiting or held. */
const makeQueue = () => {
  const requests = new Map<number, { priority: number; held: boolean; wants: ReadonlyArray<Queue.Want> }>()
  let last = 0
  const entries = () =>
    [...requests].flatMap(([ticket, { held, priority, wants }]) =>
      wants.map((want) => ({ ...want, ticket, priority, held })),
    )
  const lacks = (ticket: number) => {
    const request = requests.get(ticket)
    return request === undefined ? [] : Queue.lacks({ ticket, priority: request.priority }, request.wants, entries())
  }
  return {
    requests,
    entries,
    lacks,
    ask: (wants: ReadonlyArray<Queue.Want>, priority: number) => {
      requests.set(++last, { priority, held: false, wants })
      return last
    },
    /** Who waits and could have all, in the order of tickets. */
    ready: () => [...requests].filter(([ticket, { held }]) => !held && lacks(ticket).length === 0).map(([t]) => t),
    waiting: () => [...requests].filter(([, { held }]) => !held).map(([ticket]) => ticket),
  }
}

describe("the queue of requests", () => {
  it("never gives more of a thing than there is, and serves everybody when holders go", () => {
    FastCheck.assert(
      FastCheck.property(steps, FastCheck.infiniteStream(FastCheck.nat()), (all, chance) => {
        const queue = makeQueue()
        const settle = () => {
          for (let ready = queue.ready(); ready.length > 0; ready = queue.ready()) {
            const chosen = queue.requests.get(ready[(chance.next().value as number) % ready.length])
            assert.isDefined(chosen)
            chosen.held = true
            const held = queue.entries().filter((entry) => entry.held)
            for (const { name, size } of held) {
              const taken = held.filter((entry) => entry.name === name).reduce((sum, entry) => sum + entry.amount, 0)
              assert.isAtMost(taken, size)
            }
          }
        }
        for (const step of all) {
          if ("ask" in step) queue.ask(Queue.wantsOf({ capacity, resources: step.ask }), step.priority)
          else queue.requests.delete(step.release)
          settle()
        }
        while (queue.requests.size > 0) {
          const held = [...queue.requests].filter(([, each]) => each.held)
          assert.isAbove(held.length, 0, "nobody holds anything, and somebody waits")
          queue.requests.delete(held[0][0])
          settle()
        }
      }),
    )
  })

  it("lets a later request have nothing that an earlier one could have had without it", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(resources, { minLength: 2, maxLength: 12 }), (asked) => {
        const queue = makeQueue()
        for (const each of asked) {
          queue.ask(Queue.wantsOf({ capacity, resources: each }), 0)
          for (const ticket of queue.ready()) {
            const before = queue.waiting().filter((other) => other < ticket)
            const lacked = before.map((other) => queue.lacks(other).map(({ name }) => name))
            const request = queue.requests.get(ticket)
            assert.isDefined(request)
            request.held = true
            // What the earlier ones wait for has not become more.
            assert.deepStrictEqual(
              before.map((other) => queue.lacks(other).map(({ name }) => name)),
              lacked,
            )
          }
        }
      }),
    )
  })

  it("lets a request pass one that waits for something else, as long as enough is left for it", () => {
    const queue = makeQueue()
    const ask = (wanted: Parameters<typeof Queue.wantsOf>[0]["resources"]) => {
      const ticket = queue.ask(Queue.wantsOf({ capacity, resources: wanted }), 0)
      const request = queue.requests.get(ticket)
      assert.isDefined(request)
      const lacking = queue.lacks(ticket).map(({ name }) => name)
      request.held = lacking.length === 0
      return lacking
    }
    assert.deepStrictEqual(ask({ locks: ["a"] }), [])
    assert.deepStrictEqual(ask({ locks: ["a"], cpu: 1 }), ["lock a"])
    assert.deepStrictEqual(ask({ cpu: 1 }), [])
    assert.deepStrictEqual(ask({ cpu: 1 }), ["cpu"])
    assert.deepStrictEqual(ask({ locks: ["b"] }), [])
  })

  it("names wants once each and in one order, and nothing for what is not asked", () => {
    const wants = Queue.wantsOf({ capacity, resources: { locks: ["b", "a", "b"], pools: { q: 1, p: 2 }, cpu: 0 } })
    assert.deepStrictEqual(
      wants.map(({ amount, name, size }) => [name, amount, size]),
      [
        ["lock a", 1, 1],
        ["lock b", 1, 1],
        ["pool p", 2, 3],
        ["pool q", 1, 1],
      ],
    )
    assert.deepStrictEqual(Queue.wantsOf({ capacity, resources: { pools: {} } }), [])
  })
})
