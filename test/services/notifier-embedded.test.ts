import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import type { Delivery } from "../../src/services/notification-delivery.ts"
import { Notifier } from "../../src/services/notifier.ts"
import { routeText } from "../../src/services/notification-route.ts"
import * as NotifierEmbedded from "../../src/services/notifier-embedded.ts"
import { hastened } from "../support/virtual-time.ts"
import * as Place from "./notification-place.ts"
import * as Workplace from "../tasks/workplace.ts"

const repository = join(import.meta.dirname, "../..")
const inProject = <A, E>(root: string, use: Effect.Effect<A, E, Notifier>, options: NotifierEmbedded.Options = {}) =>
  Effect.scoped(Effect.provide(use, Layer.provide(NotifierEmbedded.layer(options), Workplace.place(root))))

const hastenedIn: typeof inProject = (...given) => hastened(inProject(...given))

const lines = (root: string) =>
  Effect.promise(async () => (await Fs.readFile(join(root, "alerts.ndjson"), "utf8")).trim().split("\n"))
const folder = (root: string, name: string) => Effect.promise(() => Fs.readdir(join(root, ".dandori", "outbox", name)))

const message = { channel: "file", severity: "info", title: "Trained", text: "AUC 0.61" } as const

/** Runs a script in a child process that sends with the embedded notifier, and returns how it ended. */
const child = (root: string, body: string) =>
  Effect.promise(async () => {
    const script = `
      import * as Effect from "effect/Effect"
      import { Notifier } from ${JSON.stringify(join(repository, "src/services/notifier.ts"))}
      import * as NotifierEmbedded from ${JSON.stringify(join(repository, "src/services/notifier-embedded.ts"))}
      import * as Workplace from ${JSON.stringify(join(repository, "test/tasks/workplace.ts"))}
      const main = Effect.gen(function* () { const notifier = yield* Notifier; ${body} })
      await Effect.runPromise(main.pipe(Effect.provide(NotifierEmbedded.layer()), Effect.provide(Workplace.place(${JSON.stringify(root)})), Effect.scoped))`
    const started = Bun.spawn([process.execPath, "-e", script], { cwd: repository, stdout: "pipe", stderr: "pipe" })
    const [stdout, stderr] = await Promise.all([
      new Response(started.stdout).text(),
      new Response(started.stderr).text(),
    ])
    await started.exited
    return { stdout, stderr, signal: started.signalCode }
  })

describe("embedded notifier", () => {
  it.live("delivers to a file before the process's scope has closed, once, and keeps the record", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const sent = yield* inProject(
        root,
        Effect.flatMap(Notifier, (notifier) => notifier.send(message)),
      )
      assert.deepStrictEqual(sent.to, ["file:alerts.ndjson"])
      const written = yield* lines(root)
      assert.strictEqual(written.length, 1)
      assert.deepInclude(JSON.parse(written[0]), { id: sent.id, title: "Trained", severity: "info" })
      assert.deepStrictEqual(yield* folder(root, "pending"), [])
      assert.deepStrictEqual(yield* folder(root, "delivered"), [`${sent.id}.json`])
    }),
  )

  it.live("writes to standard error, never to standard output, and lets no control character through", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const text = JSON.stringify("AUC\u001b[2J 0.61\nsecond line")
      const ended = yield* child(
        root,
        `yield* notifier.send({ channel: "ops", severity: "warning", title: "Trained", text: ${text} })`,
      )
      assert.strictEqual(ended.stdout, "")
      assert.strictEqual(ended.stderr, "[warning] Trained: AUC [2J 0.61 second line\n")
    }),
  )

  it.live("delivers after kill -9 what was sent before it", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* Effect.promise(() => Fs.mkdir(join(root, "alerts.ndjson")))
      const ended = yield* child(
        root,
        `yield* notifier.send(${JSON.stringify(message)})
         process.kill(process.pid, "SIGKILL")`,
      )
      assert.strictEqual(ended.signal, "SIGKILL")
      assert.strictEqual((yield* folder(root, "pending")).length, 1)
      yield* Effect.promise(() => Fs.rmdir(join(root, "alerts.ndjson")))
      yield* inProject(root, Effect.void)
      assert.strictEqual((yield* lines(root)).length, 1)
      assert.deepStrictEqual(yield* folder(root, "pending"), [])
    }),
  )

  it.effect("does not fail the sender when delivery fails, and says why on the record", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* Effect.promise(() => Fs.mkdir(join(root, "alerts.ndjson")))
      const problems: Array<string | undefined> = []
      const onDelivery = ({ problem }: Delivery) => Effect.sync(() => void problems.push(problem))
      yield* hastenedIn(
        root,
        Effect.flatMap(Notifier, (notifier) => notifier.send(message)),
        { onDelivery },
      )
      while (problems.length === 0) yield* hastenedIn(root, Effect.void, { onDelivery })
      assert.include(problems[0] ?? "", "it is a folder")
      assert.strictEqual((yield* folder(root, "pending")).length, 1)
    }),
  )

  it.effect("says at the end of the process what it could not deliver, and that it is kept", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* Effect.promise(() => Fs.mkdir(join(root, "alerts.ndjson")))
      const said = yield* Place.standardError
      yield* hastenedIn(
        root,
        Effect.flatMap(Notifier, (notifier) => notifier.send(message)),
      )
      while (!said.text.includes("it is a folder")) yield* hastenedIn(root, Effect.void)
      assert.match(
        said.text,
        /1 notification is not delivered yet \(file:alerts\.ndjson: .* it is a folder.*\); kept in /,
      )
    }),
  )

  it.effect("lets no route that breaks keep others from being delivered, nor the process from ending", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* hastenedIn(
        root,
        Effect.flatMap(Notifier, (notifier) => notifier.send({ ...message, channel: "chat" })),
        { deliverers: { slack: () => Effect.die(new Error("a bug in a deliverer")) } },
      )
      while (!(yield* Effect.promise(() => Fs.exists(join(root, "alerts.ndjson")))))
        yield* hastenedIn(root, Effect.void)
      assert.strictEqual((yield* lines(root)).length, 1)
      assert.strictEqual((yield* folder(root, "pending")).length, 1)
    }),
  )

  it.live("keeps a route that this process cannot deliver for one that can, without repeating the others", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* inProject(
        root,
        Effect.flatMap(Notifier, (notifier) => notifier.send({ ...message, channel: "chat" })),
      )
      assert.strictEqual((yield* lines(root)).length, 1)
      assert.strictEqual((yield* folder(root, "pending")).length, 1)
      const posted: Array<string> = []
      yield* inProject(root, Effect.void, {
        deliverers: { slack: (_, route) => Effect.sync(() => void posted.push(routeText(route))) },
      })
      assert.deepStrictEqual(posted, ["slack:#ml-ops"])
      assert.strictEqual((yield* lines(root)).length, 1)
      assert.deepStrictEqual(yield* folder(root, "pending"), [])
    }),
  )

  it.effect(
    "stores the same message with the same dedupKey once, also after its delivery, and again an hour later",
    () =>
      Effect.gen(function* () {
        const root = yield* Workplace.project
        const again = inProject(
          root,
          Effect.flatMap(Notifier, (notifier) => notifier.send({ ...message, dedupKey: "disk full" })),
        )
        const first = yield* again
        const second = yield* again
        assert.strictEqual(second.id, first.id)
        assert.strictEqual((yield* lines(root)).length, 1)
        yield* TestClock.adjust("1 hour")
        yield* again
        assert.strictEqual((yield* lines(root)).length, 2)
      }),
  )

  it.live("routes by severity as well as by channel", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const sent = yield* inProject(
        root,
        Effect.flatMap(Notifier, (notifier) => notifier.send({ ...message, severity: "critical" })),
      )
      assert.deepStrictEqual(sent.to, ["file:alerts.ndjson", "pagerduty"])
    }),
  )

  it.live("starts a new line after a half one", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* Effect.promise(() => Fs.writeFile(join(root, "alerts.ndjson"), '{"id":"to'))
      yield* inProject(
        root,
        Effect.flatMap(Notifier, (notifier) => notifier.send(message)),
      )
      const written = yield* lines(root)
      assert.strictEqual(written[0], '{"id":"to')
      assert.strictEqual(JSON.parse(written[1]).title, "Trained")
    }),
  )

  it.live("names the channels there are when asked for another", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const error = yield* Effect.flip(
        inProject(
          root,
          Effect.flatMap(Notifier, (notifier) => notifier.send({ ...message, channel: "nobody" })),
        ),
      )
      assert.include(error.message, "ops, file, chat, pager")
    }),
  )
})
