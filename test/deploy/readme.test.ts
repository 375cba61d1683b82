import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Yaml from "yaml"
import { millisOf } from "../../src/domain/config/daemon.ts"
import * as Chart from "../support/chart.ts"

const repository = fileURLToPath(new URL("../..", import.meta.url))
const read = (path: string) => Fs.readFileSync(join(repository, path), "utf8")
const readme = read("deploy/README.md")
const unit = read("deploy/systemd/dandori.service")
const dockerfile = read("deploy/Dockerfile")

/** The commands of the blocks for a shell, each on one line, by their first word. */
const commands: ReadonlyArray<string> = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)]
  .flatMap(([, block = ""]) => block.replaceAll("\\\n", " ").split("\n"))
  .map((line) =>
    line
      .replace(/ +#.*$/, "")
      .replaceAll(/ +/g, " ")
      .trim(),
  )
  .filter((line) => line !== "")
const of = (...programs: ReadonlyArray<string>) =>
  commands.filter((line) => programs.includes(line.split(" ")[0] ?? ""))

/** Words of a command; single quotes keep a word together. */
const words = (line: string): ReadonlyArray<string> =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? "")

let folder = ""
let helm: Chart.Helm
beforeAll(async () => {
  helm = await Chart.open()
  folder = Fs.mkdtempSync(join(tmpdir(), "dandori deploy "))
}, 900_000)
afterAll(() => {
  helm?.close()
  Fs.rmSync(folder, { recursive: true, force: true })
})

describe("deploy/README.md", () => {
  it("has no command but those that are looked at here", () => {
    const known = of("npm", "useradd", "mkdir", "ln", "install", "systemctl", "docker", "helm")
    assert.sameMembers([...known], [...commands])
  })

  it("makes the folders, the link and the file that the unit asks for", () => {
    for (const each of ["etc/systemd/system", "srv/dandori", "var/lib/dandori"]) {
      Fs.mkdirSync(join(folder, each), { recursive: true })
    }
    for (const line of of("mkdir", "ln", "install")) {
      const script = line.replaceAll(/ \/(?=etc|srv|var)/g, ' "$0"/')
      const done = Bun.spawnSync(["sh", "-ec", script, folder], { cwd: repository })
      assert.strictEqual(done.exitCode, 0, `${line}: ${done.stderr.toString()}`)
    }
    assert.strictEqual(Fs.readFileSync(join(folder, "etc/systemd/system/dandori.service"), "utf8"), unit)
    const secrets = /^LoadCredential=secret:(.*)$/m.exec(unit)?.[1] ?? ""
    assert.strictEqual(Fs.statSync(join(folder, secrets)).mode & 0o777, 0o700)
    const project = /^WorkingDirectory=(.*)$/m.exec(unit)?.[1] ?? ""
    const state = /^StateDirectory=(.*)$/m.exec(unit)?.[1] ?? ""
    assert.strictEqual(Fs.readlinkSync(join(folder, project, ".dandori")), join(folder, "var/lib", state))
  })

  it("makes the user that the unit runs as, and the program that it starts", () => {
    const user = /^User=(.*)$/m.exec(unit)?.[1]
    assert.deepStrictEqual(
      of("useradd").map((line) => line.split(" ").at(-1)),
      [user],
    )
    const [program] = /^ExecStart=(.*)$/m.exec(unit)?.[1]?.split(" ") ?? []
    assert.deepStrictEqual(of("npm"), [`npm run build -- ${program}`])
    for (const line of of("systemctl"))
      assert.match(line, /^systemctl (daemon-reload|(enable --now|reload|restart) dandori)$/)
  })

  it("builds the image of the chart and runs it with what it needs, with more time than attempts are given", () => {
    const [build = "", own, run = ""] = of("docker")
    const { version } = JSON.parse(read("package.json"))
    assert.strictEqual(build, `docker build --file deploy/Dockerfile --tag dandori:${version} .`)
    assert.strictEqual(own, "docker build --tag nightly .")
    const after = (flag: string) => words(run).flatMap((word, at, all) => (word === flag ? [all[at + 1] ?? ""] : []))
    const grace = millisOf(Yaml.parse(read("configs/base/daemon.yaml")).shutdown_grace)
    assert.isAbove(Number(after("--stop-timeout")[0]) * 1_000, grace)
    const [state, cache] = after("--volume").map((volume) => volume.split(":")[1])
    assert.include(dockerfile, `VOLUME ${state}\n`)
    assert.include(dockerfile, `XDG_CACHE_HOME=${cache}\n`)
    assert.deepStrictEqual(after("--publish"), ["127.0.0.1:8470:8470"])
    assert.match(readme, new RegExp(`FROM dandori:${version}\\nCOPY \\. /project\\n`))
  })

  it("names values that the chart takes", () => {
    const lines = of("helm")
    assert.lengthOf(lines, 3)
    for (const line of lines) {
      const flags = words(line.replace(/^helm (install|upgrade --install) /, "")).filter(
        (word) => word !== "--reuse-values",
      )
      const { code, out } = helm.call("template", ...flags, "--kube-version", "1.37.0")
      assert.strictEqual(code, 0, `${line}: ${out}`)
    }
  })
})
