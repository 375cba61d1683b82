import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type { ModelVersion } from "../../src/domain/model.ts"
import { monthsBefore } from "../../src/domain/model-retention.ts"
import { Holds } from "../../src/services/holds.ts"
import { ModelFiles } from "../../src/services/model-files.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as ModelRetention from "../../src/services/model-retention.ts"
import * as Sqlite from "../../src/services/sqlite.ts"
import dueType from "../../tasks/model-due/index.ts"
import purgeType from "../../tasks/model-purge/index.ts"
import verifyType from "../../tasks/model-verify/index.ts"
import * as Stage from "./publish/stage.ts"
import * as Place from "./retention-place.ts"

const start = Date.UTC(2025, 0, 15)

interface Given {
  readonly root: string
  readonly named: Set<string>
  readonly wait: (days: number) => void
}

type Needs = Layer.Success<ReturnType<typeof Place.services>>

/** A test in a new project whose clock stands until somebody waits. */
const test = <A, E>(name: string, body: (given: Given) => Effect.Effect<A, E, Needs | Scope.Scope>) =>
  it.live(name, () =>
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* Stage.project
        const named = new Set<string>()
        const clock = Place.makeClock(start)
        const wait = (days: number) => void (clock.state.now += days * Place.dayMillis)
        return yield* Effect.provide(body({ root, named, wait }), Place.timed(root, clock, named))
      }),
    ),
  )

const verdicts = Effect.map(ModelRetention.survey(), (all) =>
  Object.fromEntries(all.map(({ row, verdict }) => [row.version, verdict.is])),
)
const whyOf = (version: string) =>
  Effect.map(ModelRetention.survey(), (all) => {
    const verdict = all.find(({ row }) => row.version === version)?.verdict
    return verdict?.is === "kept" ? verdict.why : verdict?.is
  })
const inFolder = (root: string) =>
  Fs.readdirSync(join(root, ".dandori/models"))
    .filter((name) => name !== ".publish.lock")
    .toSorted()

/** Six versions, the fifth champion after the fourth, all older than the two months that the section says. */
const old = Effect.fnUntraced(function* (wait: (days: number) => void) {
  const models: Array<ModelVersion> = []
  for (const version of ["v1", "v2", "v3", "v4", "v5", "v6"]) {
    models.push(yield* Place.publish(version))
    if (version === "v4" || version === "v5") yield* Place.deploy(version, `deploy ${version}`)
    wait(1)
  }
  wait(90)
  return models
})

const attempt = (run: string) => Effect.provide(Stage.attempt(run))

describe("retention of model versions", () => {
  test("marks what is due, waits for the grace, and removes the files of what nothing keeps", ({ root, wait }) =>
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      yield* old(wait)
      const first = yield* dueType.run({ reason: "nightly" }).pipe(attempt("r1"))
      assert.deepStrictEqual(
        first.due.map(({ version }) => version),
        ["v3", "v2", "v1"],
      )
      assert.deepStrictEqual([first.ready, first.kept], [[], 3])
      assert.isAbove(first.due[0].bytes, 100)
      wait(2.9)
      assert.deepStrictEqual((yield* dueType.run({ reason: "nightly" }).pipe(attempt("r2"))).ready, [])
      wait(0.1)
      const { bytes, ready } = yield* dueType.run({ reason: "nightly" }).pipe(attempt("r3"))
      assert.deepStrictEqual(
        ready.map(({ version }) => version),
        ["v3", "v2", "v1"],
      )
      const input = { models: ready, reason: "older than two months" }
      const before = yield* registry.histories
      assert.match(
        (yield* purgeType.dryRun?.(input).pipe(attempt("dry")) ?? Effect.succeed("")) as string,
        /would remove the files of 3 version/,
      )
      assert.deepStrictEqual(yield* registry.histories, before)
      assert.deepStrictEqual(yield* purgeType.probe?.(input).pipe(attempt("r3")) ?? Effect.die("none"), Option.none())
      const output = yield* purgeType.run(input).pipe(attempt("r3"))
      assert.deepStrictEqual([output.bytes, output.left], [bytes, []])
      assert.deepStrictEqual(inFolder(root), ["v4", "v5", "v6"])
      const { events, files, row } = yield* registry.show("v1")
      assert.deepInclude(row, { status: "archived", reason: "older than two months" })
      assert.deepStrictEqual(
        events.map(({ to }) => to),
        ["candidate", "rejected", "archived"],
      )
      assert.deepStrictEqual(
        files.map(({ state }) => state),
        ["due", "purging", "purged"],
      )
      assert.deepStrictEqual(yield* registry.verify, [])
      assert.deepStrictEqual(
        yield* purgeType.probe?.(input).pipe(attempt("r3")) ?? Effect.die("none"),
        Option.some(output),
      )
      assert.deepStrictEqual(yield* purgeType.run(input).pipe(attempt("r3")), output)
      const other = yield* purgeType.run(input).pipe(attempt("r4"))
      assert.deepStrictEqual([other.purged, other.bytes], [[], 0])
      assert.match(other.left[0].why, /were purged at/)
      assert.strictEqual((yield* dueType.run({ reason: "nightly" }).pipe(attempt("r5"))).ready.length, 0)
    }))

  test("keeps what is deployed, what a rollback goes to, the newest, and what is young, and says why", ({ wait }) =>
    Effect.gen(function* () {
      yield* old(wait)
      assert.deepStrictEqual(yield* verdicts, { v1: "due", v2: "due", v3: "due", v4: "kept", v5: "kept", v6: "kept" })
      assert.strictEqual(yield* whyOf("v5"), "it is deployed")
      assert.strictEqual(yield* whyOf("v4"), "a rollback would go back to it")
      assert.match((yield* whyOf("v6")) ?? "", /newest 2/)
      yield* Place.publish("v7")
      yield* Place.publish("v8")
      yield* Place.publish("v9")
      assert.strictEqual(yield* whyOf("v6"), "due")
      assert.match((yield* whyOf("v7")) ?? "", /not 2 months old/)
      // Back to v1: v5 is what a rollback would go to, and v4 what v5 had replaced is not needed any more.
      yield* Place.deploy("v1", "back", "rolled_back")
      assert.strictEqual(yield* whyOf("v1"), "it is deployed")
      assert.strictEqual(yield* whyOf("v5"), "a rollback would go back to it")
      assert.strictEqual(yield* whyOf("v4"), "due")
    }))

  test("keeps what is held, by the version, by the run that published it, or by that of its receipt", ({
    root,
    wait,
  }) =>
    Effect.gen(function* () {
      const holds = yield* Holds
      const [v1] = yield* old(wait)
      const run = "0190a000-0000-7000-8000-000000000001"
      yield* Place.publish("x1", run)
      yield* Place.publish("x2")
      yield* Place.publish("x3")
      wait(90)
      yield* Place.mark("m")
      wait(4)
      assert.deepInclude(yield* verdicts, { v1: "ready", v2: "ready", x1: "ready" })
      yield* Place.addHold("h1", "model/v2")
      yield* Place.addHold("h2", `run/${run}`)
      assert.match((yield* whyOf("v2")) ?? "", /model\/v2 is held by ann: the regulator asks/)
      assert.match((yield* whyOf("x1")) ?? "", /run\/0190a000.* is held/)
      assert.strictEqual(yield* whyOf("v1"), "ready")
      yield* Stage.receipt(root, { gate: "backtest", subjects: [v1.digest], name: "v1", run })
      assert.match((yield* whyOf("v1")) ?? "", /run\/0190a000.* is held/)
      const { purged } = yield* Place.purgeReady("p")
      assert.deepStrictEqual(
        purged.map(({ version }) => version),
        ["v6", "v3"],
      )
      assert.deepStrictEqual(inFolder(root), ["v1", "v2", "v4", "v5", "x1", "x2", "x3"])
      // The grace begins again when the hold is over.
      yield* holds.release("h1", { who: "bob", reason: "the case is closed" })
      assert.strictEqual(yield* whyOf("v2"), "due")
      wait(3)
      assert.strictEqual(yield* whyOf("v2"), "ready")
    }))

  test("takes everything as held while the holds cannot be read", ({ root, wait }) =>
    Effect.gen(function* () {
      yield* old(wait)
      yield* Place.mark("m")
      wait(4)
      const ready = (yield* ModelRetention.survey()).filter(({ verdict }) => verdict.is === "ready")
      assert.strictEqual(ready.length, 3)
      const rows = ready.map(({ row }) => row)
      yield* Effect.flatMap(SqlClient.SqlClient, (sql) => sql`ALTER TABLE holds RENAME TO taken_away`).pipe(
        Effect.provide(Sqlite.layer({ path: join(root, ".dandori/state.db") })),
      )
      const registry = yield* ModelRegistry
      const before = yield* registry.histories
      assert.match((yield* whyOf("v1")) ?? "", /counts as everything held/)
      const { left, purged } = yield* ModelRetention.purge(rows, Place.warrant("p"))
      assert.deepStrictEqual(purged, [])
      assert.match(left[0].why, /counts as everything held/)
      yield* Place.mark("again")
      assert.deepStrictEqual(yield* registry.histories, before)
      assert.strictEqual(inFolder(root).length, 6)
    }))

  test("keeps what a run that has not ended names, and takes the mark back", ({ named, root, wait }) =>
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      yield* old(wait)
      yield* Place.mark("m")
      wait(4)
      named.add("v1")
      assert.match((yield* whyOf("v1")) ?? "", /run open of release names it/)
      const rows = (yield* registry.list()).filter(({ version }) => version === "v1")
      assert.match((yield* ModelRetention.purge(rows, Place.warrant("p"))).left[0].why, /run open of release/)
      yield* Place.mark("m2")
      assert.strictEqual(Option.getOrThrow(yield* registry.filesOf("v1")).state, "kept")
      named.delete("v1")
      assert.strictEqual(yield* whyOf("v1"), "due")
      assert.isTrue(Fs.existsSync(join(root, ".dandori/models/v1")))
    }))

  test("leaves a version that is being read, and one whose files are not what was published", ({ root, wait }) =>
    Effect.gen(function* () {
      const files = yield* ModelFiles
      const registry = yield* ModelRegistry
      yield* old(wait)
      yield* Place.mark("m")
      wait(4)
      const damaged = join(root, ".dandori/models/v2/theta.yaml")
      Fs.chmodSync(damaged, 0o644)
      Fs.writeFileSync(damaged, "altered")
      Fs.rmSync(join(root, ".dandori/models/v3"), { recursive: true })
      const before = yield* registry.histories
      const { left, purged } = yield* Effect.scoped(
        Effect.andThen(files.reading("v1"), Effect.andThen(files.reading("v1"), Place.purgeReady("p"))),
      )
      assert.deepStrictEqual(purged, [])
      const why = Object.fromEntries(left.map((one) => [one.version, one.why]))
      assert.match(why.v1, /somebody reads or publishes it now/)
      assert.match(why.v2, /not what was published.*theta\.yaml/)
      assert.match(why.v3, /its folder is gone, and no purge has removed it/)
      assert.deepStrictEqual(yield* registry.histories, before)
      assert.deepStrictEqual(
        (yield* Place.purgeReady("p2")).purged.map(({ version }) => version),
        ["v1"],
      )
    }))

  test("lets nobody deploy, verify or publish again what was purged, and says when it went", ({ wait }) =>
    Effect.gen(function* () {
      const registry = yield* ModelRegistry
      const [v1] = yield* old(wait)
      yield* Place.mark("m")
      wait(4)
      yield* Place.purgeReady("p")
      const how = { previousBecomes: "archived", receipt: null, outbox: [] } as const
      const deployed = yield* Effect.flip(registry.deploy("v1", how, Place.warrant("d")))
      assert.strictEqual(deployed._tag, "FilesPurged")
      assert.match(deployed.message, /were purged at 2025-04-.* by ann/)
      const verified = yield* Effect.flip(verifyType.run({ model: v1 }).pipe(attempt("v")))
      assert.strictEqual(verified._tag, "FilesPurged")
      const again = yield* Effect.flip(ModelRetention.purge([{ ...v1, version: "../v1" }], Place.warrant("x")))
      assert.strictEqual(again._tag, "VersionRefused")
      const unknown = yield* ModelRetention.purge([{ ...v1, version: "v9" }], Place.warrant("x"))
      assert.strictEqual(unknown.purged.length, 0)
    }))

  it("counts months by the calendar", () => {
    const of = (text: string, months: number) => new Date(monthsBefore(Date.parse(text), months)).toISOString()
    assert.strictEqual(of("2025-03-31T10:20:30.400Z", 1), "2025-02-28T10:20:30.400Z")
    assert.strictEqual(of("2024-03-31T00:00:00.000Z", 1), "2024-02-29T00:00:00.000Z")
    assert.strictEqual(of("2025-01-15T00:00:00.000Z", 24), "2023-01-15T00:00:00.000Z")
  })
})
