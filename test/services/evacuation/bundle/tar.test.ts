import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Sha256 from "../../../../src/domain/sha256.ts"
import * as Durable from "../../../../src/services/durable-files.ts"
import * as Tar from "../../../../src/services/evacuation/bundle/tar.ts"
import { capture, collected, ended, openAt, run, temporary } from "../incident/incident-place.ts"

const bytesOf = (path: string) => Effect.promise(() => Fs.readFile(path))
const names = (path: string) => Effect.promise(async () => (await Fs.readdir(path)).toSorted())
const awkward = [
  "plain.txt",
  "with space.txt",
  "日本語.txt",
  "back\\slash.txt",
  "new\nline.txt",
  `${"deep/".repeat(30)}file.txt`,
  `${"l".repeat(180)}.txt`,
  `${"é".repeat(90)}/${"ü".repeat(90)}.txt`,
]

describe("the tar of captures", () => {
  it.effect("holds every capture with owner 0, mode 0600 and its time, in order, for GNU tar and for Python", () =>
    Effect.gen(function* () {
      const root = yield* temporary
      const folder = yield* openAt(root)
      yield* capture(folder, "processes", "ps\n".repeat(2_000))
      yield* capture(folder, "empty", "")
      yield* capture(folder, "block", "x".repeat(512))
      yield* Tar.pack(folder)
      const tar = join(folder.path, "bundles/evidence.tar")
      const listed = yield* run(root, "env", "TZ=UTC", "tar", "--full-time", "-tvf", tar)
      assert.strictEqual(listed.err, "")
      assert.deepStrictEqual(
        listed.out
          .trim()
          .split("\n")
          .map((line) => line.replace(/ +/g, " ")),
        [
          "-rw------- 0/0 512 2026-11-27 03:14:02 captures/block.txt",
          "-rw------- 0/0 0 2026-11-27 03:14:02 captures/empty.txt",
          "-rw------- 0/0 6000 2026-11-27 03:14:02 captures/processes.txt",
        ],
      )
      const python = yield* run(
        root,
        "python3",
        "-c",
        "import sys, tarfile; [print(m.name, m.size, m.mode, m.mtime, m.isreg()) for m in tarfile.open(sys.argv[1])]",
        tar,
      )
      assert.include(python.out, "captures/processes.txt 6000 384 1795749242 True\n", python.err)
    }),
  )

  it.effect("unpacks to the same bytes under awkward names", () =>
    Effect.gen(function* () {
      const root = yield* temporary
      const folder = yield* openAt(root)
      for (const [at, name] of awkward.entries()) yield* capture(folder, `c${at}`, `${name} holds this`, name)
      yield* Tar.pack(folder)
      const tar = join(folder.path, "bundles/evidence.tar")
      for (const [tool, ...argv] of [
        ["tar", "tar", "-xf", tar],
        ["python", "python3", "-c", "import sys, tarfile; tarfile.open(sys.argv[1]).extractall()", tar],
      ]) {
        const into = join(root, tool)
        yield* Effect.promise(() => Fs.mkdir(into))
        const said = yield* run(into, ...argv)
        assert.strictEqual(said.code, 0, `${tool}: ${said.err}`)
        for (const name of awkward) {
          assert.strictEqual((yield* bytesOf(join(into, "captures", name))).toString(), `${name} holds this`)
        }
      }
    }),
  )

  it.effect("is listed with its digest and those of its members, and is the same bytes for the same captures", () =>
    Effect.gen(function* () {
      const made = yield* Effect.forEach([1, 2], () =>
        Effect.gen(function* () {
          const folder = yield* openAt(yield* temporary)
          const lines = [yield* capture(folder, "b", "two"), yield* capture(folder, "a", "one")]
          yield* Tar.pack(folder)
          const tar = yield* bytesOf(join(folder.path, "bundles/evidence.tar"))
          const [listed, ...others] = yield* Tar.list(folder)
          assert.deepStrictEqual(others, [])
          assert.deepInclude(listed, { tar: "evidence.tar", bytes: tar.length, sha256: Sha256.of(tar) })
          assert.deepStrictEqual(
            listed?.members.map(({ bytes, path, sha256 }) => ({ bytes, path, sha256 })),
            lines.toReversed().map(({ bytes, path, sha256 }) => ({ bytes, path, sha256 }) as never),
          )
          return tar
        }),
      )
      assert.isTrue(made[0]?.equals(made[1] ?? Buffer.alloc(0)))
    }),
  )

  it.effect("is made once; what is captured later goes into a tar of its own", () =>
    Effect.gen(function* () {
      const folder = yield* openAt(yield* temporary)
      yield* capture(folder, "a", "one")
      yield* collected(folder, ended("gpu", { outcome: "failed", reason: "no answer" }))
      yield* Tar.pack(folder)
      const first = yield* bytesOf(join(folder.path, "bundles/evidence.tar"))
      yield* Tar.pack(folder)
      assert.lengthOf(yield* Tar.list(folder), 1)
      yield* capture(folder, "gpu", "now it answers")
      yield* Tar.pack(folder)
      assert.deepStrictEqual(yield* names(join(folder.path, "bundles")), [
        "evidence-2.tar",
        "evidence.tar",
        "tars.ndjson",
      ])
      assert.isTrue(first.equals(yield* bytesOf(join(folder.path, "bundles/evidence.tar"))))
      assert.deepStrictEqual(
        (yield* Tar.list(folder)).map(({ members, tar }) => [tar, members.map(({ path }) => path)]),
        [
          ["evidence.tar", ["captures/a.txt"]],
          ["evidence-2.tar", ["captures/gpu.txt"]],
        ],
      )
    }),
  )

  it.effect("is made anew where a crash left a part of one, and gets its name where a crash kept it from that", () =>
    Effect.gen(function* () {
      const folder = yield* openAt(yield* temporary)
      const at = (name: string) => join(folder.path, "bundles", name)
      yield* capture(folder, "a", "one")
      yield* Durable.makeFolderDurably(at(""))
      yield* Durable.writeFileDurably(at("evidence.tar.new"), "from before the crash")
      yield* Tar.pack(folder)
      const tar = yield* bytesOf(at("evidence.tar"))
      assert.strictEqual((yield* Tar.list(folder))[0]?.sha256, Sha256.of(tar))
      assert.strictEqual((yield* run(folder.path, "tar", "-tf", "bundles/evidence.tar")).out, "captures/a.txt\n")

      yield* Effect.promise(() => Fs.rename(at("evidence.tar"), at("evidence.tar.new")))
      yield* Tar.pack(folder)
      assert.isTrue(tar.equals(yield* bytesOf(at("evidence.tar"))))
      assert.lengthOf(yield* Tar.list(folder), 1)
    }),
  )

  it.effect("leaves out captures that are gone, cut off, longer or altered since, and keeps the others", () =>
    Effect.gen(function* () {
      const folder = yield* openAt(yield* temporary)
      for (const name of ["altered", "cut", "gone", "kept", "longer"]) yield* capture(folder, name, "0123456789")
      const at = (name: string) => join(folder.path, "captures", `${name}.txt`)
      yield* Effect.promise(async () => {
        await Fs.writeFile(at("altered"), "012345678x")
        await Fs.writeFile(at("cut"), "01234")
        await Fs.rm(at("gone"))
        await Fs.appendFile(at("longer"), "more".repeat(100_000))
      })
      yield* Tar.pack(folder)
      assert.strictEqual((yield* run(folder.path, "tar", "-tf", "bundles/evidence.tar")).out, "captures/kept.txt\n")
      assert.deepStrictEqual(yield* names(join(folder.path, "bundles")), ["evidence.tar", "tars.ndjson"])
    }),
  )

  it.effect("is not made where nothing was captured", () =>
    Effect.gen(function* () {
      const folder = yield* openAt(yield* temporary)
      yield* collected(folder, ended("gpu", { outcome: "skipped", reason: "there is no GPU here" }))
      yield* Tar.pack(folder)
      assert.deepStrictEqual(yield* names(folder.path), ["call.json", "captures", "collected.ndjson", "incident.json"])
    }),
  )
})
