/** What the tests of publishing do again and again. */
import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Artifacts } from "../../../src/services/artifacts.ts"
import type { Evidence } from "../../../src/services/evidence.ts"
import type { ModelFiles } from "../../../src/services/model-files.ts"
import { ModelRegistry } from "../../../src/services/model-registry.ts"
import type { Settings } from "../../../src/services/settings.ts"
import type { Workspace } from "../../../src/services/workspace.ts"
import publish from "../../../tasks/publish/index.ts"
import type { PublishInput } from "../../../tasks/publish/schema.ts"
import * as Stage from "./stage.ts"

type Needs = ModelFiles | ModelRegistry | Workspace | Settings | Artifacts | Evidence
/** A test in a new project, with everything that publishing needs. */
export const test = <A, E>(name: string, body: (root: string) => Effect.Effect<A, E, Needs | Scope.Scope>) =>
  it.live(name, () =>
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* Stage.project
        return yield* Effect.provide(body(root), Stage.services(root))
      }),
    ),
  )
/** Publishes in the run of this name. */
export const run = (input: PublishInput, name = "run") => Effect.provide(publish.run(input), Stage.attempt(name))
/** Probes in the run of this name. */
export const probe = (input: PublishInput, name = "run") =>
  Effect.provide(publish.probe?.(input) ?? Effect.die("publish has no probe"), Stage.attempt(name))
/** Publishes and answers with the failure. */
export const refused = (input: PublishInput, name?: string) => Effect.flip(run(input, name))
/** Where a version is published. */
export const folder = (root: string, version: string) => join(root, ".dandori/models", version)
/** The slot of the models. */
export const slot = { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" } as const
/** Nothing of the version is there: no folder, no row, nothing staged. */
export const nothing = (root: string, version: string) =>
  Effect.gen(function* () {
    assert.isFalse(Fs.existsSync(folder(root, version)))
    assert.isTrue(Option.isNone(yield* (yield* ModelRegistry).find(version)))
    const models = join(root, ".dandori/models")
    const left = Fs.existsSync(models) ? Fs.readdirSync(models) : []
    assert.deepStrictEqual(
      left.filter((name) => name.startsWith(".staging")),
      [],
    )
  })
