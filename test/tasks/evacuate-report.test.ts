import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as EvacuationUsual from "../../src/domain/config/evacuation-usual.ts"
import type { Event } from "../../src/domain/event.ts"
import type { Incident } from "../../src/domain/incident.ts"
import * as Incidents from "../../src/services/evacuation/incident/incidents.ts"
import * as Ladder from "../../src/services/evacuation/destination/ladder.ts"
import * as Promises from "../../src/services/evacuation/report/promises.ts"
import * as NotifierEmbedded from "../../src/services/notifier-embedded.ts"
import { Settings } from "../../src/services/settings.ts"
import report from "../../tasks/evacuate/report/index.ts"
import * as Project from "../ledger/fixtures/project.ts"
import * as Synthetic from "../services/evacuation/incident/synthetic-incident.ts"
import * as Workplace from "./workplace.ts"

const run = "0190a000-0000-7000-8000-000000000001"
const nightly = "0190a000-0000-7000-8000-000000000002"

/** Settings with the usual evacuation, in which `on-call` is a file. */
const settings = (root: string, promises = EvacuationUsual.usual.promises) =>
  Layer.effect(
    Settings,
    Effect.map(Settings, (given) => ({
      ...given,
      sections: {
        ...given.sections,
        evacuation: { ...EvacuationUsual.usual, promises },
        notifications: {
          ...given.sections.notifications,
          channels: { "on-call": { routes: [{ to: "file" as const, path: "alerts.ndjson" }] } },
          severities: { info: [], warning: [], critical: [] },
        },
      },
    })),
  ).pipe(Layer.provide(Workplace.place(root)))

const place = (root: string, promises = EvacuationUsual.usual.promises) => {
  const home = join(root, ".dandori")
  return NotifierEmbedded.layer().pipe(
    Layer.provideMerge(settings(root, promises)),
    Layer.provideMerge(Project.projectAt(home)),
    Layer.provideMerge(Incidents.layer({ root: join(home, "incidents"), projectHome: home })),
    Layer.provideMerge(Workplace.attempt(root, { run, task: "report" })),
  )
}

const succeeded = ([task, output]: readonly [string, unknown]): Event => ({
  type: "dev.dandori.attempt.succeeded.v1",
  data: { task, attempt: 1, output },
})

/** The evacuation's run so far, in a real ledger: what the other sub-types answered. */
const writeRun = (answers: Readonly<Record<string, unknown>>, more: ReadonlyArray<Event> = []) =>
  Project.writeRun(run, [...Object.entries(answers).map(succeeded), ...more], { open: true })

const read = (path: string) => Effect.promise(() => Fs.readFile(path, "utf8"))
const alerts = (root: string) =>
  Effect.map(read(join(root, "alerts.ndjson")), (text) =>
    text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>),
  )

const { incident } = Synthetic
const tell = (id = incident.id) => report.run({ incident: id })

const whole = {
  ...Synthetic.answers,
  volatile: { ok: 2, skipped: 1, failed: 0 },
  push: { ...Synthetic.answers.push, notTaken: 0, complete: true, refusals: [] },
  manifest: { complete: true },
  verify: {
    verified: 3,
    failed: 0,
    problems: [],
    complete: true,
    coverage: { seen: 4, taken: 4, notTaken: 0, unstable: 0, collectors: { ok: 2, skipped: 1, failed: 0 } },
  },
}

describe("evacuate/report", () => {
  it.live("writes the record into the incident's folder and as artifacts, with what the ledger knows", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* Effect.gen(function* () {
        const opened = yield* Clock.currentTimeMillis
        yield* Project.writeRun(nightly, [
          {
            type: "dev.dandori.attempt.failed.v1",
            data: { task: "train", attempt: 1, error: { tag: "Broken", message: "the disk reports an error" } },
          },
          succeeded(["publish", { version: "v7", slot: "EURUSD/1h", deployed: true, previous: "v6" }]),
        ])
        yield* writeRun(Synthetic.answers, [
          {
            type: "dev.dandori.attempt.failed.v1",
            data: { task: "recover", attempt: 1, error: { tag: "Broken", message: "port 8000 is taken" } },
          },
        ])
        yield* Synthetic.open(join(root, ".dandori", "incidents"), { opened: opened + 3_600_000 }, { began: opened })
        const output = yield* tell()
        const markdown = yield* read(output.markdown)
        const html = yield* read(output.html)
        for (const text of [markdown, html]) {
          assert.include(text, "train failed: the disk reports an error")
          assert.include(text, "model v7 became champion of EURUSD/1h in place of v6")
          assert.include(text, "recover failed: port 8000 is taken")
          assert.include(text, "5,001 files were not taken")
        }
        assert.deepStrictEqual(
          output.reports.map(({ mediaType, name }) => [name, mediaType]),
          [
            ["report.md", "text/markdown"],
            ["report.html", "text/html"],
          ],
        )
        assert.strictEqual(output.reports[0].sha256, output.sha256)
        assert.isUndefined(output.promises)
      }).pipe(Effect.provide(place(root)))
    }).pipe(Effect.scoped),
  )

  it.live("sends the record to the destination that was chosen, and another of the same call beside it", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const away = join(root, "away")
      yield* Effect.gen(function* () {
        yield* Effect.promise(() => Fs.mkdir(away))
        const opened = yield* Synthetic.open(join(root, ".dandori", "incidents"), {}, { destination: away })
        yield* Effect.scoped(Ladder.choose(opened))
        const reports = join(away, "incidents", incident.id, "reports")
        const first = yield* tell()
        assert.strictEqual(first.location, away)
        assert.deepStrictEqual(first.problems, [])
        const folder = join(reports, "20260304T000001Z")
        assert.strictEqual(yield* read(join(folder, "report.md")), yield* read(first.markdown))
        assert.strictEqual(yield* read(join(folder, "report.html")), yield* read(first.html))
        yield* Effect.promise(() => Fs.appendFile(join(opened.path, "collected.ndjson"), "torn"))
        const second = yield* tell()
        assert.deepStrictEqual(second.problems, [])
        const folders = yield* Effect.promise(() => Fs.readdir(reports))
        assert.strictEqual(folders.length, 2)
        const other = folders.find((name) => name !== "20260304T000001Z")
        assert.strictEqual(yield* read(join(reports, other ?? "", "report.md")), yield* read(second.markdown))
        assert.notStrictEqual(yield* read(join(folder, "report.md")), yield* read(second.markdown))
      }).pipe(Effect.provide(place(root)))
    }).pipe(Effect.scoped),
  )

  it.live("writes the record where the ledger says nothing and the folder is empty", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* Effect.gen(function* () {
        yield* Synthetic.open(join(root, ".dandori", "incidents"))
        const output = yield* tell()
        assert.include(yield* read(output.markdown), "no destination took anything")
      }).pipe(Effect.provide(place(root)))
    }).pipe(Effect.scoped),
  )

  it.live("stores the record as an artifact where the folder has none that can be written, and says so", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* Effect.gen(function* () {
        const { path } = yield* Synthetic.open(join(root, ".dandori", "incidents"))
        yield* Effect.promise(() => Fs.mkdir(join(path, "report.md")))
        const output = yield* tell()
        assert.strictEqual(output.reports.length, 2)
        assert.match(output.problems.join("\n"), /not in the folder, whose record cannot be read or kept: .*EISDIR/)
      }).pipe(Effect.provide(place(root)))
    }).pipe(Effect.scoped),
  )

  it.live("fails only where the record can be kept nowhere", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      yield* Effect.gen(function* () {
        const { path } = yield* Synthetic.open(join(root, ".dandori", "incidents"))
        yield* Effect.promise(async () => {
          await Fs.mkdir(join(path, "report.md"))
          await Fs.rm(join(root, ".dandori", "artifacts"), { recursive: true, force: true })
          await Fs.writeFile(join(root, ".dandori", "artifacts"), "")
        })
        const error = yield* Effect.flip(tell())
        assert.strictEqual(error._tag, "ReportLost")
        assert.include(error.message, path)
      }).pipe(Effect.provide(place(root)))
    }).pipe(Effect.scoped),
  )

  const drill = Effect.fnUntraced(function* (id: string, first: number, root: string) {
    const opened = (yield* Clock.currentTimeMillis) - 5_000
    const given: Partial<Incident> = { drill: true, id, opened }
    const { path } = yield* Synthetic.fill(join(root, ".dandori", "incidents"), 0, given)
    const pushed = (yield* read(join(path, "pushed.ndjson"))).trim().split("\n")
    const moved = pushed.map((line, index) => JSON.stringify({ ...JSON.parse(line), at: opened + first + index }))
    yield* Effect.promise(() => Fs.writeFile(join(path, "pushed.ndjson"), `${moved.join("\n")}\n`))
    const output = yield* tell(id)
    return { output, kept: yield* Promises.read(path) }
  })

  it.live(
    "judges a drill, tells on-call of a promise that is missed, and resolves that when the next drill keeps all",
    () =>
      Effect.gen(function* () {
        const root = yield* Workplace.project
        yield* Effect.gen(function* () {
          yield* writeRun(whole)
          const late = yield* drill("drill-1", 31_000, root)
          assert.deepStrictEqual(late.output.promises, { kept: 2, missed: 1 })
          assert.deepStrictEqual(late.kept[0], { name: "first_byte", promised: 30_000, observed: 31_000, kept: false })
          assert.include(yield* read(late.output.markdown), "| first byte | at most 30s | 31s | missed |")
          assert.include(yield* read(late.output.markdown), "It was a drill")
          const good = yield* drill("drill-2", 1_000, root)
          assert.deepStrictEqual(good.output.promises, { kept: 3, missed: 0 })
        }).pipe(Effect.provide(place(root)), Effect.scoped)
        const [first, second, ...more] = yield* alerts(root)
        assert.deepInclude(first, {
          channel: "on-call",
          severity: "critical",
          dedupKey: "evacuation-drill",
        })
        assert.notProperty(first, "action")
        assert.include(String(first.text), "first byte confirmed: 31s, promised 30s")
        assert.deepInclude(second, { channel: "on-call", action: "resolve", dedupKey: "evacuation-drill" })
        assert.deepStrictEqual(more, [])
      }).pipe(Effect.scoped),
  )

  it.live("writes the record of a drill although nobody can be told", () =>
    Effect.gen(function* () {
      const root = yield* Workplace.project
      const noChannel = Layer.effect(
        Settings,
        Effect.map(Settings, (given) => ({
          ...given,
          sections: { ...given.sections, evacuation: EvacuationUsual.usual },
        })),
      ).pipe(Layer.provide(Workplace.place(root)))
      const layers = NotifierEmbedded.layer().pipe(Layer.provideMerge(noChannel), Layer.provideMerge(place(root)))
      yield* Effect.gen(function* () {
        const { output } = yield* drill("drill-1", 1_000, root)
        assert.match(output.problems.join("\n"), /nobody was told of the drill: .*there is no channel on-call/)
        assert.include(yield* read(output.markdown), "Promises of the drill")
      }).pipe(Effect.provide(layers), Effect.scoped)
    }).pipe(Effect.scoped),
  )
})
