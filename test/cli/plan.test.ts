import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori, ndjson, start } from "./evidence-project.ts"
import { onTerminal, project as runProject } from "./run-project.ts"

const write = (folder: string, path: string, text: string) =>
  Effect.promise(() => Fs.writeFile(join(folder, path), text))
const edit = (folder: string, path: string, from: string, to: string) =>
  Effect.promise(async () => {
    const text = await Fs.readFile(join(folder, path), "utf8")
    assert.include(text, from)
    await Fs.writeFile(join(folder, path), text.replaceAll(from, to))
  })

const guarded = `version: 1
id: guarded
tasks:
  check: { uses: dq-file, cache: true, with: { files: [bars.csv], expectations: bars.yaml } }
  tell: { uses: command, needs: [check], timeout: 1m, with: { argv: [echo, told] } }
`
const expectations = `name: bars
min_rows: 2
checks:
  - { check: ordered, severity: error }
  - { check: max_gap, max: 2h, severity: error }
`

/** The project with a pipeline that has a gate. */
const project = Effect.tap(runProject, (folder) =>
  Effect.all([write(folder, "pipelines/guarded.yaml", guarded), write(folder, "bars.yaml", expectations)]),
)

const system = (folder: string) =>
  Effect.map(dandori(folder, "ledger", "show", "system", "--json"), ({ out }) =>
    ndjson(out).filter(({ type }) => type === "dev.dandori.pipeline.deployed.v1"),
  )

const git = (folder: string, ...args: ReadonlyArray<string>) =>
  Effect.promise(() => Bun.$`git -c user.name=t -c user.email=t@example.org ${args}`.cwd(folder).quiet())

describe("dandori deploy", () => {
  it.effect("records the pipeline in the stream system, its bytes in the artifact store, and who did it", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { code, out } = yield* dandori(folder, "deploy", "guarded")
      assert.strictEqual(code, 0)
      assert.match(out, /^guarded {2}deployed in dev, for the first time {2}sha256:[0-9a-f]{64}\n$/)
      const [entry, ...more] = yield* system(folder)
      assert.lengthOf(more, 0)
      const data = entry?.data as Record<string, any>
      assert.deepInclude(data, { pipeline: "guarded", env: "dev", gates: ["check"] })
      assert.deepStrictEqual(
        data.files.map(({ name }: { name: string }) => name),
        ["bars.yaml"],
      )
      assert.isString(entry?.authid)
      for (const { sha256 } of [data.planArtifact, data.config, ...data.files]) {
        const path = join(folder, ".dandori/artifacts/sha256", sha256.slice(0, 2), sha256.slice(2))
        assert.isTrue(yield* Effect.promise(() => Fs.stat(path).then((found) => found.size > 0)))
      }
      assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
    }),
  )

  it.effect("of what is deployed already says so and appends nothing", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* dandori(folder, "deploy", "good", "guarded")
      const { code, out } = yield* dandori(folder, "deploy", "guarded", "good")
      assert.strictEqual(code, 0)
      assert.match(out, /^guarded {2}is deployed already, nothing changed.*\ngood {2}is deployed already/)
      assert.lengthOf(yield* system(folder), 2)
    }),
  )

  it.effect("deploys nothing when one of the pipelines does not compile, and shows its mistakes", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "pipelines/wrong.yaml", "version: 1\nid: wrong\ntasks: { a: { uses: nothing } }\n")
      const { code, err } = yield* dandori(folder, "deploy", "good", "pipelines/wrong.yaml")
      assert.strictEqual(code, 65)
      assert.match(err, /pipelines\/wrong\.yaml:3:\d+: There is no task type "nothing"/)
      assert.isFalse(yield* Effect.promise(() => Bun.file(join(folder, ".dandori/ledger/system.ndjson")).exists()))
    }),
  )

  it.effect("refuses a weaker safeguard with 3, and takes it with a reason, which is recorded", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* dandori(folder, "deploy", "guarded")
      yield* edit(folder, "bars.yaml", "max: 2h", "max: 3h")
      const refused = yield* dandori(folder, "deploy", "guarded", "good")
      assert.strictEqual(refused.code, 3)
      assert.include(refused.err, 'bars.yaml: max_gap.max: "2h" → "3h"')
      assert.include(refused.err, "Nothing was deployed")
      assert.lengthOf(yield* system(folder), 1)
      const blank = yield* dandori(folder, "deploy", "guarded", "--accept-weaker", " ")
      assert.strictEqual(blank.code, 64)
      const taken = yield* dandori(folder, "deploy", "guarded", "--accept-weaker", "the feed has gaps")
      assert.strictEqual(taken.code, 0, taken.err)
      const entries = yield* system(folder)
      const [first, second] = entries.map(({ data }) => data as Record<string, any>)
      assert.deepStrictEqual(second?.weaker, {
        reason: "the feed has gaps",
        accepted: ["expectations: bars.yaml: max_gap.max"],
      })
      assert.strictEqual(second?.previous, first?.plan)
      assert.isUndefined(first?.weaker)
      assert.strictEqual((yield* dandori(folder, "plan", "guarded")).code, 0)
    }),
  )

  it.effect("keeps what is deployed in one environment apart from another", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* dandori(folder, "deploy", "good")
      const { code, out } = yield* dandori(folder, "plan", "good", "--env", "prod")
      assert.strictEqual(code, 2)
      assert.include(out, "nothing is deployed in prod")
    }),
  )

  it.effect("started many times at once leaves one line of deployments, each naming the one before", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const versions = [1, 2, 3, 4]
      for (const n of versions) {
        yield* write(folder, `v${n}.yaml`, guarded.replace("timeout: 1m", `timeout: ${n}m`))
      }
      const said = yield* Effect.all(
        versions.map((n) => dandori(folder, "deploy", `v${n}.yaml`)),
        { concurrency: "unbounded" },
      )
      assert.deepStrictEqual(
        said.map(({ code }) => code),
        [0, 0, 0, 0],
        said.map(({ err }) => err).join("\n"),
      )
      const deployed = (yield* system(folder)).map(({ data }) => data as Record<string, any>)
      assert.lengthOf(deployed, 4)
      deployed.forEach(({ previous }, i) => assert.strictEqual(previous, deployed[i - 1]?.plan))
      assert.strictEqual((yield* dandori(folder, "ledger", "verify")).code, 0)
    }),
  )

  it.effect("asks for a reason when what is deployed cannot be read any more, and then replaces it", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* dandori(folder, "deploy", "guarded")
      const [sha = ""] = (yield* system(folder)).map(({ data }) => (data as { plan: string }).plan)
      const bytes = join(folder, ".dandori/artifacts/sha256", sha.slice(0, 2), sha.slice(2))
      yield* Effect.promise(() => Fs.rm(bytes, { force: true }))
      const refused = yield* dandori(folder, "deploy", "guarded")
      assert.strictEqual(refused.code, 3)
      assert.match(refused.err, /! what is deployed {2}\(it cannot be compared: Artifact [^)]*does not exist/)
      const { code, err } = yield* dandori(folder, "deploy", "guarded", "--accept-weaker", "the disk lost it")
      assert.strictEqual(code, 0, err)
      assert.strictEqual((yield* dandori(folder, "plan", "guarded")).code, 0)
    }),
  )

  it.effect("of two files with one id asks which is meant", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "again.yaml", guarded)
      const { code, err } = yield* dandori(folder, "deploy", "guarded", "again.yaml")
      assert.strictEqual(code, 64)
      assert.include(err, "again.yaml have the same id guarded")
    }),
  )
})

describe("dandori plan", () => {
  it.effect("writes nothing, and calls everything new where nothing is deployed", () =>
    Effect.gen(function* () {
      const folder = yield* project
      const { code, out } = yield* dandori(folder, "plan", "guarded")
      assert.strictEqual(code, 2)
      assert.match(out, /^guarded {2}pipelines\/guarded\.yaml {2}new: nothing is deployed in dev\n/)
      assert.match(out, /\+ check \(dq-file\)\n/)
      assert.notInclude(out, "\u001b[")
      assert.isFalse(
        yield* Effect.promise(() =>
          Fs.stat(join(folder, ".dandori")).then(
            () => true,
            () => false,
          ),
        ),
      )
    }),
  )

  it.effect("shows tasks, caches and configuration as they change, with 2", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* dandori(folder, "deploy", "guarded")
      assert.strictEqual((yield* dandori(folder, "plan", "guarded")).code, 0)
      yield* edit(folder, "pipelines/guarded.yaml", "timeout: 1m", "timeout: 90s")
      yield* edit(folder, "bars.yaml", "min_rows: 2", "min_rows: 3")
      yield* edit(folder, "configs/base/dq.yaml", "outlier_sigma: 8", "outlier_sigma: 7")
      const { code, out } = yield* dandori(folder, "plan", "guarded")
      assert.strictEqual(code, 2)
      assert.match(out, /Tasks\n {2}~ tell \(command\)\n {6}~ timeout: 1m → 1m30s\n/)
      assert.match(out, /Configuration\n {2}~ dq\.checks\.outlier_sigma: 8 → 7\n/)
      assert.match(out, /Files\n {2}~ bars\.yaml: min_rows: 2 → 3\n/)
      assert.match(out, /Caches that go stale\n {2}check {2}the configuration's dq changed\n/)
      assert.notInclude(out, "Weaker")
    }),
  )

  it.effect("of a comment or another order of keys sees nothing", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* dandori(folder, "deploy", "guarded")
      yield* edit(folder, "pipelines/guarded.yaml", "tasks:", "# the gate first\ntasks:")
      yield* edit(folder, "bars.yaml", "{ check: ordered, severity: error }", "{ severity: error, check: ordered } # !")
      const { code, out } = yield* dandori(folder, "plan", "guarded")
      assert.strictEqual(code, 0, out)
      assert.match(out, /^guarded .* no change from what .* deployed on /)
    }),
  )

  it.effect("answers 3 for a gate that is gone, over the changes of other pipelines", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* dandori(folder, "deploy", "good", "guarded")
      yield* edit(folder, "pipelines/good.yaml", "say: hello", "say: hi")
      yield* write(
        folder,
        "pipelines/guarded.yaml",
        guarded.replace(/ {2}check.*\n/, "").replace("needs: [check], ", ""),
      )
      const { code, err, out } = yield* dandori(folder, "plan", "good", "guarded")
      assert.strictEqual(code, 3)
      assert.match(out, /Weaker safeguards\n {2}! tasks\.check: "dq-file" {2}\(the gate is gone\)\n/)
      assert.include(err, "--accept-weaker")
    }),
  )

  it.effect("prints one JSON value for each pipeline and nothing else", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* dandori(folder, "deploy", "guarded")
      yield* edit(folder, "bars.yaml", "min_rows: 2", "min_rows: 1")
      const { code, err, out } = yield* dandori(folder, "plan", "guarded", "good", "--json")
      const [guardedLine, goodLine, ...more] = ndjson(out)
      assert.strictEqual(code, 3)
      assert.strictEqual(err, "")
      assert.lengthOf(more, 0)
      assert.deepInclude(guardedLine, { v: 1, kind: "plan", pipeline: "guarded", change: true, exit: 3 })
      assert.deepStrictEqual(guardedLine?.weaker, [
        {
          rule: "expectations",
          why: "the gate expects less of the data",
          place: "bars.yaml: min_rows",
          old: 2,
          new: 1,
        },
      ])
      assert.deepInclude(goodLine, { pipeline: "good", change: true, exit: 2 })
    }),
  )

  it.effect(
    "names runs that go on with the plan that they started with, while they run and when they are interrupted",
    () =>
      Effect.gen(function* () {
        const folder = yield* project
        const child = yield* Effect.acquireRelease(
          Effect.sync(() => start(folder, ["run", "hanging"])),
          (started) => Effect.sync(() => started.kill("SIGKILL")),
        )
        yield* Effect.promise(async () => {
          let heard = ""
          for await (const bytes of child.stderr) {
            heard += new TextDecoder().decode(bytes)
            if (/hanging +started/.test(heard)) break
          }
        })
        yield* edit(folder, "pipelines/hanging.yaml", "say: never", "say: ever")
        const running = yield* dandori(folder, "plan", "hanging")
        const [run] = ndjson((yield* dandori(folder, "runs", "list", "--json")).out).map((each) => String(each.run))
        const title = "Runs that go on with the plan that they started with"
        assert.match(running.out, new RegExp(`${title}\\n {2}${run} {2}running\\n`))
        child.kill("SIGKILL")
        yield* Effect.promise(() => child.exited)
        const interrupted = yield* dandori(folder, "plan", "hanging")
        assert.match(interrupted.out, new RegExp(`${title}\\n {2}${run} {2}interrupted\\n`))
        const other = yield* dandori(folder, "plan", "good")
        assert.notInclude(other.out, title)
      }),
  )

  it.effect("compares two files, and colours them on a terminal", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* write(folder, "old pipeline.yaml", guarded)
      yield* edit(folder, "pipelines/guarded.yaml", "told", "heard")
      const { code, out } = yield* dandori(folder, "plan", "guarded", "--against", "old pipeline.yaml")
      assert.strictEqual(code, 2)
      assert.include(out, 'with.argv[1]: "told" → "heard"')
      const shown = yield* onTerminal(folder, ["plan", "guarded", "--against", "old pipeline.yaml"])
      assert.strictEqual(shown.code, 2)
      assert.include(shown.screen, "\u001b[33m~\u001b[0m")
    }),
  )

  it.effect("ends with 65 and the place when a pipeline does not compile, and with 66 when a file is not there", () =>
    Effect.gen(function* () {
      const folder = yield* project
      yield* edit(folder, "pipelines/guarded.yaml", "uses: command", "uses: comand")
      const { code, err } = yield* dandori(folder, "plan", "guarded")
      assert.strictEqual(code, 65)
      assert.include(err, 'There is no task type "comand". Did you mean "command"?')
      const missing = yield* dandori(folder, "plan", "good", "--against", "no.yaml")
      assert.strictEqual(missing.code, 66)
      assert.match(missing.err, /^No pipeline at .*no\.yaml: there is no such file\n$/)
    }),
  )
})

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
