import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as fc from "fast-check"
import * as Hint from "../../../src/cli/hint.ts"
import * as EvacuationFacts from "../../../src/cli/render/evacuation-facts.ts"
import * as EvacuationFrame from "../../../src/cli/render/evacuation-frame.ts"
import * as EvacuationView from "../../../src/cli/render/evacuation-view.ts"
import * as Statement from "../../../src/cli/render/evacuation-statement.ts"
import * as RunFacts from "../../../src/engine/run-facts.ts"
import * as Outcome from "../../../src/domain/evacuation-outcome.ts"
import type { Event } from "../../../src/domain/event.ts"
import * as Watched from "./evacuation-watched.ts"

const hint = Hint.of({ env: Option.none(), server: Option.none() })

const start = Date.UTC(2026, 2, 4)

const inFolder = <A>(use: (folder: string) => A): A => {
  const folder = Fs.mkdtempSync(join(tmpdir(), "incident-"))
  try {
    return use(folder)
  } finally {
    Fs.rmSync(folder, { recursive: true, force: true })
  }
}

const watched = (events: ReadonlyArray<Event>, deadline?: number) => {
  const facts = EvacuationFacts.make(Watched.plan, {
    deadline,
    drill: false,
    named: undefined,
    project: "/srv/project",
  })
  for (const event of Watched.timed(events)) RunFacts.add(facts.run, event)
  return facts
}

const until = (folder: string, step: Outcome.Step): ReadonlyArray<Event> => {
  const answers = Watched.answers(folder)
  const before = Outcome.steps.slice(0, Outcome.steps.indexOf(step))
  return [
    Watched.created,
    ...before.flatMap((task) => [Watched.started(task), Watched.succeeded(task, answers[task])]),
    Watched.started(step),
  ]
}

const terminal = { columns: 100, rows: 24, colours: false }

describe("the screen of an evacuation", () => {
  it("shows the ten steps, what is taken now, what is done and left, how fast, until when, what failed, and the folder", () =>
    inFolder((folder) => {
      const facts = watched(until(folder, "push"), start + 70_000)
      Watched.writeFolder(folder, 1_000, start + 20_000)
      EvacuationFacts.look(facts)
      Watched.writeFolder(folder, 2_000, start + 25_000)
      EvacuationFacts.look(facts)
      const lines = EvacuationFrame.frame(facts, start + 25_000, terminal).split("\n")
      assert.isAtMost(lines.length, terminal.rows)
      const text = lines.join("\n")
      for (const step of Outcome.steps) assert.match(text, new RegExp(`^. ${step}\\b`, "m"))
      assert.match(text, /deadline \d\d:\d\d:\d\d, in 45\.0 s/)
      assert.include(
        text,
        "2 of 1,204 objects, 1.9 GiB of 2.8 GiB, left 1,199, 953.7 MiB, 190.7 MiB/s, about 5.0 s more".slice(0, 99),
      )
      assert.include(text, "now models/model_a.joblib, logs/api.log")
      assert.include(text, "collector journal failed: journalctl ended with 1")
      assert.include(text, "3 not taken; why is in not-taken.ndjson")
      assert.include(text, `incident IR-1  ${folder}`.slice(0, 99))
      assert.notInclude(text, "\u001b")
    }))

  it("is never higher or wider than the terminal", () =>
    inFolder((folder) => {
      Watched.writeFolder(folder, 1_000, start)
      fc.assert(
        fc.property(
          fc.constantFrom(...Outcome.steps),
          fc.integer({ min: 20, max: 200 }),
          fc.integer({ min: 6, max: 60 }),
          (step, columns, rows) => {
            const facts = watched([...until(folder, step), Watched.failed(step, "it is broken ".repeat(20))], start)
            EvacuationFacts.look(facts)
            const lines = EvacuationFrame.frame(facts, start, { columns, rows, colours: true }).split("\n")
            assert.isAtMost(lines.length, rows)
            for (const line of lines) assert.isAtMost(Bun.stringWidth(line), columns)
          },
        ),
      )
    }))

  it("says each collector that failed and each tenth of the push once, however often it looks", () =>
    inFolder((folder) => {
      const facts = watched(until(folder, "push"))
      const news = EvacuationView.news(facts)
      const said: Array<string> = []
      for (const [index, done] of [0, 0, 310, 320, 1_600, 1_600, 3_000, 3_000].entries()) {
        Watched.writeFolder(folder, done, start + index * 1_000)
        EvacuationFacts.look(facts)
        said.push(...news())
      }
      assert.strictEqual(said.length, 4)
      assert.strictEqual(new Set(said).size, 4)
      assert.match(said[0], /^collector journal failed/)
    }))

  it("goes on when the folder is gone or holds something else", () =>
    inFolder((folder) => {
      const facts = watched(until(folder, "push"))
      Fs.mkdirSync(join(folder, "bundles"), { recursive: true })
      Fs.writeFileSync(join(folder, "bundles", "progress.json"), "[]")
      EvacuationFacts.look(facts)
      assert.isUndefined(EvacuationFrame.amounts(facts))
      Fs.rmSync(folder, { recursive: true })
      EvacuationFacts.look(facts)
      assert.deepStrictEqual(EvacuationFrame.troubles(facts), [])
    }))
})

const outcomeOf = (changed: Readonly<Record<string, unknown>> = {}) => {
  const answers = { ...Watched.answers("/incidents/IR-1"), ...changed }
  const events = Object.entries(answers).flatMap(([task, output]) =>
    output === undefined
      ? [Watched.started(task), Watched.failed(task, `${task} is broken`)]
      : [Watched.started(task), Watched.succeeded(task, output)],
  )
  return EvacuationFacts.outcomeOf(watched([Watched.created, ...events]))
}

const push = Watched.answers("").push as object

/** All of it is in a folder of this machine. */
const sealed = { ...push, rung: "sealed", location: "/srv/project/.dandori/sealed", away: false }

describe("the statement at the end of an evacuation", () => {
  it("says COMPLETE with where it is and what was verified, and nothing to do", () => {
    const outcome = outcomeOf()
    assert.deepStrictEqual(Statement.statement(outcome, false, hint).split("\n"), [
      "COMPLETE  1,204 objects, 2.8 GiB, are in s3://vault/ml; 1,204 objects there were verified by digest.",
      "Incident:  /incidents/IR-1",
      "Record:    /incidents/IR-1/report.html",
      "Exit code: 0",
    ])
    assert.deepInclude(Statement.statementJson(outcome, hint), {
      v: 1,
      kind: "evacuation",
      outcome: "complete",
      exitCode: 0,
    })
  })

  it("takes an incident for a drill when it was opened as one, whatever this call says", () => {
    const open = { incident: "IR-1", folder: "/incidents/IR-1", drill: true }
    const outcome = outcomeOf({ open, cordon: { raised: false }, stop: { complete: false, remaining: [] } })
    assert.strictEqual(Outcome.exitCodeOf(outcome), 0)
    assert.include(
      Statement.statement(outcome, false, hint),
      "It was a drill: nothing was stopped and no cordon is raised.",
    )
  })

  it("says PARTIAL with what is missing and the very command that goes on", () => {
    const text = Statement.statement(outcomeOf({ push: { ...push, notTaken: 3, complete: false } }), false, hint)
    assert.match(text, /^PARTIAL {2}not everything is done/)
    assert.include(text, "  - 3 files were not taken")
    assert.include(text, "Go on:     dandori evacuate --incident IR-1\n")
    assert.include(text, "Exit code: 14")
  })

  it("says NOT AWAY where all of it is in the sealed folder only", () => {
    const text = Statement.statement(outcomeOf({ push: sealed }), false, hint)
    assert.match(text, /^NOT AWAY {2}nothing has left this machine.*only in \/srv\/project\/\.dandori\/sealed/)
    assert.include(text, "Go on:     dandori evacuate --incident IR-1 --destination ")
    assert.include(text, "Exit code: 14")
  })

  it("says REFUSED with which destination and why", () => {
    const refusals = [{ rung: "offsite", reason: "it says ok and stores nothing", refused: true }]
    const text = Statement.statement(outcomeOf({ push: { ...push, away: false, refusals } }), false, hint)
    assert.match(text, /^REFUSED /)
    assert.include(text, "  - offsite is not to be trusted: it says ok and stores nothing")
    assert.include(text, "Exit code: 15")
  })

  it("says what failed of tasks whose failure does not end the run", () => {
    const outcome = outcomeOf({ stop: undefined })
    assert.deepStrictEqual(outcome.failed, [{ step: "stop", message: "stop is broken" }])
    assert.include(Statement.statement(outcome, false, hint), "  - stop failed: stop is broken")
    assert.strictEqual(Statement.statementJson(outcome, hint).next, "dandori evacuate --incident IR-1")
  })

  it("goes on in the environment that it was called for", () => {
    const prod = Hint.of({ env: Option.some("prod"), server: Option.none() })
    const command = "dandori evacuate --incident IR-1"
    assert.strictEqual(Statement.statementJson(outcomeOf({ stop: undefined }), prod).next, `${command} --env prod`)
    const nowhere = Statement.statement(outcomeOf({ push: sealed }), false, prod)
    assert.include(nowhere, `Go on:     ${command} --destination s3://bucket/prefix --env prod\n`)
  })

  it("tells an evacuation that was cut off or timed out anywhere from a complete one", () => {
    const folder = "/incidents/IR-1"
    for (const step of Outcome.steps) {
      const running = until(folder, step)
      const late: Event = {
        type: "dev.dandori.attempt.timed_out.v1",
        data: { task: step, attempt: 1, timeoutMillis: 5 },
      }
      for (const events of [running, [...running, late]]) {
        const outcome = EvacuationFacts.outcomeOf(watched(events))
        assert.notStrictEqual(Outcome.exitCodeOf(outcome), 0, step)
        assert.notMatch(Statement.statement(outcome, false, hint), /^COMPLETE/)
      }
    }
  })
})

describe("an evacuation that is watched", () => {
  const show = (how: string, folder: string) => {
    const { stderr, stdout } = Bun.spawnSync(
      [process.execPath, join(import.meta.dirname, "evacuation-view.fixture.ts"), how, folder],
      { env: { ...process.env, NO_COLOR: "1" } },
    )
    return { stdout: stdout.toString(), stderr: stderr.toString() }
  }

  it("by a program gives a JSON value a line for each thing a step does, and at last the outcome", () =>
    inFolder((folder) => {
      const { stderr, stdout } = show("json", folder)
      const lines = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
      assert.strictEqual(stderr, "")
      assert.isTrue(lines.every(({ kind, v }) => v === 1 && kind === "evacuation"))
      assert.deepStrictEqual(
        lines.slice(0, -1).map(({ status, step }) => `${step} ${status}`),
        Outcome.steps.flatMap((step) => [`${step} started`, `${step} ${step === "stop" ? "failed" : "succeeded"}`]),
      )
      assert.deepInclude(lines[1], { incident: "IR-1", run: "run-1", time: "2026-03-04T00:00:02.000Z", millis: 1_000 })
      const end = lines.at(-1)
      assert.deepInclude(end, { incident: "IR-1", folder, outcome: "partial", exitCode: 14 })
      assert.deepStrictEqual(end?.next, "dandori evacuate --incident IR-1")
    }))

  it("without a terminal gives a line for each thing as it happens, none of them twice, and the statement", () =>
    inFolder((folder) => {
      Watched.writeFolder(folder, 3_000, start)
      const { stderr, stdout } = show("lines", folder)
      const lines = stderr.trim().split("\n")
      assert.strictEqual(new Set(lines).size, lines.length)
      assert.match(stderr, /stop {6}failed in 1\.0 s: no process table$/m)
      assert.match(stderr, /collector journal failed: journalctl ended with 1/)
      assert.strictEqual(lines.filter((line) => line.startsWith("incident IR-1")).length, 1)
      assert.match(stdout, /^PARTIAL /)
      assert.notInclude(`${stdout}${stderr}`, "\u001b")
    }))

  it("says how to go on with an evacuation that is left before its end", () =>
    inFolder((folder) => {
      assert.include(show("left", folder).stderr, "To go on: dandori evacuate --incident IR-1")
    }))
})
