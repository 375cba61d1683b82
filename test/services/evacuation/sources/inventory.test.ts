import * as Fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import type { EvacuationSection } from "../../../../src/domain/config/evacuation.ts"
import * as Sha256 from "../../../../src/domain/sha256.ts"
import * as Inventory from "../../../../src/services/evacuation/sources/inventory.ts"
import * as Place from "../destination/place.ts"

const { bytes, collector, write } = Place

/** Takes the inventory of a project. */
const take = (project: string, evacuation: EvacuationSection, deadline?: number) =>
  Effect.gen(function* () {
    const folder = yield* Place.incident({ began: 1, ...(deadline === undefined ? {} : { deadline }) })
    const endings = yield* Inventory.take(folder)
    const { path } = folder
    return {
      path,
      endings,
      files: Place.inventory(path),
      others: Place.notTaken(path),
      collected: Place.collected(path),
    }
  }).pipe(Effect.provide(Place.services(project, evacuation)))

const pathsOf = (files: ReadonlyArray<{ readonly path: string }>) => files.map(({ path }) => path)
/** What was not taken, with the reason, by its path below `tree`. */
const reasonsOf = (project: string, others: ReadonlyArray<{ readonly source: string; readonly reason: string }>) =>
  Object.fromEntries(others.map(({ reason, source }) => [source.replace(`${join(project, "tree")}/`, ""), reason]))

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

  it.effect("takes the first files that fit into max_bytes, and lists the others; another call looks again", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      for (const [name, size] of [
        ["a", 600],
        ["b", 500],
        ["c", 400],
      ] as const)
        write(join(project, "tree", name), "x".repeat(size))
      const took = yield* take(project, Place.section(collector({ max_bytes: "1kB" })))
      assert.deepStrictEqual(pathsOf(took.files), ["tree/a", "tree/c"])
      assert.deepStrictEqual(took.others, [
        { collector: "tree", source: join(project, "tree/b"), reason: "over the limit of 1kB", bytes: 500 },
      ])
      const [{ outcome, reason, truncated }] = took.endings
      assert.deepStrictEqual([outcome, reason, truncated], ["ok", "1 file is over the limit of 1kB", true])
      const again = yield* take(project, Place.section(collector({ max_bytes: "1kB" })))
      assert.deepStrictEqual([again.files, again.others], [took.files, took.others])
      const whole = yield* take(project, Place.section(collector({ max_bytes: "2kB" })))
      assert.deepStrictEqual(pathsOf(whole.files), ["tree/a", "tree/c", "tree/b"])
      assert.deepStrictEqual(whole.others, [])
      assert.deepStrictEqual([whole.endings[0].files, whole.endings[0].bytes], [3, 1500])
    }),
  )

  it.effect("keeps what is listed of a collector that ended ok, and looks at no file of it again", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      write(join(project, "tree/a"), "x")
      const first = yield* take(project, Place.section(collector(), collector({ name: "late", root: "late" })))
      assert.deepStrictEqual(
        first.endings.map(({ outcome }) => outcome),
        ["ok", "skipped"],
      )
      const same = yield* take(project, Place.section(collector(), collector({ name: "late", root: "late" })))
      assert.deepStrictEqual(same.collected, first.collected, "what is skipped for the same reason is not said again")
      write(join(project, "tree/new"), "x")
      write(join(project, "late/file"), "x")
      const second = yield* take(project, Place.section(collector(), collector({ name: "late", root: "late" })))
      assert.deepStrictEqual(pathsOf(second.files), ["tree/a", "late/file"])
      assert.deepStrictEqual(second.endings[0], first.endings[0])
      assert.strictEqual(second.endings[1].outcome, "ok")
      const third = yield* take(project, Place.section(collector(), collector({ name: "late", root: "late" })))
      assert.deepStrictEqual([third.files, third.collected], [second.files, second.collected])
    }),
  )

  it.effect("lists nothing twice after a crash in the middle of its lines", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      for (const name of ["a", "b", "c"]) write(join(project, "tree", name), name)
      const first = yield* take(project, Place.section(collector()))
      const [list, ended] = ["inventory.ndjson", "collected.ndjson"].map((name) => join(first.path, name))
      const whole = Fs.readFileSync(list)
      for (let length = 0; length <= whole.length; length += 7) {
        Fs.writeFileSync(list, whole.subarray(0, length))
        Fs.writeFileSync(ended, "")
        yield* Effect.gen(function* () {
          yield* Inventory.take(yield* Place.incident())
        }).pipe(Effect.provide(Place.services(project, Place.section(collector()))))
        const lines = Fs.readFileSync(list, "utf8").split("\n")
        const paths = lines.flatMap((line) => /"path":"([^"]*)".*\}$/.exec(line)?.[1] ?? [])
        assert.deepStrictEqual(paths, ["tree/a", "tree/b", "tree/c"])
      }
    }),
  )

  it.effect("looks at nothing once the deadline is over, and says so", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      write(join(project, "tree/a"), "x")
      yield* TestClock.setTime(5_000)
      const late = yield* take(project, Place.section(collector()), 5_000)
      assert.deepStrictEqual(late.files, [])
      assert.deepStrictEqual(late.others, [{ collector: "tree", source: join(project, "tree"), reason: "deadline" }])
      assert.strictEqual(late.endings[0].outcome, "failed")
      const again = yield* take(project, Place.section(collector()))
      assert.deepStrictEqual(pathsOf(again.files), ["tree/a"])
      assert.deepStrictEqual(again.others, [])
    }),
  )

  it.effect(
    "cut by its time limit, it has each file listed or below a folder that is listed; another call takes the rest",
    () =>
      Effect.gen(function* () {
        const project = yield* Place.folder
        const all: Array<string> = []
        for (let folder = 0; folder < 20; folder++)
          for (let file = 0; file < 30; file++) {
            write(join(project, `tree/${folder}/${file}`), "x")
            all.push(join(project, `tree/${folder}/${file}`))
          }
        /** A millisecond goes by with each turn of the event loop, of which a walk takes some for each folder. */
        const ticking = <A, E>(effect: Effect.Effect<A, E>) =>
          Effect.gen(function* () {
            const fiber = yield* Effect.forkChild(effect)
            while (fiber.pollUnsafe() === undefined) {
              yield* TestClock.adjust(1)
              yield* Effect.promise(() => new Promise(setImmediate))
            }
            return yield* Fiber.join(fiber)
          })
        let cuts = 0
        for (const time of [0, 1, 5, 20, 40, 80].map((millis) => `${millis}ms`)) {
          Fs.rmSync(join(project, ".dandori"), { recursive: true, force: true })
          const took = yield* ticking(take(project, Place.section(collector({ time }))))
          const listed = new Set(took.files.map(({ source }) => source))
          const left = took.others.map(({ source }) => source)
          assert.isTrue(took.others.every(({ reason }) => reason === `the time limit of ${time} is over`))
          assert.isTrue(all.every((path) => listed.has(path) || left.some((folder) => path.startsWith(`${folder}/`))))
          assert.strictEqual(took.endings[0].outcome, left.length === 0 ? "ok" : "failed")
          if (left.length > 0) cuts++
          const whole = yield* take(project, Place.section(collector()))
          assert.deepStrictEqual(whole.files.map(({ source }) => source).toSorted(), all.toSorted())
          assert.deepStrictEqual(whole.others, [])
        }
        assert.isAtLeast(cuts, 3)
      }),
  )
})
