import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori } from "./evidence-project.ts"
import { edit, git, guarded, project, write } from "./guarded-project.ts"

describe("dandori plan against a git revision", () => {
  const typescript = `import { pipeline } from "dandori"
import { command } from "dandori/tasks"
import { words } from "../words.ts"
export default pipeline("spoken", {}, ({ task }) => {
  task("say", command, { argv: ["echo", ...words] })
})
`
  const repository = Effect.tap(project, (folder) =>
    Effect.gen(function* () {
      yield* write(folder, "pipelines/spoken.ts", typescript)
      yield* write(folder, "words.ts", 'export const words = ["old"]\n')
      yield* git(folder, "init", "-q", "-b", "main")
      yield* git(folder, "add", "-A")
      yield* git(folder, "commit", "-q", "-m", "first")
    }),
  )

  it.effect("takes the pipeline, the configuration and the files as they were then", () =>
    Effect.gen(function* () {
      const folder = yield* repository
      yield* edit(folder, "bars.yaml", "min_rows: 2", "min_rows: 1")
      yield* edit(folder, "configs/base/dq.yaml", "spike: 0.01", "spike: 0.02")
      yield* git(folder, "commit", "-q", "-a", "-m", "second")
      const { code, out } = yield* dandori(folder, "plan", "guarded", "--against", "git:HEAD~1")
      assert.strictEqual(code, 3)
      assert.include(out, "compared with git revision HEAD~1")
      assert.include(out, "! bars.yaml: min_rows: 2 → 1")
      assert.include(out, "! dq.flags.spike: 0.01 → 0.02")
      assert.strictEqual((yield* dandori(folder, "plan", "guarded", "--against", "main")).code, 0)
    }),
  )

  it.effect(
    "compiles a TypeScript pipeline with the imports of then, and leaves repository and temporary folder alone",
    () =>
      Effect.gen(function* () {
        const folder = yield* repository
        yield* write(folder, "words.ts", 'export const words = ["new"]\n')
        const before = yield* git(folder, "status", "--porcelain")
        const { code, err, out } = yield* dandori(folder, "plan", "spoken", "--against", "git:main")
        assert.strictEqual(code, 2, err)
        assert.include(out, 'with.argv[1]: "old" → "new"')
        assert.strictEqual(String((yield* git(folder, "status", "--porcelain")).stdout), String(before.stdout))
        assert.strictEqual(
          String((yield* git(folder, "worktree", "list")).stdout)
            .trim()
            .split("\n").length,
          1,
        )
        const left = yield* Effect.promise(() => Fs.readdir(process.env.TMPDIR ?? "/tmp"))
        assert.deepStrictEqual(
          left.filter((name) => name.startsWith("dandori-revision-")),
          [],
        )
      }),
  )

  it.effect("works in a project that is a folder of a larger repository", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const parent = join(folder, "..")
      yield* git(parent, "init", "-q", "-b", "main")
      yield* git(parent, "add", "-A")
      yield* git(parent, "commit", "-q", "-m", "first")
      yield* edit(folder, "pipelines/guarded.yaml", "told", "heard")
      const { code, out } = yield* dandori(folder, "plan", "guarded", "--against", "git:main")
      assert.strictEqual(code, 2)
      assert.include(out, 'with.argv[1]: "told" → "heard"')
    }),
  )

  it.effect("calls a pipeline new that the revision does not have", () =>
    Effect.gen(function* () {
      const folder = yield* repository
      yield* write(folder, "pipelines/fresh.yaml", guarded.replace("id: guarded", "id: fresh"))
      const { code, out } = yield* dandori(folder, "plan", "fresh", "--against", "git:main")
      assert.strictEqual(code, 2)
      assert.include(out, "new: git revision main has no such file")
    }),
  )

  it.effect(
    "says in one line that there is no such revision, no repository, or a pipeline that does not compile there",
    () =>
      Effect.gen(function* () {
        const folder = yield* project
        const none = yield* dandori(folder, "plan", "guarded", "--against", "git:main")
        assert.strictEqual(none.code, 65)
        assert.match(none.err, /^The git revision main cannot be used: not a git repository[^\n]*\n$/)
        yield* edit(folder, "pipelines/guarded.yaml", "uses: command", "uses: comand")
        yield* git(folder, "init", "-q", "-b", "main")
        yield* git(folder, "add", "-A")
        yield* git(folder, "commit", "-q", "-m", "first")
        yield* edit(folder, "pipelines/guarded.yaml", "uses: comand", "uses: command")
        for (const revision of ["git:nowhere", "git:--help"]) {
          const { code, err } = yield* dandori(folder, "plan", "guarded", "--against", revision)
          assert.strictEqual(code, 65)
          assert.match(err, /^The git revision \S+ cannot be used: there is no such commit, branch or tag[^\n]*\n$/)
        }
        const broken = yield* dandori(folder, "plan", "guarded", "--against", "git:main")
        assert.strictEqual(broken.code, 65)
        assert.match(
          broken.err,
          /^The git revision main cannot be used: main:pipelines\/guarded\.yaml:5:\d+: There is no task type/,
        )
      }),
  )
})
