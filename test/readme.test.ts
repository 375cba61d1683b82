import { spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

const repository = fileURLToPath(new URL("..", import.meta.url))
const readme = readFileSync(join(repository, "README.md"), "utf8")

/** Fenced blocks of a language, in order. */
const blocks = (language: string): ReadonlyArray<string> =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))].map((match) => match[1])

/** Words of a shell line; the README quotes with single quotes only. */
const words = (line: string): ReadonlyArray<string> =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2])

describe("README", () => {
  let parent = ""
  let folder = ""
  const dandori = (...args: ReadonlyArray<string>) => {
    const { status, stderr, stdout } = spawnSync(process.execPath, [join(repository, "src/cli/main.ts"), ...args], {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, NO_COLOR: "1" },
    })
    return { status, stdout, stderr }
  }

  beforeAll(() => {
    parent = mkdtempSync(join(tmpdir(), "dandori readme "))
    folder = join(parent, "project")
    mkdirSync(folder)
    for (const part of ["configs", "samples"]) cpSync(join(repository, part), join(folder, part), { recursive: true })
    mkdirSync(join(folder, "pipelines"))
    writeFileSync(join(folder, "pipelines", "hello.yaml"), blocks("yaml")[0])
    writeFileSync(join(folder, "hello.ts"), blocks("ts")[0])
  })
  afterAll(() => rmSync(parent, { recursive: true, force: true }))

  it("shows the pipeline that ships as pipelines/hello.yaml", () => {
    assert.strictEqual(blocks("yaml")[0], readFileSync(join(repository, "pipelines", "hello.yaml"), "utf8"))
  })

  it("shows the same pipeline in YAML and in TypeScript: their plans are equal to the byte", () => {
    const yaml = dandori("compile", "pipelines/hello.yaml")
    const typescript = dandori("compile", "hello.ts")
    assert.strictEqual(typescript.status, 0, typescript.stderr)
    assert.strictEqual(typescript.stdout, yaml.stdout)
  })

  it("shows a test that passes in a project that has the first pipeline", () => {
    mkdirSync(join(folder, "node_modules"))
    symlinkSync(repository, join(folder, "node_modules", "dandori"))
    symlinkSync(join(repository, "node_modules", "effect"), join(folder, "node_modules", "effect"))
    writeFileSync(join(folder, "hello.test.ts"), blocks("ts")[1])
    const tested = spawnSync(process.execPath, ["test", "./hello.test.ts"], { cwd: folder, encoding: "utf8" })
    assert.strictEqual(tested.status, 0, tested.stderr)
    assert.include(tested.stderr, "1 pass")
  })

  it("names commands that work in a project that ran the first pipeline", () => {
    const lines = blocks("sh")
      .filter((block) => !["runs approve", "run restore", "evacuate", "-- daemon"].some((word) => block.includes(word)))
      .flatMap((block) => block.split("\n"))
      .filter((line) => line.startsWith("npm run dandori -- "))
      .map((line) => words(line.slice("npm run dandori -- ".length)))
    const first = lines.filter(([verb]) => verb === "validate" || verb === "graph" || verb === "run")
    assert.isAbove(first.length, 2)
    for (const args of [...first, ...lines]) {
      const { status, stderr } = dandori(...args)
      assert.strictEqual(status, 0, `dandori ${args.join(" ")}\n${stderr}`)
    }
  })

  it("shows an evacuation that gets through, and how it is checked", () => {
    for (const name of ["evacuate", "evacuation-drill"]) {
      cpSync(join(repository, `pipelines/${name}.yaml`), join(folder, `pipelines/${name}.yaml`))
    }
    const [block] = blocks("sh").filter((one) => one.includes("evacuate"))
    const lines = block.split("\n").filter((line) => line !== "")
    assert.isAbove(lines.length, 3)
    for (const line of lines) {
      const { status, stderr, stdout } = dandori(...words(line.slice("npm run dandori -- ".length)))
      assert.strictEqual(status, 0, `${line}\n${stdout}${stderr}`)
    }
  })

  it("shows a larger pipeline that runs, and how people steer it", () => {
    writeFileSync(join(folder, "pipelines", "sweep.yaml"), blocks("yaml")[1])
    const [block] = blocks("sh").filter((one) => one.includes("runs approve"))
    const lines = block.split("\n").filter((line) => line !== "")
    const runs = (...args: ReadonlyArray<string>) => {
      const { status, stdout, stderr } = dandori(...args, "--json")
      const run = /"run":"([^"]*)"/.exec(stdout)?.[1] ?? ""
      return { status, run, said: stdout + stderr }
    }
    /** Runs the next line of the block, with the run's id in it. */
    const next = (run: string, ...more: ReadonlyArray<string>) => {
      const line = lines.shift()?.replace("RUN", run) ?? ""
      return runs(...words(line.slice("npm run dandori -- ".length)), ...more)
    }
    const expectEnd = (said: ReturnType<typeof runs>, status: number) =>
      assert.strictEqual(said.status, status, said.said)
    const first = runs("run", "sweep")
    expectEnd(first, 16)
    expectEnd(next(first.run, "--yes"), 0)
    expectEnd(next(first.run), 0)
    const second = runs("run", "sweep")
    expectEnd(next(second.run), 0)
    expectEnd(runs("runs", "resume", second.run), 130)
    expectEnd(next(second.run), 16)
    expectEnd(next(""), 16)
    expectEnd(next(""), 0)
    expectEnd(next(""), 0)
    assert.deepStrictEqual(lines, [])
    expectEnd(runs("cordon", "check"), 75)
  })

  it("shows how a backup is made, tried and restored", () => {
    for (const name of ["backup", "restore", "dr-drill"]) {
      cpSync(join(repository, "pipelines", `${name}.yaml`), join(folder, "pipelines", `${name}.yaml`))
    }
    const raised = /"id":"([^"]*)"/.exec(dandori("cordon", "check", "--json").stdout)?.[1] ?? ""
    assert.strictEqual(dandori("cordon", "lift", raised, "--reason", "the next example").status, 0)
    const [block] = blocks("sh").filter((one) => one.includes("run restore"))
    for (const line of block.split("\n").filter((one) => one !== "")) {
      const { status, stderr } = dandori(...words(line.slice("npm run dandori -- ".length)))
      assert.strictEqual(status, 0, `${line}\n${stderr}`)
    }
  })

  it("shows a pipeline that a daemon runs by its schedule, and how people steer it", async () => {
    writeFileSync(join(folder, "pipelines", "nightly.yaml"), blocks("yaml")[2])
    const [block] = blocks("sh").filter((one) => one.includes("-- daemon"))
    const [first, ...lines] = block.split("\n").flatMap((line) => (line === "" ? [] : [words(line).slice(4)]))
    assert.deepStrictEqual(first, ["daemon"])
    const daemon = Bun.spawn([process.execPath, join(repository, "src/cli/main.ts"), ...first, "--port", "0"], {
      cwd: folder,
      stdout: "ignore",
      stderr: "ignore",
    })
    const stream = join(folder, ".dandori/ledger/schedules/dev.ndjson")
    const count = (type: string) =>
      existsSync(stream) ? readFileSync(stream, "utf8").split(`.${type}.v1"`).length - 1 : 0
    while (count("deployed") === 0) await Bun.sleep(50)
    for (const args of lines) {
      const { status, stderr } = dandori(...args)
      assert.strictEqual(status, 0, `dandori ${args.join(" ")}\n${stderr}`)
    }
    // Three nights, of which one has no half past two.
    while (count("run.ended") < 3) await Bun.sleep(50)
    daemon.kill("SIGTERM")
    assert.strictEqual(await daemon.exited, 0)
    assert.include(dandori("schedule", "explain", "nightly", "2026-03-08T07:00Z").stdout, "succeeded")
  })

  it("shows a mistake as validate prints it", () => {
    const shown = blocks("text").find((block) => block.includes("did you mean") || block.includes("Did you mean")) ?? ""
    const bad = blocks("yaml")[0].replace("params.name }}", "params.nmae }}").replace("uses: notify", "uses: notfy")
    writeFileSync(join(folder, "pipelines", "hello.yaml"), bad)
    const { status, stderr } = dandori("validate", "pipelines/hello.yaml")
    writeFileSync(join(folder, "pipelines", "hello.yaml"), blocks("yaml")[0])
    assert.strictEqual(status, 65)
    assert.include(stderr.trim().replaceAll(`${folder}/`, ""), shown.trim())
  })

  it("names scripts that package.json has", () => {
    const { scripts } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as {
      scripts: Record<string, string>
    }
    for (const [, name] of readme.matchAll(/npm run ([a-z]+)/g)) assert.property(scripts, name)
  })
})
