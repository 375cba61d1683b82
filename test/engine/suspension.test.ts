import { assert, describe, it } from "@effect/vitest"
import type { Event } from "../../src/domain/event.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as Suspension from "../../src/engine/suspension.ts"
import * as Chain from "../../src/ledger/chain.ts"
import { genesis, seal } from "../../src/ledger/sealing.ts"

const author = { source: "dandori://dev/test", authid: "tester", authtype: "user" } as const
const stream = "runs/019d0000-0000-7000-8000-000000000001"
const capacity = { cpu: 1, memory: 1, gpu: 0, pools: {}, attempts: 1 }

const started = (task: string, attempt: number): Event => ({
  type: "dev.dandori.attempt.started.v1",
  data: { task, attempt },
})
const suspended = (...interrupted: ReadonlyArray<string>): Event => ({
  type: "dev.dandori.run.suspended.v1",
  data: { interrupted },
})
const resumed: Event = {
  type: "dev.dandori.run.resumed.v1",
  data: { code: Sha256.of("code"), capacity, stopped: [] },
}
const lost = (task: string, attempt: number): Event => ({
  type: "dev.dandori.attempt.lost.v1",
  data: { task, attempt, reason: "", orderly: true },
})

/** The entries of a run of which these events are on record. */
const entries = (events: ReadonlyArray<Event>) => {
  let head = genesis(stream)
  const lines = events.map((event, index) => {
    const id = `00000000-0000-7000-8000-${index.toString(16).padStart(12, "0")}`
    const sealed = seal(head, author, event, { id, subject: stream, time: 0 })
    head = sealed.head
    return sealed.line
  })
  return Chain.read(stream, new TextEncoder().encode(lines.join(""))).entries
}

const again = [started("a", 1), suspended("a"), resumed, lost("a", 1)]

describe("the attempts that a process interrupted before it let go of a run", () => {
  for (const [what, events, found] of [
    ["are those that it says", [started("a", 1), started("b", 1), suspended("a", "b")], ["a", "b"]],
    ["are not those of a process that died", [started("a", 1)], []],
    ["are so also where the next process died before it closed them", again.slice(0, 3), ["a"]],
    ["do not make those that follow them such", [...again, started("a", 2)], []],
    ["are those of their own task alone", [...again, started("b", 1)], ["a"]],
  ] as ReadonlyArray<[string, ReadonlyArray<Event>, ReadonlyArray<string>]>) {
    it(what, () => {
      const all = entries(events)
      assert.lengthOf(all, events.length)
      assert.deepStrictEqual([...Suspension.interruptedIn(all)].toSorted(), found)
    })
  }
})
