import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Said, dandori, ndjson, project } from "./evidence-project.ts"

const write = (folder: string, id: string, schedule: string, params = "{}") =>
  Effect.promise(async () => {
    await Fs.mkdir(join(folder, "pipelines"), { recursive: true })
    const tasks = "tasks:\n  a: { uses: command, with: { argv: [echo, hello] } }"
    const text = `version: 1\nid: ${id}\nparams: ${params}\n${schedule}\n${tasks}\n`
    await Fs.writeFile(join(folder, `pipelines/${id}.yaml`), text)
  })

const month = "{ month: { type: string, pattern: '^\\d{4}-\\d{2}$' }, loud: { type: boolean, default: false } }"
const nightly =
  "schedule: { cron: '30 2 * * *', timezone: Europe/Berlin, params: { month: '${{ run.tick.month }}' }, dst: { gap: shift, overlap: both } }"

const lines = ({ out }: Said) => out.trimEnd().split("\n")

describe("dandori schedule preview", () => {
  it.effect("shows the next ticks with their params, and marks those that a jump of the clocks moves", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "nightly", nightly, month)
      const said = yield* dandori(folder, "schedule", "preview", "nightly", "--from", "2027-03-26T12:00Z", "-n", "3")
      assert.strictEqual(said.code, 0, said.err)
      assert.deepStrictEqual(lines(said), [
        "Europe/Berlin                UTC                   params",
        "Sat 2027-03-27 02:30 +01:00  2027-03-27T01:30:00Z  month=2027-03 loud=false",
        "Sun 2027-03-28 03:00 +02:00  2027-03-28T01:00:00Z  month=2027-03 loud=false  shifted: 02:30 does not exist",
        "Mon 2027-03-29 02:30 +02:00  2027-03-29T00:30:00Z  month=2027-03 loud=false",
        "",
        "Dates until 2028-03-26 on which the clocks jump over or repeat a tick",
        "  Sun 2027-03-28  02:00 to 03:00 does not exist: 02:30 is shifted to 03:00",
        "  Sun 2027-10-31  02:00 to 03:00 comes twice: 02:30 ticks both times",
        "  Sun 2028-03-26  02:00 to 03:00 does not exist: 02:30 is shifted to 03:00",
      ])
      assert.include(said.err, "nightly  30 2 * * *  Europe/Berlin  overlap skip")
    }).pipe(Effect.scoped),
  )

  it.effect("shows ten from now on if nothing is said, of a pipeline by its path too", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "hourly", "schedule: { cron: '@hourly', timezone: Asia/Tokyo }")
      const said = yield* dandori(folder, "schedule", "preview", "pipelines/hourly.yaml")
      assert.strictEqual(said.code, 0, said.err)
      assert.lengthOf(lines(said), 11)
      assert.include(said.err, "no jump of the clocks meets a tick")
    }).pipe(Effect.scoped),
  )

  it.effect("says all of it as JSON, a line per item", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "nightly", nightly, month)
      const from = ["--from", "2027-10-31T00:00Z", "--count", "2"]
      const items = ndjson((yield* dandori(folder, "schedule", "preview", "nightly", "--json", ...from)).out)
      assert.deepStrictEqual(
        items.map(({ kind }) => kind),
        ["schedule", "tick", "tick", "dst-date", "dst-date", "dst-date"],
      )
      assert.include(items[0], { v: 1, pipeline: "nightly", cron: "30 2 * * *", timezone: "Europe/Berlin" })
      assert.deepStrictEqual(items[2], {
        v: 1,
        kind: "tick",
        time: "2027-10-31T01:30:00Z",
        local: "2027-10-31T02:30:00+01:00",
        weekday: "Sunday",
        repeat: "second",
        params: { month: "2027-10", loud: false },
      })
      assert.deepStrictEqual(items[4], {
        v: 1,
        kind: "dst-date",
        jump: "gap",
        time: "2028-03-26T01:00:00Z",
        from: "2028-03-26T02:00:00",
        to: "2028-03-26T03:00:00",
        matches: ["2028-03-26T02:30:00"],
        ticks: [
          {
            time: "2028-03-26T01:00:00Z",
            local: "2028-03-26T03:00:00+02:00",
            weekday: "Sunday",
            shiftedFrom: ["2028-03-26T02:30:00"],
          },
        ],
      })
    }).pipe(Effect.scoped),
  )

  it.effect("ends with 65 and names the tick whose params will not fit", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "nightly", nightly, "{ month: { type: string, pattern: '-0.$' } }")
      const said = yield* dandori(folder, "schedule", "preview", "nightly", "--from", "2026-09-30", "-n", "2")
      assert.strictEqual(said.code, 65)
      assert.match(lines(said)[1], /2026-09-30T00:30:00Z {2}month=2026-09$/)
      assert.match(lines(said)[2], /does not fit: month: "2026-10" does not match -0\.\$$/)
    }).pipe(Effect.scoped),
  )

  it.effect("says what is wrong with the call", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "plain", "")
      yield* write(folder, "broken", "schedule: { cron: '@dayly', timezone: UTC }")
      const none = yield* dandori(folder, "schedule", "preview", "plain")
      assert.strictEqual(none.code, 66)
      assert.include(none.err, "The pipeline plain has no schedule. Give it one: schedule:")
      const broken = yield* dandori(folder, "schedule", "preview", "broken")
      assert.strictEqual(broken.code, 65)
      assert.match(broken.err, /broken\.yaml:4:19: "@dayly" is no cron pattern/)
      const when = yield* dandori(folder, "schedule", "preview", "plain", "--from", "soon")
      assert.strictEqual(when.code, 64)
      assert.include(when.err, "soon is no time")
      assert.strictEqual((yield* dandori(folder, "schedule", "preview", "plain", "--count", "0")).code, 64)
    }).pipe(Effect.scoped),
  )
})

describe("dandori schedule list", () => {
  it.effect("shows the scheduled pipelines of the project with their next ticks, and names the broken ones", () =>
    Effect.gen(function* () {
      const folder = yield* project
      assert.include((yield* dandori(folder, "schedule", "list")).err, "No pipeline of pipelines/ has a schedule.")
      const before = yield* Effect.promise(() => Fs.readdir(folder))
      yield* write(folder, "plain", "")
      yield* write(folder, "nightly", nightly, month)
      yield* write(folder, "past", "schedule: { cron: '0 0 0 1 1 * 2026', timezone: UTC }")
      const good = yield* dandori(folder, "schedule", "list", "--json")
      assert.strictEqual(good.code, 0, good.err)
      const [first, second, ...others] = ndjson(good.out)
      assert.lengthOf(others, 0)
      assert.include(first, { pipeline: "nightly", file: "pipelines/nightly.yaml", timezone: "Europe/Berlin" })
      assert.match(String((first.next as { local: string }).local), /T0[23]:[03]0:00\+0[12]:00$/)
      assert.include(second, { pipeline: "past", cron: "0 0 0 1 1 * 2026" })
      assert.deepStrictEqual(
        (yield* Effect.promise(() => Fs.readdir(folder))).toSorted(),
        [...before, "pipelines"].toSorted(),
      )
      yield* write(folder, "broken", "schedule: { cron: '@dayly', timezone: UTC }")
      const said = yield* dandori(folder, "schedule", "list")
      assert.strictEqual(said.code, 65)
      assert.include(said.err, "pipelines/broken.yaml is no pipeline as it stands")
      assert.match(said.out, /nightly +30 2 \* \* \* +Europe\/Berlin +\w{3} \d{4}-\d\d-\d\d 0[23]:[03]0/)
    }).pipe(Effect.scoped),
  )
})
