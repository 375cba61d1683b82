import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Yaml from "yaml"
import { exitCodes } from "../../src/cli/exit-code.ts"
import { millisOf, type DaemonSection } from "../../src/domain/config/daemon.ts"
import * as Install from "../support/servers/install.ts"

const repository = fileURLToPath(new URL("../..", import.meta.url))
const text = Fs.readFileSync(join(repository, "deploy/systemd/dandori.service"), "utf8")
const daemon: DaemonSection = Yaml.parse(Fs.readFileSync(join(repository, "configs/base/daemon.yaml"), "utf8"))

/** What the unit says of a setting, in order. */
const said = (name: string): ReadonlyArray<string> =>
  [...text.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value = ""]) => value)

/** Words of a setting that is given once. */
const words = (name: string): ReadonlyArray<string> => {
  const values = said(name)
  assert.lengthOf(values, 1, name)
  return values[0]?.split(" ") ?? []
}

let folder = ""

/** systemd's own word on the unit, changed by `change`. Its program is one that is there: `verify` looks for it. */
const analyze = (verb: ReadonlyArray<string>, change: (unit: string) => string = (unit) => unit) => {
  const path = join(folder, "dandori.service")
  Fs.writeFileSync(path, change(text.replace("/usr/local/bin/dandori", "/bin/true")))
  const env = { ...process.env, SYSTEMD_LOG_LEVEL: "warning", LC_ALL: "C.UTF-8" }
  const child = Bun.spawnSync(["systemd-analyze", ...verb, path], { stdout: "pipe", stderr: "pipe", env })
  return { code: child.exitCode, out: `${child.stdout.toString()}${child.stderr.toString()}` }
}

beforeAll(async () => {
  await Install.debian("systemd", () => Bun.which("systemd-analyze") ?? undefined)
  folder = Fs.mkdtempSync(join(tmpdir(), "dandori unit "))
})
afterAll(() => Fs.rmSync(folder, { recursive: true, force: true }))

describe("deploy/systemd/dandori.service", () => {
  it("has no word that systemd objects to, which it does to a misspelled one", () => {
    const verify = ["verify", "--man=no"]
    assert.deepStrictEqual(analyze(verify), { code: 0, out: "" })
    const misspelled = analyze(verify, (unit) => unit.replace("ProtectClock=", "ProtectClocks="))
    assert.match(misspelled.out, /ProtectClocks/)
  })

  it("is exposed no more than 1.5 of 10 by systemd's measure; as a plain service it is by more than 9", () => {
    const security = (threshold: number) => ["security", "--offline=true", "--no-pager", `--threshold=${threshold}`]
    const whole = analyze(security(15))
    assert.strictEqual(whole.code, 0, whole.out)
    const plain = analyze(security(90), (unit) => unit.replace(/^(NoNewPrivileges=)[\s\S]*(?=\n\[Install\])/m, ""))
    assert.notStrictEqual(plain.code, 0, plain.out)
  })

  it("is asked nothing that systemd 252 does not know, and says when it is ready and that it lives", () => {
    assert.deepStrictEqual(words("Type"), ["notify"])
    assert.deepStrictEqual(words("NotifyAccess"), ["main"])
    assert.deepStrictEqual(words("ExecReload"), ["/bin/kill", "-HUP", "$MAINPID"])
    assert.isAbove(millisOf(words("WatchdogSec")[0] ?? ""), 2 * millisOf(daemon.dead_man.every))
  })

  it("gives attempts their grace, and ends what is there after it", () => {
    assert.deepStrictEqual(words("KillMode"), ["mixed"])
    assert.isAtLeast(millisOf(words("TimeoutStopSec")[0] ?? ""), 2 * millisOf(daemon.shutdown_grace))
    assert.deepStrictEqual(words("OOMPolicy"), ["continue"])
  })

  it("starts it again for what passes, and not for what a person has to mend", () => {
    const { altered, badData, config, noInput, noPermission, signature, truncated, usage } = exitCodes
    const mended = [altered, signature, truncated, usage, badData, noInput, noPermission, config]
    assert.sameMembers(words("RestartPreventExitStatus").map(Number), mended)
    for (const passing of [exitCodes.busy, exitCodes.unavailable, exitCodes.internal, exitCodes.temporary]) {
      assert.notInclude(words("RestartPreventExitStatus"), String(passing))
    }
    assert.deepStrictEqual(words("Restart"), ["on-failure"])
    assert.deepStrictEqual(words("StartLimitIntervalSec"), ["0"])
    assert.deepStrictEqual(words("SuccessExitStatus").map(Number), [exitCodes.terminated])
  })

  it("leaves room for the event streams of the configuration, each of which is a file descriptor", () => {
    assert.isAtLeast(Number(words("LimitNOFILE")[0]), 4 * daemon.limits.streams)
  })

  it("has its secrets as files of its own, none of them in its text or in a core", () => {
    const [, path] = words("LoadCredential")[0]?.split(":") ?? []
    assert.strictEqual(path, "/etc/dandori/secrets")
    assert.deepStrictEqual(words("LimitCORE"), ["0"])
    assert.deepStrictEqual(words("UMask"), ["0077"])
    for (const variable of words("Environment")) assert.notMatch(variable, /PASSWORD|SECRET|TOKEN|_URL|KEY/)
  })
})
