import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Collector } from "../../src/domain/config/evacuation.ts"
import collect from "../../tasks/evacuate/collect/index.ts"
import { Output } from "../../tasks/evacuate/collected-counts.ts"
import volatile from "../../tasks/evacuate/volatile/index.ts"
import { command, machine, services } from "../services/evacuation/captures/capture-place.ts"
import * as Place from "../services/evacuation/destination/place.ts"

const collectors: ReadonlyArray<Collector> = [
  machine("memory", { value: 2 }),
  machine("git", { value: 3 }),
  command("before", ["echo", "before"], { value: 4 }),
  command("broken", ["no-such-program"], { value: 5 }),
  { ...command("after", ["echo", "after"], { value: 6 }), when: "durable" },
  { ...command("later", ["sh", "-c", "exit 3"], { value: 7 }), when: "durable" },
  { name: "logs", kind: "files", root: "logs", to: "evidence", value: 8 },
  { name: "none", kind: "files", root: "nowhere", to: "snapshot", value: 9 },
]

const input = { incident: "IR-1" }
const isOutput = Schema.is(Output)

describe("evacuate/volatile and evacuate/collect", () => {
  it.live("take what belongs before the stop and after it, count it, and do nothing again", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      Place.write(join(project, "logs/a.log"), "one\n")
      Place.write(join(project, "logs/b.log"), "two and more\n")
      yield* Effect.gen(function* () {
        const { path } = yield* Place.incident()
        const before = yield* volatile.run(input)
        assert.isTrue(isOutput(before))
        assert.deepStrictEqual(
          { ...before, bytes: 0 },
          {
            ok: 2,
            skipped: 1,
            failed: 1,
            files: 2,
            bytes: 0,
            problems: ["broken: no-such-program cannot be run: it was not found on PATH"],
          },
        )
        const after = yield* collect.run(input)
        const captured =
          Fs.readFileSync(join(path, "captures/after.txt")).length +
          Fs.readFileSync(join(path, "captures/later.txt")).length
        assert.deepStrictEqual(after, {
          ok: 2,
          skipped: 1,
          failed: 1,
          files: 4,
          bytes: captured + 4 + 13,
          problems: ["later: it ended with 3"],
        })
        assert.deepStrictEqual(
          Place.inventory(path).map((file) => file.path),
          ["logs/a.log", "logs/b.log"],
        )
        const tar = Bun.spawnSync(["tar", "-tf", join(path, "bundles/evidence.tar")]).stdout.toString()
        assert.deepStrictEqual(tar.trim().split("\n").toSorted(), [
          "captures/after.txt",
          "captures/before.txt",
          "captures/later.txt",
          "captures/memory.txt",
        ])
        const [again, memory] = [yield* volatile.run(input), Fs.readFileSync(join(path, "captures/memory.txt"))]
        assert.deepStrictEqual(again, before)
        assert.deepStrictEqual(Fs.readFileSync(join(path, "captures/memory.txt")), memory)
        assert.deepStrictEqual(yield* collect.run(input), after)
        const second = Bun.spawnSync(["tar", "-tf", join(path, "bundles/evidence-2.tar")]).stdout.toString()
        assert.strictEqual(second, "captures/later-2.txt\n")
      }).pipe(Effect.provide(services(project, { collectors })))
    }),
  )

  it.live("name the incident that is not there, and say what they would take", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      yield* Effect.gen(function* () {
        for (const task of [volatile, collect]) {
          const error = yield* Effect.flip(task.run({ incident: "IR-2" }))
          assert.strictEqual(error._tag, "IncidentMissing")
        }
        assert.strictEqual(yield* volatile.dryRun!(input), "would take memory, git, before, broken")
        assert.strictEqual(yield* collect.dryRun!(input), "would take after, later, logs, none")
      }).pipe(Effect.provide(services(project, { collectors })))
    }),
  )

  it.live("tell of no more than 20 problems", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const many = Array.from({ length: 30 }, (_, index) =>
        command(`bad-${index}`, ["no-such-program"], { value: index }),
      )
      yield* Effect.gen(function* () {
        yield* Place.incident()
        const { failed, problems } = yield* volatile.run(input)
        assert.deepStrictEqual([failed, problems.length], [30, 20])
        assert.match(problems[0], /^bad-0: /)
      }).pipe(Effect.provide(services(project, { collectors: many })))
    }),
  )
})
