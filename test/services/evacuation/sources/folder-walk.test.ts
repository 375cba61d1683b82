import * as Fs from "node:fs"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FolderWalk from "../../../../src/services/evacuation/sources/folder-walk.ts"
import * as Place from "../destination/place.ts"

/** Walks a tree; `meanwhile` is called with each folder that the walk has seen and not yet entered. */
const walked = (root: string, meanwhile: (folder: string) => void) =>
  Effect.gen(function* () {
    const found: Array<string> = []
    const missed: Array<readonly [string, string]> = []
    const walk = yield* FolderWalk.make(Buffer.from(root), {
      enters: (path) => {
        meanwhile(path.toString())
        return true
      },
      found: (batch) => Effect.sync(() => void found.push(...batch.map(({ path }) => path.toString()))),
      missed: (path, reason) => Effect.sync(() => void missed.push([path.toString(), reason])),
    })
    yield* walk.run
    return { found, missed }
  })

/** A tree with a file `file` in each of so many folders, one in the other, and in a folder `z` beside each. */
const deep = (root: string, depth: number) => {
  let at = root
  for (let level = 0; level < depth; level++) {
    Place.write(join(at, "file"), "x")
    Place.write(join(at, "z", "file"), "x")
    at = join(at, "d")
  }
  Place.write(join(at, "file"), "x")
}

describe("a walk of folders", () => {
  it.effect("is not led out of the tree by a folder that becomes a link before it is entered", () =>
    Effect.gen(function* () {
      const root = yield* Place.folder
      Place.write(join(root, "tree/a/in"), "x")
      Place.write(join(root, "tree/b/in"), "x")
      Place.write(join(root, "outside/not-mine"), "x")
      const { found, missed } = yield* walked(join(root, "tree"), (folder) => {
        if (folder !== "b") return
        Fs.renameSync(join(root, "tree/b"), join(root, "was"))
        Fs.symlinkSync("../outside", join(root, "tree/b"))
      })
      assert.deepStrictEqual(found, ["a/in"])
      assert.deepStrictEqual(missed, [["b", "a folder on its way is no folder any more, or a link"]])
    }),
  )

  it.effect("says of a folder that goes before it is entered that it is gone", () =>
    Effect.gen(function* () {
      const root = yield* Place.folder
      Place.write(join(root, "a/in"), "x")
      Place.write(join(root, "b/in"), "x")
      const { found, missed } = yield* walked(
        root,
        (folder) => folder === "b" && Fs.rmSync(join(root, "a"), { recursive: true }),
      )
      assert.deepStrictEqual(found, ["b/in"])
      assert.deepStrictEqual(missed, [["a", "it is gone"]])
    }),
  )

  it.effect("goes on in the folder that it is in when one above is moved, and comes back to where it was", () =>
    Effect.gen(function* () {
      const root = yield* Place.folder
      const tree = join(root, "tree")
      deep(tree, 60)
      const middle = Array.from({ length: 20 }, () => "d").join("/")
      const { found, missed } = yield* walked(tree, (folder) => {
        if (folder === Array.from({ length: 60 }, () => "d").join("/"))
          Fs.renameSync(join(tree, middle), join(root, "moved"))
      })
      assert.strictEqual(found.length, 121)
      assert.deepStrictEqual(missed, [])
    }),
  )

  it.effect("does not take another folder for the one that it came from", () =>
    Effect.gen(function* () {
      const root = yield* Place.folder
      const tree = join(root, "tree")
      deep(tree, 60)
      Place.write(join(root, "other/z/not-mine"), "x")
      const at = (level: number) => Array.from({ length: level }, () => "d").join("/")
      // The folder whose parent is no longer open goes elsewhere, and the parent with it.
      const { found, missed } = yield* walked(tree, (folder) => {
        if (folder !== at(60)) return
        for (let level = 27; level > 0; level--) Fs.renameSync(join(tree, at(level)), join(root, `other/${level}`))
        Fs.rmSync(join(tree, "z"), { recursive: true })
      })
      assert.notInclude(found.join("\n"), "not-mine")
      assert.strictEqual(found.filter((path) => !path.includes("z/")).length, 61)
      const told = new Set([...found.map((path) => dirname(path)), ...missed.map(([path]) => path)])
      for (let level = 0; level < 60; level++) assert.isTrue(told.has(join(at(level), "z")), `${level}`)
      assert.isAbove(missed.length, 1)
    }),
  )
})
