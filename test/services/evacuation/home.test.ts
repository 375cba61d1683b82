import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Home from "../../../src/services/evacuation/home.ts"

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
