import { existsSync, mkdirSync, mkdtempSync, realpathSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join, relative, resolve } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fc from "fast-check"
import { PathRefused, Workspace } from "../../src/services/workspace.ts"
import * as WorkspaceFiles from "../../src/services/workspace-files.ts"

/** A machine with a project, a home and a configured root outside it, a secret beside them, and links between. */
const machine = () => {
  const base = realpathSync(mkdtempSync(join(tmpdir(), "dandori-workspace-")))
  for (const folder of ["project/configs", "project/data/deep", "home", "volume/models", "outside/data"]) {
    mkdirSync(join(base, folder), { recursive: true })
  }
  writeFileSync(join(base, "project/data/a b.txt"), "x")
  writeFileSync(join(base, "outside/secret"), "x")
  symlinkSync(join(base, "outside"), join(base, "project/out"))
  symlinkSync("data/deep", join(base, "project/deep"))
  symlinkSync(join(base, "volume"), join(base, "project/volume"))
  symlinkSync(join(base, "nowhere"), join(base, "project/dangling"))
  symlinkSync("loop", join(base, "project/loop"))
  return { base, project: join(base, "project"), outside: join(base, "outside") }
}

const realOfExisting = (path: string): string =>
  existsSync(path) ? realpathSync(path) : join(realOfExisting(dirname(path)), basename(path))

const withWorkspace = <A, E>(
  place: ReturnType<typeof machine>,
  use: (workspace: Workspace["Service"]) => Effect.Effect<A, E>,
  allowUserPaths = false,
) =>
  Effect.gen(function* () {
    return yield* use(yield* Workspace)
  }).pipe(
    Effect.provide(
      WorkspaceFiles.layer({
        project: place.project,
        home: join(place.base, "home"),
        extraRoots: [join(place.base, "volume/models"), "later"],
        allowUserPaths,
      }),
    ),
  )

describe("Workspace.resolve", () => {
  it.effect("gives the absolute path of what lies in the project, spaces and missing parts included", () => {
    const place = machine()
    return withWorkspace(place, (workspace) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* workspace.resolve("data/a b.txt"), join(place.project, "data/a b.txt"))
        assert.strictEqual(yield* workspace.resolve("new/deeper/x.json"), join(place.project, "new/deeper/x.json"))
        assert.strictEqual(yield* workspace.resolve("."), place.project)
        assert.strictEqual(
          yield* workspace.resolve(join(place.base, "home/state.db")),
          join(place.base, "home/state.db"),
        )
      }),
    )
  })

  it.effect("follows links to where they lead, and takes `..` from there", () => {
    const place = machine()
    return withWorkspace(place, (workspace) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* workspace.resolve("deep/x"), join(place.project, "data/deep/x"))
        assert.strictEqual(yield* workspace.resolve("deep/../y"), join(place.project, "data/y"))
        assert.strictEqual(yield* workspace.resolve("volume/models/v1"), join(place.base, "volume/models/v1"))
      }),
    )
  })

  const refused = {
    "a link that leaves the project": "out/secret",
    "`..` that leaves the project": "data/../../outside/secret",
    "`..` behind a link that leaves": "out/../outside/secret",
    "an absolute path outside": "/etc/passwd",
    "a sibling whose name begins like a root": "../project-evil/x",
    "a link beside a configured root": "volume/other",
    "a link to nothing": "dangling/x",
    "a link to itself": "loop",
    "a path through a file": "data/a b.txt/x",
    "a NUL character": "data/a\0b",
    "an empty path": "",
  }
  for (const [what, path] of Object.entries(refused)) {
    it.effect(`refuses ${what}`, () =>
      withWorkspace(machine(), (workspace) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(workspace.resolve(path))
          assert.instanceOf(error, PathRefused)
          assert.isTrue(error.notApplied)
          assert.notInclude(error.message, "\0")
        }),
      ),
    )
  }

  for (const allowUserPaths of [false, true]) {
    const who = allowUserPaths ? "a person on a command line" : "a task"
    it.effect(`refuses ${who} what leads to the private keys, there or not yet, and through links`, () => {
      const place = machine()
      const inKeys = ["keys", "keys/ledger.key", "models/../keys/new", "./keys/"].map((path) =>
        join(place.base, "home", path),
      )
      symlinkSync(join(place.base, "home"), join(place.project, "back"))
      return withWorkspace(
        place,
        (workspace) =>
          Effect.gen(function* () {
            const allRefused = Effect.forEach([...inKeys, "back/keys", "back/keys/ledger.key"], (path) =>
              Effect.map(Effect.flip(workspace.resolve(path)), (error) => assert.include(error.reason, "private keys")),
            )
            yield* allRefused
            mkdirSync(join(place.project, "data/hidden"))
            symlinkSync(join(place.project, "data/hidden"), join(place.base, "home/keys"))
            yield* allRefused
            const error = yield* Effect.flip(workspace.resolve("data/hidden/ledger.key"))
            assert.include(error.reason, "private keys")
            for (const path of ["data/hidden-not", join(place.base, "home/keys.lock"), join(place.base, "home")]) {
              assert.strictEqual(yield* workspace.resolve(path), resolve(place.project, path))
            }
          }),
        allowUserPaths,
      )
    })
  }

  it.effect("allows a person's own path on a command line, but not a NUL character", () => {
    const place = machine()
    return withWorkspace(
      place,
      (workspace) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* workspace.resolve("out/secret"), join(place.outside, "secret"))
          assert.instanceOf(yield* Effect.flip(workspace.resolve("a\0b")), PathRefused)
        }),
      true,
    )
  })

  it("never gives a path whose real parent is outside, whatever parts and links it is made of", async () => {
    const place = machine()
    const part = Fc.constantFrom(
      "..",
      ".",
      "",
      "out",
      "deep",
      "data",
      "volume",
      "models",
      "project",
      "outside",
      "loop",
      "later",
      "new",
      "a b.txt",
    )
    const paths = Fc.tuple(
      Fc.constantFrom("", "/", `${place.base}/`, `${place.project}/`),
      Fc.array(part, { maxLength: 8 }),
    )
    const allowed = [place.project, join(place.base, "home"), join(place.base, "volume/models")]
    let given = 0
    await Fc.assert(
      Fc.asyncProperty(paths, async ([start, parts]) => {
        const path = start + parts.join("/")
        const result = await Effect.runPromise(
          withWorkspace(place, (workspace) => workspace.resolve(path)).pipe(Effect.orElseSucceed(() => undefined)),
        )
        if (result === undefined) return
        given++
        assert.strictEqual(realOfExisting(result), result)
        assert.isTrue(
          allowed.some((root) => !relative(root, result).startsWith("..")),
          `${path} gave ${result}`,
        )
      }),
      { numRuns: 400 },
    )
    assert.isAbove(given, 40)
  })
})

describe("Workspace.display", () => {
  it.effect("is relative within the project and absolute elsewhere", () => {
    const place = machine()
    return withWorkspace(place, (workspace) =>
      Effect.sync(() => {
        assert.strictEqual(workspace.display(join(place.project, "data/a b.txt")), "data/a b.txt")
        assert.strictEqual(workspace.display(place.project), ".")
        assert.strictEqual(workspace.display(place.outside), place.outside)
      }),
    )
  })
})

describe("findProject", () => {
  it.effect("walks up to the folder that holds configs, and takes the home that it is given", () =>
    Effect.gen(function* () {
      const { base, project } = machine()
      const below = join(project, "data/deep")
      assert.deepStrictEqual(yield* WorkspaceFiles.findProject(below), { project, home: join(project, ".dandori") })
      assert.deepStrictEqual(yield* WorkspaceFiles.findProject(below, join(base, "home")), {
        project,
        home: join(base, "home"),
      })
    }),
  )

  it.effect("says so where there is none", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(WorkspaceFiles.findProject(machine().outside))
      assert.include(error.message, "dandori init")
    }),
  )
})
