import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { OutboxMessage } from "../../src/domain/registry.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as RegistrySql from "../../src/services/model-registry-sql.ts"
import { Message, Notifier } from "../../src/services/notifier.ts"
import * as NotifierEmbedded from "../../src/services/notifier-embedded.ts"
import * as RegistryOutbox from "../../src/services/registry-outbox.ts"
import * as Workplace from "../tasks/workplace.ts"

const warrant = {
  who: "ann",
  reason: "better",
  intent: Sha256.of("i"),
  run: "run",
  task: "publish",
  key: "run/publish",
}

/** Makes a version champion, and leaves these messages to be told. */
const deploy = (outbox: ReadonlyArray<OutboxMessage>) =>
  Effect.gen(function* () {
    const registry = yield* ModelRegistry
    const slot = { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" } as const
    const digest = Sha256.of("v1")
    const facts = { theta: {}, metrics: {}, datasets: [], receipts: [], synthetic: true }
    yield* registry.register({ version: "v1", slot, digest, path: "models/v1", ...facts }, "candidate", warrant)
    yield* registry.transition("v1", "approved", warrant)
    yield* registry.deploy("v1", { previousBecomes: "archived", receipt: null, outbox }, warrant)
  })

const payload = {
  channel: "file",
  severity: "info",
  title: "v1 is champion",
  text: "In place of none",
  key: "publish/v1",
}
const signal = { kind: "signal", payload: { event: "model.deployed" } }

const inProject = <A, E>(use: (root: string) => Effect.Effect<A, E, ModelRegistry | Notifier>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const services = Layer.merge(NotifierEmbedded.layer(), RegistrySql.layerState)
      return yield* Effect.scoped(Effect.provide(use(root), Layer.provide(services, Workplace.place(root)))).pipe(
        Effect.andThen(Effect.promise(() => Fs.readFile(join(root, "alerts.ndjson"), "utf8").catch(() => ""))),
      )
    }),
  )

const kinds = Effect.flatMap(ModelRegistry, (registry) =>
  Effect.map(registry.pendingOutbox(9), (pending) => pending.map(({ kind }) => kind)),
)

describe("the registry's outbox", () => {
  it.live("hands notifications to the notifier, and leaves what is not for people", () =>
    Effect.gen(function* () {
      const told = yield* inProject(() =>
        Effect.gen(function* () {
          yield* deploy([{ kind: "notification", payload }, signal])
          assert.deepStrictEqual(yield* RegistryOutbox.deliver, { delivered: 1, problems: [] })
          assert.deepStrictEqual(yield* kinds, ["signal"])
          assert.deepStrictEqual(yield* RegistryOutbox.deliver, { delivered: 0, problems: [] })
        }),
      )
      assert.strictEqual(told.trim().split("\n").length, 1)
      assert.deepInclude(JSON.parse(told), { title: "v1 is champion", key: "publish/v1" })
    }),
  )

  it.live("tells once what a crash has left unmarked", () =>
    Effect.gen(function* () {
      const told = yield* inProject(() =>
        Effect.gen(function* () {
          yield* deploy([{ kind: "notification", payload }])
          yield* (yield* Notifier).send(Schema.decodeUnknownSync(Message)(payload))
          assert.strictEqual((yield* RegistryOutbox.deliver).delivered, 1)
        }),
      )
      assert.strictEqual(told.trim().split("\n").length, 1)
    }),
  )

  it.live("keeps what cannot be told, and says why", () =>
    inProject(() =>
      Effect.gen(function* () {
        const lost = { ...payload, channel: "nobody" }
        yield* deploy([
          { kind: "notification", payload: lost },
          { kind: "notification", payload: { title: 7 } },
        ])
        const { delivered, problems } = yield* RegistryOutbox.deliver
        assert.strictEqual(delivered, 0)
        assert.match(problems[0], /^Message \d+ of the registry's outbox is kept: .* no channel nobody/)
        assert.strictEqual(problems.length, 2)
        assert.deepStrictEqual(yield* kinds, ["notification", "notification"])
      }),
    ),
  )
})
