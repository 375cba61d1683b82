import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as fc from "fast-check"
import * as EventLine from "../../../src/cli/render/event-line.ts"
import * as Hint from "../../../src/cli/hint.ts"
import * as LiveFrame from "../../../src/cli/render/live-frame.ts"
import * as RunFacts from "../../../src/engine/run-facts.ts"
import * as RunSummary from "../../../src/cli/render/run-summary.ts"
import type { Event } from "../../../src/domain/event.ts"
import type { Plan, PlanTask } from "../../../src/domain/plan.ts"
import { Sha256 } from "../../../src/domain/sha256.ts"

const digest = Sha256.make("a".repeat(64))
const artifact = { name: "plan.json", sha256: digest, bytes: 1, mediaType: "application/json" }

const task = (id: string, more: Partial<PlanTask> = {}): PlanTask => ({
  id: id as PlanTask["id"],
  type: "command",
  version: 1,
  effects: "pure",
  needs: [],
  with: {},
  ...more,
})

const planOf = (tasks: ReadonlyArray<PlanTask>): Plan =>
  ({ format: 1, id: "nightly", params: {}, env: [], audit: "required", tasks }) as Plan

const created: Event = {
  type: "dev.dandori.run.created.v1",
  data: {
    pipeline: "nightly",
    plan: digest,
    planArtifact: artifact,
    config: artifact,
    params: {},
    env: "dev",
    environment: {},
    capacity: { cpu: 4, memory: 1e9, gpu: 0, pools: { gpus: 1 }, attempts: 64 },
    durability: "fsync",
    code: digest,
  },
}
const started = (id: string, attempt = 1): Event => ({
  type: "dev.dandori.attempt.started.v1",
  data: { task: id, attempt },
})
const succeeded = (id: string): Event => ({ type: "dev.dandori.attempt.succeeded.v1", data: { task: id, attempt: 1 } })
const failed = (id: string, message: string): Event => ({
  type: "dev.dandori.attempt.failed.v1",
  data: { task: id, attempt: 1, error: { tag: "Broken", message } },
})

const seen = (plan: Plan, events: ReadonlyArray<Event>, millis = 1_000) => {
  const facts = RunFacts.make(plan)
  events.forEach((event, index) => RunFacts.add(facts, { ...event, time: index * millis, run: "run-1" }))
  return facts
}

const terminal = { columns: 80, rows: 24, colours: false }

describe("frame", () => {
  it("shows each task of a small plan: done, running with its bar and last line, waiting for what", () => {
    const facts = seen(
      planOf([task("seed"), task("train", { needs: ["seed"] }), task("publish", { needs: ["train"] })]),
      [created, started("seed"), succeeded("seed"), started("train")],
    )
    RunFacts.touch(facts, "train").progress = { done: 5, total: 10, unit: "folds", note: "fold 5" }
    RunFacts.touch(facts, "train").log = "loss \u001b[31m0.4\u001b[0m\u0007"
    const lines = LiveFrame.frame(facts, 5_000, terminal).split("\n")
    assert.strictEqual(lines[0], "nightly  run run-1  env dev  5.0 s")
    assert.strictEqual(lines[1], "✓ seed     1.0 s")
    assert.match(lines[2] ?? "", /^. train    2\.0 s  █{10}░{10} 5\/10 folds {2}fold 5$/)
    assert.strictEqual(lines[3], "    loss 0.4")
    assert.strictEqual(lines[4], "· publish  waits for train")
  })

  it("says which lock, pool or resource a ready task waits for", () => {
    const plan = planOf([
      task("a", { resources: { locks: ["model"] } }),
      task("b", { resources: { locks: ["model"] } }),
      task("c", { resources: { pools: { gpus: 1 } } }),
      task("d", { resources: { pools: { gpus: 1 } } }),
    ])
    const text = LiveFrame.frame(seen(plan, [created, started("a"), started("c")]), 3_000, terminal)
    assert.include(text, "b  waits for lock model")
    assert.include(text, "d  waits for pool gpus")
  })

  it("says that the run waits while nothing of it runs: for a cordon, for others, for its time", () => {
    const one = planOf([task("a", { resources: { locks: ["model"] } })])
    const held: Event = { type: "dev.dandori.run.held.v1", data: { cordon: "ir-1", reason: "full" } }
    const lines = (facts: RunFacts.RunFacts) => LiveFrame.frame(facts, 3_000, terminal).split("\n")
    const why = "cordon ir-1 to be lifted (full)"
    assert.deepEqual(lines(seen(one, [created, held])), [
      `nightly  run run-1  env dev  3.0 s  waits for ${why}`,
      `⏸ a  waits for ${why}`,
    ])
    const released: Event = { type: "dev.dandori.run.released.v1", data: { cordon: "ir-1" } }
    const facts = seen(one, [created, held, released])
    assert.deepEqual(lines(facts), ["nightly  run run-1  env dev  3.0 s", "· a"])
    RunFacts.touch(facts, "a").waiting = { name: "lock model", holders: [{ run: "other", pid: 7 }], earlier: [] }
    const lock = "waits for lock model, held by run other, pid 7"
    assert.deepEqual(lines(facts), [`nightly  run run-1  env dev  3.0 s  ${lock}`.slice(0, 79) + "…", `⏸ a  ${lock}`])
    const due: Event = {
      type: "dev.dandori.retry.scheduled.v1",
      data: { task: "a", attempt: 2, due: 9_000, delayMillis: 1 },
    }
    const broken: Event = {
      type: "dev.dandori.attempt.failed.v1",
      data: { task: "a", attempt: 1, error: { tag: "NotYet", message: "not yet", transient: true } },
    }
    const flaky = planOf([
      task("a", { retry: { attempts: 2, backoff: { initial: 1, factor: 1, max: 1, jitter: "none" } } }),
    ])
    const retrying = lines(seen(flaky, [created, started("a"), broken, due]))
    assert.strictEqual(retrying[0], "nightly  run run-1  env dev  3.0 s  waits for attempt 2 in 6.0 s")
    assert.strictEqual(retrying[1], "↻ a  attempt 2 in 6.0 s  NotYet")
  })

  it("of a matrix says that it waits while none of its instances runs", () => {
    const plan = planOf([
      task("a"),
      task("m", { matrix: { values: { n: [1, 2] } }, resources: { locks: ["model"] } } as Partial<PlanTask>),
    ])
    const expanded: Event = { type: "dev.dandori.matrix.expanded.v1", data: { task: "m", count: 2 } } as Event
    const facts = seen(plan, [created, expanded, started("a")])
    RunFacts.touch(facts, "m[0]").waiting = { name: "lock model", holders: [{ run: "other", pid: 7 }], earlier: [] }
    RunFacts.touch(facts, "m[1]").waiting = { name: "lock model", holders: [], earlier: [] }
    const waits = LiveFrame.frame(facts, 3_000, terminal)
    assert.include(waits, "⏸ m  0 of 2 instances have ended, waits for lock model, held by run other, pid 7")
    RunFacts.add(facts, { ...started("m[0]"), time: 3_000, run: "run-1" })
    assert.match(LiveFrame.frame(facts, 3_000, terminal), /[^⏸] m {2}0 of 2 instances have ended$/m)
  })

  it("shows an error beneath its task and why the next one was skipped", () => {
    const plan = planOf([task("a"), task("b", { needs: ["a"] })])
    const skipped: Event = {
      type: "dev.dandori.task.skipped.v1",
      data: { task: "b", reason: "a task that it needs did not succeed" },
    }
    const lines = LiveFrame.frame(
      seen(plan, [created, started("a"), failed("a", "no\nroom"), skipped]),
      3_000,
      terminal,
    ).split("\n")
    assert.deepEqual(lines.slice(1), [
      "✗ a  1.0 s",
      "    no room",
      "– b  skipped: a task that it needs did not succeed",
    ])
  })

  it("of 5,000 tasks shows what runs and what failed, and counts the rest", () => {
    const tasks = Array.from({ length: 5_000 }, (_, index) => task(`task-${index}`))
    const events = [created, ...tasks.slice(0, 3_000).flatMap(({ id }) => [started(id), succeeded(id)])]
    const facts = seen(
      planOf(tasks),
      [...events, started("task-4000"), failed("task-4000", "broken"), started("task-4001")],
      1,
    )
    const text = LiveFrame.frame(facts, 9_000, terminal)
    assert.include(text, "task-4001")
    assert.include(text, "    broken")
    assert.include(text, "1 running, 3,000 succeeded, 1 failed, 1,998 waiting")
    assert.isAtMost(text.split("\n").length, terminal.rows - 1)
  })

  it("is never wider or higher than the terminal, whatever tasks are called and say", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 60 })
    fc.assert(
      fc.property(
        fc.array(fc.record({ log: text, note: text, error: text, way: fc.nat(3) }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 20, max: 120 }),
        fc.integer({ min: 6, max: 40 }),
        fc.boolean(),
        (said, columns, rows, colours) => {
          const tasks = said.map((_, index) => task(`task-段取り-${index}`))
          const events = said.flatMap(({ error, way }, index): ReadonlyArray<Event> => {
            const { id } = tasks[index] ?? task("none")
            return way === 0
              ? []
              : way === 1
                ? [started(id)]
                : way === 2
                  ? [started(id), failed(id, error)]
                  : [started(id), succeeded(id)]
          })
          const facts = seen(planOf(tasks), [created, ...events])
          said.forEach(({ log, note }, index) => {
            Object.assign(RunFacts.touch(facts, tasks[index]?.id ?? ""), { log, progress: { done: 1, total: 3, note } })
          })
          const lines = LiveFrame.frame(facts, 1e6, { columns, rows, colours }).split("\n")
          assert.isBelow(lines.length, rows)
          for (const line of lines) assert.isAtMost(Bun.stringWidth(line), columns)
          // oxlint-disable-next-line no-control-regex
          for (const line of lines) assert.notMatch(Bun.stripANSI(line), /[\u0000-\u001f\u007f]/)
        },
      ),
      { numRuns: 100 },
    )
  })
})

describe("event lines", () => {
  const said = (events: ReadonlyArray<Event>, gravely = false) => {
    const facts = RunFacts.make(planOf([task("a")]))
    return events.flatMap((event, index) => {
      const timed = { ...event, time: index * 1_000 }
      RunFacts.add(facts, timed)
      const line = EventLine.eventLine(facts, timed, { width: 7, colours: false, gravely })
      return line === undefined ? [] : [line.slice(9)]
    })
  }

  it("tell what happened to which task, with times", () => {
    const retry: Event = {
      type: "dev.dandori.retry.scheduled.v1",
      data: { task: "a", attempt: 1, due: 9, delayMillis: 2_500 },
    }
    assert.deepEqual(said([created, started("a"), failed("a", "no\nroom"), retry, started("a", 2)]), [
      "nightly  run started, env dev",
      "a        started",
      "a        failed in 1.0 s: no room",
      "a        will be tried again in 2.5 s",
      "a        started, attempt 2",
    ])
  })

  it("with --quiet tell only what went wrong", () => {
    assert.deepEqual(said([created, started("a"), failed("a", "no room")], true), ["a        failed in 1.0 s: no room"])
  })
})

describe("summary", () => {
  const hint = Hint.of({ env: Option.none(), server: Option.none() })
  const options = { run: "run-1", hint, home: "/home/.dandori", colours: false, now: 5_000, table: true, quiet: false }

  it("of a run that waits for people says how to resolve what is unknown", () => {
    const unknown: Event = {
      type: "dev.dandori.attempt.unknown.v1",
      data: { task: "pay", attempt: 1, reason: "it has no probe" },
    }
    const facts = seen(planOf([task("pay", { effects: "once" })]), [created, started("pay"), unknown])
    const text = RunSummary.summary(facts, [], options)
    assert.match(text, /^nightly waits for people, after 5\.0 s {2}run run-1\n/)
    assert.include(text, "it has no probe")
    assert.include(text, "dandori runs resolve run-1 pay --as ")
    assert.include(text, "dandori runs resume run-1")
  })

  it("keeps to a screen when hundreds of tasks failed", () => {
    const tasks = Array.from({ length: 300 }, (_, index) => task(`task-${index}`))
    const facts = seen(planOf(tasks), [created, ...tasks.flatMap(({ id }) => [started(id), failed(id, "broken")])], 1)
    const text = RunSummary.summary(facts, [], options)
    assert.include(text, "300 failed")
    assert.include(text, "… and 288 more tasks: dandori runs show run-1")
    assert.isBelow(text.split("\n").length, 60)
  })
})
