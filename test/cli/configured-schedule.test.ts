import * as Fs from "node:fs/promises"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { daemon, entries, ticks, until } from "./daemon-project.ts"
import { dandori, project } from "./evidence-project.ts"

const write = (folder: string, path: string, text: string) =>
  Effect.promise(async () => {
    await Fs.mkdir(dirname(join(folder, path)), { recursive: true })
    await Fs.writeFile(join(folder, path), text)
  })

/** A pipeline that runs when the configuration says. */
const named = (schedule: string) =>
  `version: 1\nid: p\nschedule: { configured: ${schedule} }\ntasks:\n  work: { uses: command, with: { effects: idempotent, argv: [echo, hi] } }\n`

/** What an environment says otherwise of a schedule. */
const otherwise = (cron: string) => `schedules: { retrain: { cron: "${cron}" } }\n`

describe("a schedule that the configuration names", () => {
  it.effect("is that of the environment, in all that shows or plans it", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "pipelines/p.yaml", named("retrain"))
      yield* write(folder, "configs/envs/stg/schedules.yaml", otherwise("15 5 * * *"))
      const shown = (...args: ReadonlyArray<string>) =>
        Effect.map(dandori(folder, ...args), ({ code, err, out }) => {
          assert.strictEqual(code, 0, err)
          return out
        })
      const preview = ["schedule", "preview", "p", "--from", "2027-03-26T12:00Z", "-n", "1"]
      assert.include(yield* shown(...preview), "2027-04-01T03:00:00Z")
      assert.include(yield* shown(...preview, "--env", "stg"), "2027-03-27T05:15:00Z")
      assert.match(yield* shown("schedule", "list"), /^p\s+0 3 1 \* \*\s+UTC/m)
      assert.match(yield* shown("schedule", "list", "--env", "stg"), /^p\s+15 5 \* \* \*\s+UTC/m)
      const { schedule, tasks } = JSON.parse(yield* shown("compile", "p"))
      assert.strictEqual(schedule.pauseAfter, 2)
      assert.strictEqual(tasks[0].retry.attempts, 3)
      assert.notStrictEqual(
        yield* shown("compile", "p", "--digest"),
        yield* shown("compile", "p", "--digest", "--env", "stg"),
      )
    }).pipe(Effect.scoped),
  )

  it.effect("gives a pipeline that uses it nothing: neither times nor retries", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "pipelines/p.yaml", named("retrain"))
      yield* write(folder, "pipelines/parent.yaml", "version: 1\nid: parent\ntasks: { a: { uses: pipeline/p } }\n")
      const compiled = yield* dandori(folder, "compile", "parent")
      assert.strictEqual(compiled.code, 0, compiled.err)
      const { schedule, tasks } = JSON.parse(compiled.out)
      assert.isUndefined(schedule)
      assert.deepStrictEqual(
        tasks.map(({ id, retry }: { id: string; retry?: object }) => [id, retry]),
        [
          ["a", undefined],
          ["a/work", undefined],
        ],
      )
    }).pipe(Effect.scoped),
  )

  it.effect("is that of the revision that a plan is compared with", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "pipelines/p.yaml", named("retrain"))
      yield* Effect.promise(() =>
        Bun.$`git init -q && git add -A && git -c user.name=a -c user.email=a@b commit -qm one`.cwd(folder).quiet(),
      )
      const against = () => dandori(folder, "plan", "p", "--against", "git:HEAD")
      const same = yield* against()
      assert.strictEqual(same.code, 0, same.out + same.err)
      yield* write(folder, "configs/envs/dev/schedules.yaml", otherwise("15 5 * * *"))
      const changed = yield* against()
      assert.strictEqual(changed.code, 2, changed.out + changed.err)
      assert.include(changed.out, "0 3 1 * *")
      assert.include(changed.out, "15 5 * * *")
    }).pipe(Effect.scoped),
  )

  it.effect("keeps its name through a conversion, there and back", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "pipelines/p.yaml", named("database-backup, catchup: { policy: last, window: 20h }"))
      const to = (language: string, ...args: ReadonlyArray<string>) =>
        dandori(folder, "convert", ...args, "--to", language)
      const typescript = yield* to("ts", "p", "--output", "pipelines/p.ts")
      assert.strictEqual(typescript.code, 0, typescript.err)
      const text = yield* Effect.promise(() => Fs.readFile(join(folder, "pipelines/p.ts"), "utf8"))
      assert.include(text, 'import { configured, pipeline } from "dandori"')
      assert.include(text, 'schedule: configured("database-backup", { catchup: { policy: "last", window: "20h" } })')
      const back = yield* to("yaml", "pipelines/p.ts")
      assert.include(back.out, "configured: database-backup")
    }).pipe(Effect.scoped),
  )

  it.effect("that is not there, or cannot be read, is one mistake at its name", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "pipelines/p.yaml", named("retrian"))
      const unknown = yield* dandori(folder, "validate", "pipelines/p.yaml")
      assert.strictEqual(unknown.code, 65)
      const words =
        'The configuration has no schedule "retrian". Did you mean "retrain"? Known: retrain, sample-nightly'
      assert.include(unknown.err, words)
      yield* write(folder, "pipelines/p.yaml", named("retrain"))
      yield* write(folder, "configs/envs/dev/schedules.yaml", otherwise("99 3 * * *"))
      const torn = yield* dandori(folder, "validate", "pipelines/p.yaml")
      assert.strictEqual(torn.code, 65)
      assert.include(
        torn.err,
        "The schedules of the configuration cannot be told: The configuration of dev has 1 problem",
      )
      assert.include(torn.err, "configs/envs/dev/schedules.yaml:1:")
      yield* write(
        folder,
        "configs/envs/dev/schedules.yaml",
        "schedules: { database-backup: { cron: '@daily', timezone: UTC, retries: 0, retry_delay: 1m, stop_after_failures: 1 } }\n",
      )
      const taken = yield* dandori(folder, "config", "show")
      assert.strictEqual(taken.code, 78)
      assert.include(taken.err, "must not have database-backup: that is database_backup_window")
    }).pipe(Effect.scoped),
  )

  it.live("is taken over by a running daemon when the configuration changes", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "pipelines/p.yaml", named("retrain"))
      const process = yield* daemon(folder)
      const deployed = Effect.map(entries(folder, "p"), (all) =>
        all.flatMap(({ data, type }) =>
          type === "dev.dandori.schedule.deployed.v1" ? [(data as { schedule: { cron: string } }).schedule.cron] : [],
        ),
      )
      yield* until(Effect.map(deployed, (all) => (all.length === 1 ? all : undefined)))
      yield* write(folder, "configs/envs/dev/schedules.yaml", otherwise("* * * * * *"))
      yield* until(Effect.map(ticks(folder, "p"), (all) => all.find(({ outcome }) => outcome.is === "ran")))
      assert.deepStrictEqual(yield* deployed, ["0 3 1 * *", "* * * * * *"])
      process.signal("SIGTERM")
      assert.strictEqual(yield* process.ended, 0, process.said())
    }).pipe(Effect.scoped),
  )
})
