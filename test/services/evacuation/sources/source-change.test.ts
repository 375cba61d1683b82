import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Place from "../destination/place.ts"
import { does, openerOf, patterned, piece, rest, source } from "./reading-place.ts"

const { write } = Place

describe("a reading of a source", () => {
  const script = {
    appends: 'printf more >> "$1"',
    truncates: ': > "$1"',
    shortens: 'truncate -s 60000 "$1"',
    rewrites: 'printf X | dd of="$1" conv=notrunc status=none',
    "rewrites it and sets its time back":
      'touch -r "$1" "$1.t"; printf X | dd of="$1" conv=notrunc status=none; touch -r "$1.t" "$1"',
    "replaces it by another file": 'cp "$1" "$1.new"; mv "$1.new" "$1"',
  }
  for (const [what, how] of Object.entries(script))
    it.effect(`tells when another process ${what} while it is read`, () =>
      Effect.gen(function* () {
        const path = join(yield* Place.folder, "file")
        write(path, patterned(100_000))
        const opened = yield* openerOf()(source(path), 50_000)
        yield* piece(opened)
        yield* does(how, path)
        assert.isTrue((yield* rest(opened)).changed)
        const again = yield* rest(yield* openerOf()(source(path), 50_000))
        assert.isFalse(again.changed)
        assert.isTrue(again.content.equals(Fs.readFileSync(path)))
      }),
    )

  const leaves = {
    removes: 'rm "$1"',
    moves: 'mv "$1" "$1.old"',
    "puts a link in the place of": 'mv "$1" "$1.old"; ln -s "$1.old" "$1"',
  }
  for (const [what, how] of Object.entries(leaves))
    it.effect(`has the whole of a file that another process ${what} while it is read`, () =>
      Effect.gen(function* () {
        const path = join(yield* Place.folder, "file")
        const content = patterned(100_000)
        write(path, content)
        const opened = yield* openerOf()(source(path), 50_000)
        yield* piece(opened)
        yield* does(how, path)
        const all = yield* rest(opened)
        assert.isTrue(all.content.equals(content.subarray(50_000)))
        // A link is another file than the one that was read.
        assert.strictEqual(all.changed, what.startsWith("puts"))
      }),
    )

  it.effect("tells when another process rewrites and then removes a file while it is read", () =>
    Effect.gen(function* () {
      const path = join(yield* Place.folder, "file")
      write(path, patterned(100_000))
      const opened = yield* openerOf()(source(path), 50_000)
      yield* piece(opened)
      yield* does('printf X | dd of="$1" conv=notrunc status=none; rm "$1"', path)
      assert.isTrue((yield* rest(opened)).changed)
    }),
  )

  it.live("says of nothing that was being written to that it is what the file was", () =>
    Effect.gen(function* () {
      const root = yield* Place.folder
      const path = join(root, "file")
      // Another process makes every byte the next letter, from the beginning to the end, block by block.
      const [size, block] = [80 * 4096, 4096]
      write(path, "a".repeat(size))
      const writer = Bun.spawn({
        cmd: [
          process.execPath,
          "-e",
          `const fs = require("fs"), fd = fs.openSync(${JSON.stringify(path)}, "r+")
           for (let turn = 1; ; turn++) {
             const block = Buffer.alloc(${block}, 97 + (turn % 26))
             for (let at = 0; at < ${size}; at += ${block}) fs.writeSync(fd, block, 0, ${block}, at)
             Bun.sleepSync(turn % 3 === 0 ? 25 + (turn % 5) : turn % 7)
           }`,
        ],
        stdio: ["ignore", "ignore", "inherit"],
      })
      yield* Effect.addFinalizer(() => Effect.promise(() => (writer.kill("SIGKILL"), writer.exited)))
      let [stable, changed] = [0, 0]
      while (stable < 10 || changed < 10) {
        const all = yield* Effect.scoped(Effect.flatMap(openerOf()(source(path), 10_000), rest))
        if (all.changed) changed++
        else {
          stable++
          assert.strictEqual(all.content.length, size)
          const [first, last] = [all.content[0], all.content[size - 1]]
          // At each moment it has one letter, or a new one up to where the other process is.
          assert.isTrue(first === last || first - 97 === (last - 96) % 26, `${first} ${last}`)
          const turned = all.content.indexOf(last)
          assert.isTrue(all.content.every((byte, at) => byte === (at < turned ? first : last)))
        }
      }
    }),
  )
})
