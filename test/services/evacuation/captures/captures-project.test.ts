import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import { createServer } from "node:http"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { machine, take } from "./capture-place.ts"
import * as Place from "../destination/place.ts"

const linesOf = (text: string) => text.split("\n").filter((line) => line !== "")

/** What another program says; undefined, with a printed reason, where it cannot be asked. */
const said = (argv: ReadonlyArray<string>, cwd = "/"): string | undefined => {
  const { error, status, stdout, stderr } = spawnSync(argv[0], argv.slice(1), {
    cwd,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  })
  if (error === undefined && status === 0) return stdout
  process.stderr.write(`not compared with ${argv.join(" ")}: ${error?.message ?? stderr}\n`)
  return undefined
}

/** Variables of this process's environment until the scope closes. */
const withEnvironment = (values: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = Object.keys(values).map((name) => [name, process.env[name]] as const)
      Object.assign(process.env, values)
      return before
    }),
    (before) =>
      Effect.sync(() => {
        for (const [name, value] of before) {
          if (value === undefined) delete process.env[name]
          else process.env[name] = value
        }
      }),
  )

const write = (path: string, content: string, mode = 0o644) => {
  Fs.mkdirSync(dirname(path), { recursive: true })
  Fs.writeFileSync(path, content, { mode })
}

describe("the environment", () => {
  it.live("says when, where and with what it was taken, and hides the secrets of the variables", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      yield* withEnvironment({
        PLANTED_PASSWORD: "planted-1 with a blank",
        PLANTED_URL: "postgres://ml:planted-2@db/core",
        PLANTED_MULTI_TOKEN: "planted-3\nplanted-4",
        PLANTED_OTHER: "it has planted-5-known in it",
        PLANTED_PLAIN: "a\tb",
      })
      const { outcomes, textOf } = yield* take(project, {
        collectors: [machine("environment")],
        secrets: { KNOWN: "planted-5-known" },
      })
      assert.strictEqual(outcomes[0].outcome, "ok")
      const text = textOf("environment") ?? ""
      const value = (name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(text)?.[1]
      assert.strictEqual(value("incident_id"), "IR-1")
      assert.isBelow(Math.abs(Date.now() - Date.parse(value("ts_utc") ?? "")), 60_000)
      assert.strictEqual(value("host"), said(["hostname"])?.trim())
      assert.strictEqual(value("dandori"), "1.2.3")
      assert.isTrue(value("uname")?.endsWith(said(["uname", "-m"])?.trim() ?? "none"))
      const python = said(["python3", "-V"])
      if (python !== undefined) assert.strictEqual(value("python"), python.trim().split(" ")[1])
      assert.isDefined(value("sklearn"))
      assert.isDefined(value("pandas"))
      assert.strictEqual(value("git_commit"), "")
      assert.strictEqual(value("PLANTED_PASSWORD"), '"[redacted named-secret]"')
      assert.strictEqual(value("PLANTED_URL"), "postgres://ml:[redacted url-password]@db/core")
      assert.strictEqual(value("PLANTED_MULTI_TOKEN"), '"[redacted named-secret]"')
      assert.strictEqual(value("PLANTED_OTHER"), '"it has [redacted known-secret] in it"')
      assert.strictEqual(value("PLANTED_PLAIN"), '"a\\tb"')
      assert.notMatch(text, /planted-\d/)
      for (const name of Object.keys(process.env)) assert.include(text, `\n${name}=`)
    }),
  )
})

describe("git", () => {
  const git = (cwd: string, ...args: ReadonlyArray<string>) =>
    said(["git", "-c", "user.name=ann", "-c", "user.email=ann@example.com", ...args], cwd)?.trim() ?? ""
  const repository = Effect.map(Place.folder, (tree) => {
    git(tree, "init", "-q", "-b", "release/1")
    write(join(tree, "a.txt"), "one\n")
    git(tree, "add", ".")
    git(tree, "commit", "-q", "-m", "the first")
    write(join(tree, "a.txt"), "one\ntwo\n")
    write(join(tree, "new file.txt"), "")
    return tree
  })

  it.live("is told as git tells it, from a folder within the work tree too", () =>
    Effect.gen(function* () {
      const tree = yield* repository
      const project = join(tree, "inner")
      Fs.mkdirSync(project)
      const index = Fs.readFileSync(join(tree, ".git", "index"))
      const { textOf } = yield* take(project, { collectors: [machine("git")] })
      const text = textOf("git") ?? ""
      const head = git(tree, "rev-parse", "HEAD")
      for (const line of [`tree=${tree}`, "branch=release/1", `commit=${head}`, " M a.txt", '?? "new file.txt"'])
        assert.include(text, line)
      assert.match(text, /a\.txt \| 1 \+/)
      assert.include(text, "the first")
      assert.deepStrictEqual(Fs.readFileSync(join(tree, ".git", "index")), index)
    }),
  )

  it.live("is told by its files where there is no git: with packed references and in a second work tree", () =>
    Effect.gen(function* () {
      const tree = yield* repository
      const head = git(tree, "rev-parse", "HEAD")
      git(tree, "pack-refs", "--all")
      assert.isFalse(Fs.existsSync(join(tree, ".git", "refs", "heads", "release", "1")))
      const second = join(yield* Place.folder, "second")
      git(tree, "worktree", "add", "-q", "-b", "other", second)
      git(second, "pack-refs", "--all")
      yield* withEnvironment({ PATH: yield* Place.folder })
      for (const [project, branch] of [
        [tree, "release/1"],
        [second, "other"],
      ]) {
        const { textOf } = yield* take(project, { collectors: [machine("git")] })
        const text = textOf("git") ?? ""
        assert.include(text, `branch=${branch}\ncommit=${head}\n`)
        assert.notInclude(text, "$ git")
      }
      const { textOf } = yield* take(tree, { collectors: [machine("git")] })
      assert.include(textOf("git") ?? "", "commit (initial): the first")
    }),
  )

  it.live("is skipped where the project is in no repository", () =>
    Effect.gen(function* () {
      const { outcomes } = yield* take(yield* Place.folder, { collectors: [machine("git")] })
      assert.deepStrictEqual(
        [outcomes[0].outcome, outcomes[0].reason],
        ["skipped", "the project is in no git repository"],
      )
    }),
  )
})

describe("the packages", () => {
  it.live("are those of dpkg, of Python and of Node", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      const site = join(project, ".venv/lib/python3.11/site-packages")
      write(
        join(site, "scikit_learn-1.5.0.dist-info/METADATA"),
        "Metadata-Version: 2.1\nName: scikit-learn\nVersion: 1.5.0\n\nVersion: no\n",
      )
      write(join(site, "old-0.1.egg-info"), "Metadata-Version: 1.0\nName: old\nVersion: 0.1\n")
      const lock = {
        packages: {
          "node_modules/effect": { version: "4.1.0" },
          "node_modules/a/node_modules/b": { version: "2.0.0" },
        },
      }
      write(join(project, "node_modules/.package-lock.json"), JSON.stringify(lock))
      const { outcomes, textOf } = yield* take(project, { collectors: [machine("packages")] })
      assert.strictEqual(outcomes[0].outcome, "ok")
      const lines = linesOf(textOf("packages") ?? "")
      const found = new Set(lines)
      for (const line of [
        `pip scikit-learn 1.5.0 ${site}`,
        `pip old 0.1 ${site}`,
        `npm effect 4.1.0 ${project}/node_modules`,
        `npm a/node_modules/b 2.0.0 ${project}/node_modules`,
      ])
        assert.isTrue(found.has(line), line)
      const debian = said([
        "dpkg-query",
        "-W",
        "-f",
        "${db:Status-Status} dpkg ${Package} ${Version} ${Architecture}\n",
      ])
      if (debian === undefined) return
      const wanted = linesOf(debian).flatMap((line) => /^installed (.*)$/.exec(line)?.[1] ?? [])
      assert.isAbove(wanted.length, 0)
      assert.deepStrictEqual(new Set(lines.filter((line) => line.startsWith("dpkg "))), new Set(wanted))
    }),
  )

  it.live("of a Node without npm's list are told by what lies there", () =>
    Effect.gen(function* () {
      const project = yield* Place.folder
      write(join(project, "node_modules/@scope/one/package.json"), '{"name":"@scope/one","version":"1.0.0"}')
      write(join(project, "node_modules/two/package.json"), '{"name":"two","version":"2.0.0"}')
      write(join(project, "node_modules/broken/package.json"), "{")
      const { textOf } = yield* take(project, { collectors: [machine("packages")] })
      const mine = linesOf(textOf("packages") ?? "").filter((line) => line.includes(project))
      assert.deepStrictEqual(
        new Set(mine),
        new Set([`npm @scope/one 1.0.0 ${project}/node_modules`, `npm two 2.0.0 ${project}/node_modules`]),
      )
    }),
  )
})

describe("the GPU", () => {
  it.live("is told by the maker's program, and left out where there is none", () =>
    Effect.gen(function* () {
      const folder = yield* Place.folder
      yield* withEnvironment({ PATH: folder })
      const none = yield* take(yield* Place.folder, { collectors: [machine("gpu")] })
      assert.deepStrictEqual(
        [none.outcomes[0].outcome, none.outcomes[0].reason],
        ["skipped", "there is neither nvidia-smi nor rocm-smi"],
      )
      write(join(folder, "nvidia-smi"), `#!/bin/sh\necho "GPU 0: A100 $*"\n`, 0o755)
      const { outcomes, textOf } = yield* take(yield* Place.folder, { collectors: [machine("gpu")] })
      assert.strictEqual(outcomes[0].outcome, "ok")
      assert.strictEqual(textOf("gpu"), "$ nvidia-smi\nGPU 0: A100 \n$ nvidia-smi -q\nGPU 0: A100 -q\n")
      write(join(folder, "rocm-smi"), `#!/bin/sh\necho broken >&2; exit 2\n`, 0o755)
      const broken = yield* take(yield* Place.folder, { collectors: [machine("gpu")] })
      assert.match(broken.outcomes[0].reason ?? "", /rocm-smi --showallinfo ended with 2: broken/)
      assert.include(broken.textOf("gpu") ?? "", "A100")
    }),
  )
})

describe("the containers", () => {
  const containers = {
    "/version": { Version: "27.0.1" },
    "/containers/json?all=1": [{ Id: "abc123", Names: ["/api"] }],
    "/images/json": [{ Id: "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }],
    "/containers/abc123/json": {
      Id: "abc123",
      Args: ["serve", "--api-key", "planted-1"],
      Config: { Env: ['DB_PASSWORD=planted-2 "quoted" planted-3', "PATH=/usr/bin", "URL=redis://:planted-4@cache/0"] },
    },
  }
  const docker = (path: string, answers: Readonly<Record<string, unknown>>) =>
    Effect.acquireRelease(
      Effect.promise(async () => {
        const server = createServer((request, response) => {
          const answer = answers[request.url ?? ""]
          response.writeHead(answer === undefined ? 500 : 200, { "content-type": "application/json" })
          response.end(answer === undefined ? '{"message":"no"}' : JSON.stringify(answer))
        })
        await new Promise<void>((resolve) => server.listen(path, resolve))
        return server
      }),
      (server) =>
        Effect.promise(async () => {
          server.closeAllConnections()
          await new Promise((resolve) => server.close(resolve))
        }),
    )

  it.live("are listed and inspected over the socket, without the secrets of their environment", () =>
    Effect.gen(function* () {
      const folder = yield* Place.folder
      const path = join(folder, "docker.sock")
      yield* docker(path, containers)
      yield* withEnvironment({ DOCKER_HOST: `unix://${path}`, CONTAINER_HOST: `unix://${path}` })
      const { outcomes, textOf } = yield* take(folder, { collectors: [machine("containers")] })
      assert.strictEqual(outcomes[0].outcome, "ok")
      const text = textOf("containers") ?? ""
      assert.strictEqual(text.split(`# ${path}\n`).length, 2)
      assert.include(text, "# GET /containers/abc123/json: 200\n")
      assert.include(text, JSON.stringify(containers["/images/json"]))
      assert.include(text, '"Args":["serve","--api-key","[redacted named-secret]"]')
      assert.include(
        text,
        '"Env":["DB_PASSWORD=[redacted named-secret]","PATH=/usr/bin","URL=redis://:[redacted url-password]@cache/0"]',
      )
      assert.notMatch(text, /planted-\d/)
    }),
  )

  it.live("are failed with the reason where the socket does not answer, and kept as far as it did", () =>
    Effect.gen(function* () {
      const folder = yield* Place.folder
      const path = join(folder, "docker.sock")
      yield* docker(path, { "/version": { Version: "27.0.1" } })
      yield* withEnvironment({ DOCKER_HOST: `unix://${path}` })
      const { outcomes, textOf } = yield* take(folder, { collectors: [machine("containers")] })
      assert.deepStrictEqual(
        [outcomes[0].outcome, outcomes[0].reason],
        ["failed", `${path} answered 500 and no list of containers`],
      )
      assert.include(textOf("containers") ?? "", "27.0.1")
    }),
  )
})
