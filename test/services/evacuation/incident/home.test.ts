import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Home from "../../../../src/services/evacuation/incident/home.ts"

const projectHome = () => join(Fs.mkdtempSync(join(tmpdir(), "evacuation home ")), ".dandori")

describe("the home of an evacuation's records", () => {
  it.effect("is beside the project's, for its owner only", () =>
    Effect.gen(function* () {
      const there = projectHome()
      const { path, refused } = yield* Home.choose(there, undefined)
      assert.strictEqual(path, join(there, "evacuation"))
      assert.deepStrictEqual(refused, [])
      assert.strictEqual(Fs.statSync(path).mode & 0o777, 0o700)
      assert.deepStrictEqual(Fs.readdirSync(path), [])
    }),
  )

  it.effect("is outside of it where that takes none, and says why", () =>
    Effect.gen(function* () {
      const there = projectHome()
      Fs.writeFileSync(there, "a file where the folder should be")
      const { path, refused } = yield* Home.choose(there, undefined)
      assert.strictEqual(path, join(tmpdir(), `dandori-evacuation-${process.getuid?.()}`))
      assert.deepStrictEqual(
        refused.map((one) => one.path),
        [join(there, "evacuation")],
      )
      assert.match(refused[0].reason, /not a directory|ENOTDIR/i)
    }),
  )

  it.effect("is where the incident lies already, though a better place is free again", () =>
    Effect.gen(function* () {
      const there = projectHome()
      const outside = Home.places(there)[1]
      Fs.mkdirSync(join(outside, "incidents", "IR-elsewhere"), { recursive: true })
      Fs.writeFileSync(join(outside, "incidents", "IR-elsewhere", "incident.json"), "{}")
      assert.strictEqual((yield* Home.choose(there, "IR-elsewhere")).path, outside)
      assert.strictEqual((yield* Home.choose(there, "IR-other")).path, join(there, "evacuation"))
    }),
  )

  it.effect("takes the incident along where its own place takes no more, and goes on where it was called last", () =>
    Effect.gen(function* () {
      const there = projectHome()
      const incident = `IR-${crypto.randomUUID().slice(0, 8)}`
      const [first, outside] = Home.places(there)
      const [here, away] = [first, outside].map((place) => join(place, "incidents", incident))
      Fs.mkdirSync(join(here, "captures"), { recursive: true })
      for (const name of ["incident.json", "call.json", "pushed.ndjson", "captures/processes.txt"]) {
        Fs.writeFileSync(join(here, name), `first ${name}`)
      }
      // A place that takes nothing, though what lies there can be read.
      const moved = `${first} of root`
      Fs.renameSync(first, moved)
      Fs.symlinkSync(moved, first)
      const { path, refused } = yield* Home.choose(there, incident)
      assert.strictEqual(path, outside)
      assert.deepStrictEqual(
        refused.map((one) => one.path),
        [first],
      )
      assert.strictEqual(Fs.readFileSync(join(away, "captures/processes.txt"), "utf8"), "first captures/processes.txt")
      assert.strictEqual(Fs.readFileSync(join(away, "pushed.ndjson"), "utf8"), "first pushed.ndjson")

      Fs.rmSync(first)
      Fs.renameSync(moved, first)
      Fs.writeFileSync(join(away, "call.json"), "second")
      Fs.utimesSync(join(away, "call.json"), new Date(), new Date(Date.now() + 60_000))
      assert.strictEqual((yield* Home.choose(there, incident)).path, outside)

      Fs.writeFileSync(join(away, "pushed.ndjson"), "second")
      Fs.utimesSync(join(here, "call.json"), new Date(), new Date(Date.now() + 120_000))
      assert.strictEqual((yield* Home.choose(there, incident)).path, first)
      Fs.rmSync(away, { recursive: true })
    }),
  )

  it.effect("is never a link that somebody has put there", () =>
    Effect.gen(function* () {
      const there = projectHome()
      Fs.mkdirSync(there)
      Fs.symlinkSync(tmpdir(), join(there, "evacuation"))
      const { path, refused } = yield* Home.choose(there, undefined)
      assert.notStrictEqual(path, join(there, "evacuation"))
      assert.match(refused[0].reason, /somebody else/)
    }),
  )
})
