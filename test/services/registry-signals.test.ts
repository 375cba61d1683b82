import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type { OutboxMessage } from "../../src/domain/registry.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as RegistrySql from "../../src/services/model-registry-sql.ts"
import * as RegistrySignals from "../../src/services/registry-signals.ts"
import { Signals } from "../../src/services/signals.ts"
import * as Servers from "../support/servers/scoped.ts"
import * as SignalsPlace from "../support/signals-place.ts"
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
    const facts = { theta: {}, metrics: {}, datasets: [], receipts: [], synthetic: true }
    const model = { version: "v1", slot, digest: Sha256.of("v1"), path: "models/v1", ...facts }
    yield* registry.register(model, "candidate", warrant)
    yield* registry.transition("v1", "approved", warrant)
    yield* registry.deploy("v1", { previousBecomes: "archived", receipt: null, outbox }, warrant)
  })

const signal = (payload: Readonly<Record<string, unknown>>) => ({ kind: "signal", payload })
const left = Effect.flatMap(ModelRegistry, (registry) =>
  Effect.map(registry.pendingOutbox(9), (pending) => pending.map(({ kind }) => kind)),
)

const using = <A, E>(root: string, url: string | undefined, use: Effect.Effect<A, E, ModelRegistry | Signals>) => {
  const place = { home: `${root}/.dandori`, name: "test", ...(url === undefined ? {} : { url }) }
  const registry = Layer.provide(RegistrySql.layerState, Workplace.place(root))
  return Effect.scoped(Effect.provide(use, Layer.fresh(Layer.merge(registry, SignalsPlace.layer(place)))))
}

describe("the signals of the registry's outbox", () => {
  it.live("are told to who listens, in order and once; other kinds stay for others", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const heard = yield* using(
        root,
        undefined,
        Effect.gen(function* () {
          const stream = yield* (yield* Signals).subscribe("models")
          const first = signal({ channel: "models", event: "model.deployed", version: "v1", previous: null })
          yield* deploy([first, { kind: "notification", payload: {} }, signal({ channel: "models", event: "second" })])
          assert.deepStrictEqual(yield* RegistrySignals.deliver, { delivered: 2, problem: undefined })
          assert.deepStrictEqual(yield* RegistrySignals.deliver, { delivered: 0, problem: undefined })
          assert.deepStrictEqual(yield* left, ["notification"])
          return yield* Stream.runCollect(Stream.take(stream, 2))
        }).pipe(Effect.scoped),
      )
      assert.deepStrictEqual(
        heard.map((text) => JSON.parse(text)),
        [{ event: "model.deployed", version: "v1", previous: null }, { event: "second" }],
      )
    }).pipe(Effect.scoped),
  )

  it.live("are kept while the Redis is away, and told when it is back", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const server = yield* Servers.ownRedis
      yield* Effect.promise(() => server.stop("SIGKILL"))
      const away = yield* using(
        root,
        server.url,
        Effect.andThen(deploy([signal({ channel: "models", event: "model.deployed" })]), RegistrySignals.deliver),
      )
      assert.strictEqual(away.delivered, 0)
      assert.match(away.problem ?? "", /^Signal 1 of the registry is kept: Redis at .* cannot be used/)
      yield* Effect.acquireRelease(
        Effect.promise(() => server.again()),
        (restarted) => Effect.promise(() => restarted.stop()),
      )
      const back = yield* using(root, server.url, RegistrySignals.deliver)
      assert.deepStrictEqual(back, { delivered: 1, problem: undefined })
      assert.deepStrictEqual(yield* using(root, server.url, left), [])
    }).pipe(Effect.scoped),
  )

  it.live("that name no channel are kept and said, and are in nobody's way", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const told = Effect.andThen(
        deploy([signal({ event: "lost" }), signal({ channel: "models" })]),
        RegistrySignals.deliver,
      )
      assert.deepStrictEqual(yield* using(root, undefined, told), {
        delivered: 1,
        problem: "Signal 1 of the registry is kept: it names no channel",
      })
    }).pipe(Effect.scoped),
  )
})
