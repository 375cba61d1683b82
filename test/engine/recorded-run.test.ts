import { join } from "node:path"
import * as Fs from "node:fs/promises"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as RecordedRun from "../../src/engine/recorded-run.ts"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import type { Event } from "../../src/domain/event.ts"
import * as Plan from "../../src/domain/plan.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import * as Project from "../ledger/fixtures/project.ts"

const run = Project.runId(1)
const plan: Plan.Plan = {
  format: 1,
  id: "two",
  params: {},
  env: [],
  audit: "required",
  tasks: [
    { id: "flaky", type: "actor", version: 1, effects: "pure", needs: [], with: {}, retry: { attempts: 3 } },
    { id: "lost", type: "command", version: 1, effects: "once", needs: [], with: {} },
  ],
}

const unknown: ReadonlyArray<Event> = [
  { type: "dev.dandori.attempt.started.v1", data: { task: "lost", attempt: 1 } },
  { type: "dev.dandori.attempt.unknown.v1", data: { task: "lost", attempt: 1, reason: "its process died" } },
]
const pendingRetry: ReadonlyArray<Event> = [
  { type: "dev.dandori.attempt.started.v1", data: { task: "flaky", attempt: 1 } },
  {
    type: "dev.dandori.attempt.failed.v1",
    data: { task: "flaky", attempt: 1, error: { tag: "NotYet", message: "not yet", transient: true } },
  },
  {
    type: "dev.dandori.retry.scheduled.v1",
    data: { task: "flaky", attempt: 2, due: 1_900_000_000_000, delayMillis: 1 },
  },
]
const done: ReadonlyArray<Event> = [
  { type: "dev.dandori.attempt.started.v1", data: { task: "flaky", attempt: 1 } },
  { type: "dev.dandori.attempt.succeeded.v1", data: { task: "flaky", attempt: 1, output: {} } },
]

/** An open run of the plan with these events, as the ledger tells it when its process is gone. */
const recorded = (events: ReadonlyArray<Event>) =>
  Effect.flatMap(Project.folder, (home) =>
    Effect.gen(function* () {
      const planArtifact = yield* (yield* Artifacts).put("plan.json", "application/json", CanonicalJson.encode(plan))
      const created = Project.created()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const writer = yield* (yield* Ledger).create(StreamName.ofRun(run))
          const data = { ...created.data, plan: Plan.digest(plan), planArtifact }
          writer.append({ ...created, data } as Event)
          for (const event of events) writer.append(event)
          yield* writer.durable
        }),
      )
      return yield* RecordedRun.read(home, run)
    }).pipe(Effect.provide(Project.projectAt(home))),
  )

describe("a recorded run without an owner", () => {
  it.live("is interrupted, so that it can be resumed, while a retry is due beside an unknown outcome", () =>
    Effect.gen(function* () {
      const found = yield* recorded([...unknown, ...pendingRetry])
      assert.strictEqual(found.status, "interrupted")
    }),
  )

  it.live("waits for people when nothing but their answer can make it go on", () =>
    Effect.gen(function* () {
      const found = yield* recorded([...done, ...unknown])
      assert.strictEqual(found.status, "waiting")
      const answer = { task: "lost", as: "failed", reason: "looked" } as const
      const resolved = yield* recorded([...done, ...unknown, { type: "dev.dandori.task.resolved.v1", data: answer }])
      assert.strictEqual(resolved.status, "interrupted")
    }),
  )

  it.live("is empty when its process died before the first event was written", () =>
    Effect.flatMap(Project.folder, (home) =>
      Effect.gen(function* () {
        const file = join(home, "ledger", StreamName.segmentPath(StreamName.ofRun(run)))
        yield* Effect.promise(() => Fs.mkdir(join(file, ".."), { recursive: true }))
        yield* Effect.promise(() => Fs.writeFile(file, ""))
        const found = yield* RecordedRun.read(home, run)
        assert.deepInclude(found, { status: "empty", created: StreamName.createdAt(run), entries: [] })
      }).pipe(Effect.provide(Project.ledgerAt(home))),
    ),
  )
})
