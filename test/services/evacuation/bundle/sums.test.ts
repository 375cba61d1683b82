import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import * as Sha256 from "../../../../src/domain/sha256.ts"
import * as Sums from "../../../../src/domain/sums.ts"
import * as Place from "../incident/incident-place.ts"
import * as Made from "./made-bundle.ts"

describe("SHA256SUMS", () => {
  const part = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
    .map((name) => name.replaceAll(/[\0/]/g, "\\"))
    .filter((name) => name !== "." && name !== ".." && name.isWellFormed() && Buffer.byteLength(name) < 250)
  const awkward = fc.constantFrom(" a", "a ", "a\nb", "a\\b", "a\rb", "a\r", "\\n", "*a", "é", "#a", "-", "a  b")
  const paths = fc.uniqueArray(
    fc.array(fc.oneof(part, awkward), { minLength: 1, maxLength: 2 }).map((parts) => `logs/${parts.join("+/")}.f`),
    { minLength: 1, maxLength: 12 },
  )

  it.effect("is confirmed by sha256sum for any set of names", () =>
    Effect.gen(function* () {
      const root = yield* Place.temporary
      let at = 0
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(paths, async (some) => {
            const folder = join(root, String(at++))
            const sums = some.map((path) => ({ path, sha256: Sha256.of(`in ${path}`) }))
            for (const path of some) await Effect.runPromise(Made.write(join(folder, path), `in ${path}`))
            await Fs.writeFile(join(folder, "SHA256SUMS"), Sums.encode(sums))
            const { code, err } = await Effect.runPromise(
              Place.run(folder, "sha256sum", "--strict", "--quiet", "-c", "SHA256SUMS"),
            )
            assert.strictEqual(code, 0, err)
            assert.deepStrictEqual(Sums.parse(Sums.encode(sums)), sums.toSorted(Sums.inOrder))
          }),
          { numRuns: 100 },
        ),
      )
    }),
  )

  it("is in the order of the names' bytes", () => {
    const name = fc.string({ unit: "binary", maxLength: 4 }).filter((text) => text.isWellFormed())
    fc.assert(
      fc.property(name, name, (a, b) => {
        const bytes = Buffer.compare(Buffer.from(a), Buffer.from(b))
        assert.strictEqual(Math.sign(Sums.inOrder({ path: a }, { path: b })), bytes)
      }),
      { numRuns: 5_000 },
    )
    assert.isBelow(Sums.inOrder({ path: "\uffee" }, { path: "\u{1f600}" }), 0)
  })

  it("is what sha256sum writes, escapes and all", () => {
    const sums = [
      { path: "logs/a\\b\nc\rd", sha256: Sha256.of("x") },
      { path: "logs/plain", sha256: Sha256.of("y") },
    ]
    assert.strictEqual(
      Sums.encode(sums.toReversed()),
      `\\${Sha256.of("x")}  logs/a\\\\b\\nc\\rd\n${Sha256.of("y")}  logs/plain\n`,
    )
    for (const wrong of ["abc", `${Sha256.of("x")} a\n`, `\\${Sha256.of("x")}  a\\t\n`, `${Sha256.of("x")}  a`]) {
      assert.isUndefined(Sums.parse(wrong))
    }
  })
})
