import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Sha256 from "../../../../src/domain/sha256.ts"
import * as Place from "../destination/place.ts"
import { pathsOf, reasonsOf, take } from "./inventory-place.ts"

/** Takes the inventory of a project. */
const { bytes, collector, write } = Place

describe("the inventory", () => {
  it.effect("lists every file with what it is, in the order of the collectors' value", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      write(join(project, "tree/b/two"), "22")
      write(join(project, "tree/a"), "1")
      Fs.chmodSync(join(project, "tree/a"), 0o640)
      Fs.utimesSync(join(project, "tree/a"), 1_700_000_000.5, 1_700_000_000.25)
      write(join(project, ".dandori/ledger/run.ndjson"), "{}\n")
      const took = yield* take(
        project,
        Place.section(
          collector({ value: 9 }),
          collector({ name: "ledger", root: ".dandori/ledger", value: 4, redact: true }),
          collector({ name: "gone", root: "no/where", value: 2 }),
        ),
      )
      assert.deepStrictEqual(pathsOf(took.files), ["ledger/run.ndjson", "tree/a", "tree/b/two"])
      const { gid, uid } = Fs.statSync(project)
      assert.deepStrictEqual(took.files[1], {
        collector: "tree",
        to: "evidence",
        value: 9,
        source: join(project, "tree/a"),
        path: "tree/a",
        bytes: 1,
        mtime: 1_700_000_000_250,
        mode: 0o640,
        uid,
        gid,
        redact: false,
      })
      assert.isTrue(took.files[0].redact)
      assert.deepStrictEqual(
        took.endings.map(({ bytes, collector, files, outcome }) => [collector, outcome, files, bytes]),
        [
          ["gone", "skipped", 0, 0],
          ["ledger", "ok", 1, 3],
          ["tree", "ok", 2, 3],
        ],
      )
      assert.strictEqual(took.endings[0].reason, `${join(project, "no/where")} is not there`)
      assert.deepStrictEqual(took.collected, [...took.endings])
      assert.deepStrictEqual(took.others, [])
    }),
  )

  it.effect("takes what the globs mean and nothing of what is left out, whatever the names are", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      for (const name of [
        "x.log",
        "a/b/.y.log",
        "a/new\nline.log",
        "a/x.txt",
        "old/z.log",
        "a/tmp/deep/q.log",
        "k.log/in.log",
      ])
        write(join(project, "tree", name), "x")
      write(bytes(join(project, "tree"), "/", 0xff, ".log"), "x")
      const took = yield* take(
        project,
        Place.section(collector({ globs: ["**/*.log"], without: ["old/*", "**/tmp/**"] })),
      )
      assert.deepStrictEqual(pathsOf(took.files).toSorted(), [
        "tree/%FF.log",
        "tree/a/b/.y.log",
        "tree/a/new%0Aline.log",
        "tree/k.log/in.log",
        "tree/x.log",
      ])
      const odd = took.files.find(({ path }) => path === "tree/%FF.log")
      assert.strictEqual(odd?.source, `${join(project, "tree")}/\\xff.log`)
      assert.deepStrictEqual(
        Buffer.from(odd?.sourceBytes ?? "", "base64"),
        bytes(join(project, "tree"), "/", 0xff, ".log"),
      )
      assert.isTrue(took.files.every(({ path, sourceBytes }) => path === "tree/%FF.log" || sourceBytes === undefined))
      assert.deepStrictEqual(took.others, [])
    }),
  )

  it.effect("follows no link, and says where each leads; the root may be one", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      write(join(project, "outside/secret"), "x")
      write(join(project, "real/in"), "x")
      Fs.symlinkSync("real", join(project, "tree"))
      Fs.symlinkSync("../outside", join(project, "real/folder"))
      Fs.symlinkSync("../outside/secret", join(project, "real/file"))
      Fs.symlinkSync("nowhere\n", join(project, "real/dangling"))
      Fs.symlinkSync(".", join(project, "real/loop"))
      const took = yield* take(project, Place.section(collector()))
      assert.deepStrictEqual(pathsOf(took.files), ["tree/in"])
      assert.strictEqual(took.files[0].source, join(project, "real/in"))
      assert.deepStrictEqual(
        took.others.map(({ reason, source }) => [source.replace(`${project}/`, ""), reason]),
        [
          ["real/dangling", "a link to nowhere\n"],
          ["real/file", "a link to ../outside/secret"],
          ["real/folder", "a link to ../outside"],
          ["real/loop", "a link to ."],
        ],
      )
      assert.strictEqual(took.endings[0].outcome, "ok")
    }),
  )

  it.effect("tells of a link to a folder that may hold what is meant, and of no other that is not meant", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      write(join(project, "outside/old.log"), "x")
      write(join(project, "tree/notes.txt"), "x")
      Fs.symlinkSync("../outside", join(project, "tree/more"))
      Fs.symlinkSync("notes.txt", join(project, "tree/newest.txt"))
      Fs.symlinkSync("../outside", join(project, "tree/left-out"))
      const took = yield* take(project, Place.section(collector({ globs: ["**/*.log"], without: ["left-out/**"] })))
      assert.deepStrictEqual(took.files, [])
      assert.deepStrictEqual(reasonsOf(project, took.others), { more: "a link to ../outside" })
    }),
  )

  it.effect("touches no socket, pipe or device, and lists them", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      write(join(project, "tree/file"), "x")
      yield* Effect.promise(() => Bun.$`mkfifo ${join(project, "tree/pipe")}`)
      yield* Effect.acquireRelease(
        Effect.sync(() => Bun.listen({ unix: join(project, "tree/socket"), socket: { data: () => {} } })),
        (server) => Effect.sync(() => server.stop(true)),
      )
      const took = yield* take(
        project,
        Place.section(
          collector(),
          collector({ name: "dev", root: "/dev", globs: ["null"], without: ["*/**"], value: 2 }),
        ),
      )
      assert.deepStrictEqual(pathsOf(took.files), ["tree/file"])
      assert.deepStrictEqual(reasonsOf(project, took.others), {
        pipe: "a named pipe",
        socket: "a socket",
        "/dev/null": "a device",
      })
    }),
  )

  it.effect("reaches files whose paths are longer than the operating system takes", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const name = "n".repeat(200)
      Fs.mkdirSync(join(project, "tree"))
      Place.writeDeep(
        join(project, "tree"),
        Array.from({ length: 60 }, () => name),
        "file",
        "deep\n",
      )
      const took = yield* take(project, Place.section(collector()))
      const path = `${`${name}/`.repeat(60)}file`
      assert.strictEqual(took.files[0].source, join(project, "tree", path))
      assert.strictEqual(took.files[0].path, `tree/long/${Sha256.of(path)}`)
      assert.strictEqual(took.files[0].bytes, 5)
      assert.deepStrictEqual(took.others, [])
    }),
  )

  it.effect("finds its way up from a depth at which it cannot keep all folders open", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const deep = Array.from({ length: 100 }, (_, index) => `d${index}`)
      write(join(project, "tree", ...deep, "file"), "x")
      for (const at of [1, 40, 99]) write(join(project, "tree", ...deep.slice(0, at), "e", "beside"), "x")
      const took = yield* take(project, Place.section(collector()))
      assert.strictEqual(took.files.length, 4)
      assert.deepStrictEqual(took.others, [])
      assert.strictEqual(took.endings[0].outcome, "ok")
    }),
  )

  it.effect("takes files with holes and with several names as the files that they are", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      write(join(project, "tree/hole"), "x")
      Fs.truncateSync(join(project, "tree/hole"), 1 << 30)
      Fs.linkSync(join(project, "tree/hole"), join(project, "tree/same"))
      const took = yield* take(project, Place.section(collector()))
      assert.deepStrictEqual(
        took.files.map(({ bytes, path }) => [path, bytes]),
        [
          ["tree/hole", 1 << 30],
          ["tree/same", 1 << 30],
        ],
      )
    }),
  )

  it.effect("leaves out its own folders", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      write(join(project, ".dandori/sealed/incidents/IR-0/big"), "x")
      write(join(project, ".dandori/ledger/a"), "x")
      const took = yield* take(project, Place.section(collector({ root: "." })))
      assert.deepStrictEqual(pathsOf(took.files), ["tree/.dandori/ledger/a"])
      assert.deepStrictEqual(took.others, [])
    }),
  )

  it.effect("lists what this user may not read, and looks at it again in another call", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      write(join(project, "tree/a/file"), "x")
      write(join(project, "tree/b"), "xy")
      Fs.chmodSync(join(project, "tree/a"), 0)
      Fs.chmodSync(join(project, "tree/b"), 0)
      const took = yield* take(project, Place.section(collector()))
      // Root reads whatever a mode says.
      const isRoot = process.getuid?.() === 0
      assert.deepStrictEqual(pathsOf(took.files), isRoot ? ["tree/b", "tree/a/file"] : [])
      assert.deepStrictEqual(
        reasonsOf(project, took.others),
        isRoot ? {} : { a: "permission denied", b: "permission denied" },
      )
      assert.strictEqual(took.endings[0].outcome, isRoot ? "ok" : "failed")
      Fs.chmodSync(join(project, "tree/a"), 0o700)
      Fs.chmodSync(join(project, "tree/b"), 0o600)
      const again = yield* take(project, Place.section(collector()))
      assert.deepStrictEqual(pathsOf(again.files), ["tree/b", "tree/a/file"])
      assert.deepStrictEqual([again.others, again.endings[0].outcome], [[], "ok"])
    }),
  )

  it.effect("says that a root is no folder", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      write(join(project, "tree"), "x")
      const took = yield* take(project, Place.section(collector()))
      assert.strictEqual(took.endings[0].outcome, "failed")
      assert.strictEqual(
        took.endings[0].reason,
        `1 file or folder could not be read: ${join(project, "tree")}: it is no folder`,
      )
      assert.deepStrictEqual(took.others, [
        { collector: "tree", source: join(project, "tree"), reason: "it is no folder" },
      ])
    }),
  )
})
