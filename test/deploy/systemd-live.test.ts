import * as Fs from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Machines from "../support/systemd-machine.ts"

const repository = fileURLToPath(new URL("../..", import.meta.url))

/** The files below folders of the repository, for the machine's project. */
const project = (...folders: ReadonlyArray<string>): Record<string, string> =>
  Object.fromEntries(
    folders.flatMap((folder) =>
      [...new Bun.Glob("**/*").scanSync({ cwd: join(repository, folder) })].map((name) => [
        `srv/dandori/${folder}/${name}`,
        Fs.readFileSync(join(repository, folder, name), "utf8"),
      ]),
    ),
  )

const secret = "what-only-the-daemon-reads"

/** Runs as the daemon does, before it: with its user, its folders and all that is taken from it. */
const before = `[Service]
TimeoutStartSec=600s
ExecStartPre=/usr/local/bin/dandori run pipelines/sample-e2e.yaml
ExecStartPre=/bin/cat /run/credentials/dandori.service/secret_database
ExecStartPre=/bin/sh -c '! touch /srv/dandori/pipelines/new.yaml && ! touch /etc/new && ! mount -t tmpfs tmpfs /mnt'
`

let machine: Machines.Machine
const lacking = Machines.lacks()
if (lacking !== undefined) process.stderr.write(`The unit is not started by systemd: ${lacking}\n`)

beforeAll(async () => {
  if (lacking !== undefined) return
  machine = await Machines.open({
    ...project("configs", "samples"),
    "srv/dandori/pipelines/sample-e2e.yaml": Fs.readFileSync(join(repository, "pipelines/sample-e2e.yaml"), "utf8"),
    "etc/dandori/environment": "SERVICE_ENV=dev\n",
    "etc/dandori/secrets/database": `${secret}\n`,
    "usr/local/units/dandori.service.d/before.conf": before,
  })
  machine.call("ln", "-s", "/var/lib/dandori", "/srv/dandori/.dandori")
}, 120_000)
afterAll(() => machine?.close())

describe.skipIf(lacking !== undefined)("the unit, started by systemd", () => {
  const control = (...words: ReadonlyArray<string>) => machine.call("systemctl", ...words)
  const mainOf = () => Number(machine.show("MainPID").MainPID)

  it("runs what pipelines do with all that is taken from it, gets its secrets, and says that it is ready", () => {
    const started = control("start", "dandori")
    assert.strictEqual(started.code, 0, `${started.out}${machine.said()}`)
    assert.deepStrictEqual(machine.show("ActiveState", "NRestarts"), { ActiveState: "active", NRestarts: "0" })
    assert.match(machine.said(), /sample-e2e succeeded/)
    assert.include(machine.said(), secret)
    const { out } = machine.call("stat", "-c", "%U %a", "/var/lib/dandori", "/var/lib/dandori/keys/ledger.key")
    assert.strictEqual(out, "dandori 700\ndandori 600\n")
  }, 600_000)

  it("is reloaded as the same process", () => {
    const pid = mainOf()
    assert.strictEqual(control("reload", "dandori").code, 0)
    assert.strictEqual(mainOf(), pid)
  })

  it("is started again after it was killed", async () => {
    machine.call("rm", "/usr/local/units/dandori.service.d/before.conf")
    control("daemon-reload")
    control("kill", "--signal=SIGKILL", "dandori")
    const wanted = { ActiveState: "active", NRestarts: "1" }
    await Machines.holds(() => Bun.deepEquals(machine.show(...Object.keys(wanted)), wanted))
    assert.deepStrictEqual(machine.show(...Object.keys(wanted)), wanted, machine.said())
  })

  it("ends in order when it is stopped", () => {
    assert.strictEqual(control("stop", "dandori").code, 0)
    const wanted = { ActiveState: "inactive", Result: "success", ExecMainStatus: "0" }
    assert.deepStrictEqual(machine.show(...Object.keys(wanted)), wanted)
  })

  it("is not started again for a configuration that a person has to mend", () => {
    machine.call("sh", "-c", "echo 'port: no number' > /srv/dandori/configs/envs/dev/daemon.yaml")
    assert.notStrictEqual(control("start", "dandori").code, 0)
    const wanted = { ActiveState: "failed", Result: "exit-code", ExecMainStatus: "78", NRestarts: "0" }
    assert.deepStrictEqual(machine.show(...Object.keys(wanted)), wanted)
  })
})
