import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Attempt } from "../../src/services/attempt.ts"
import * as NotifierEmbedded from "../../src/services/notifier-embedded.ts"
import notify, { type Input } from "../../tasks/notify/index.ts"
import { hastened } from "../support/virtual-time.ts"
import * as Workplace from "./workplace.ts"

const given = (root: string) => Layer.provideMerge(NotifierEmbedded.layer(), Workplace.attempt(root))
const send = (root: string, input: typeof Input.Type) =>
  notify.run(input).pipe(Effect.provide(given(root)), Effect.scoped)
const alerts = (root: string) =>
  Effect.promise(async () => (await Fs.readFile(join(root, "alerts.ndjson"), "utf8")).trim().split("\n"))

describe("notify", () => {
  it.live("sends with the severity info and the task's name as title where nothing else is said", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const sent = yield* send(root, { channel: "file", text: "done" })
      assert.deepStrictEqual(sent.to, ["file:alerts.ndjson"])
      const [line] = yield* alerts(root)
      assert.deepInclude(JSON.parse(line), { id: sent.id, severity: "info", title: "test/work", text: "done" })
    }),
  )

  it.live("sends once for however many attempts of a task", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const input = { channel: "file", text: "done", severity: "warning" } as const
      const first = yield* send(root, input)
      assert.deepStrictEqual(yield* send(root, input), first)
      assert.strictEqual((yield* alerts(root)).length, 1)
    }),
  )

  it.effect("succeeds when the message cannot be delivered, and keeps it", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* Effect.promise(() => Fs.mkdir(join(root, "alerts.ndjson")))
      const sent = yield* hastened(send(root, { channel: "file", text: "done" }))
      const waiting = yield* Effect.promise(() => Fs.readdir(join(root, ".dandori", "outbox", "pending")))
      assert.deepStrictEqual(waiting, [`${sent.id}.json`])
    }),
  )

  it.live("refuses a channel that is not configured, naming those that are", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const error = yield* Effect.flip(send(root, { channel: "nobody", text: "done" }))
      assert.strictEqual(error._tag, "UnknownChannel")
      assert.include(error.message, "ops, file, chat, pager")
    }),
  )

  const alone = (changed: Partial<Attempt["Service"]>, input: typeof Input.Type) =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const own = Layer.effect(
        Attempt,
        Effect.map(Attempt, (attempt) => ({ ...attempt, ...changed })),
      ).pipe(Layer.provideMerge(given(root)))
      yield* notify.run(input).pipe(Effect.provide(own), Effect.scoped)
      const [line] = yield* alerts(root)
      return JSON.parse(line)
    })

  it.live("is about the pipeline's failure where it handles one, and about nothing elsewhere", () =>
    Effect.gen(function* () {
      const input = { channel: "file", text: "done" }
      for (const handles of ["failed", "timed_out", "lost"] as const) {
        assert.strictEqual((yield* alone({ handles }, input)).dedupKey, "dandori/dev/test", handles)
      }
      for (const handles of ["succeeded", "warned", "cancelled"] as const) {
        assert.notProperty(yield* alone({ handles }, input), "dedupKey", handles)
      }
      assert.notProperty(yield* alone({}, input), "dedupKey")
    }),
  )

  it.live("acknowledges and resolves the pipeline's failure, or what the author names", () =>
    Effect.gen(function* () {
      for (const action of ["acknowledge", "resolve"] as const) {
        const own = yield* alone({}, { channel: "file", text: "done", action })
        assert.deepInclude(own, { action, dedupKey: "dandori/dev/test" })
        const named = yield* alone({}, { channel: "file", text: "done", action, dedupKey: "disk" })
        assert.deepInclude(named, { action, dedupKey: "disk" })
      }
    }),
  )

  it.live("says where it comes from and where to look", () =>
    Effect.gen(function* () {
      const links = [{ text: "the run", url: "https://host/runs" }]
      const line = yield* alone({ run: "r1" }, { channel: "file", text: "done", links })
      assert.deepStrictEqual(line.links, links)
      assert.deepStrictEqual(line.from, { pipeline: "test", run: "r1", task: "work" })
    }),
  )

  it.effect("says in a dry run where the message would go, and sends nothing", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const input = { channel: "ops", severity: "critical", text: "stop" } as const
      const words = yield* (notify.dryRun?.(input) ?? Effect.succeed("")).pipe(
        Effect.provide(given(root)),
        Effect.scoped,
      )
      assert.strictEqual(words, "would send to console, file, pagerduty: stop")
      assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(join(root, ".dandori", "outbox", "pending"))), [])
    }),
  )
})
