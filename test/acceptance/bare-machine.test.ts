import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Trials from "../support/evacuation-trial.ts"
import * as S3 from "../support/servers/s3.ts"

/** The root of a machine that has the binary, the C library that it is linked to, `/proc` and `/dev`, and nothing else. */
let root = ""

const linked = async (binary: string) => {
  const said = await new Response(Bun.spawn(["ldd", binary]).stdout).text()
  return [...said.matchAll(/\/\S+\.so\S*/g)].map(([path]) => path)
}

/** Calls the binary where nothing else can be called. */
const call = async (...words: ReadonlyArray<string>) => {
  const enter = `mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && exec unshare --root="$0" --wd="/my project" /dandori "$@"`
  const own = process.getuid?.() === 0 ? [] : ["-Ur"]
  const child = Bun.spawn(["unshare", ...own, "-m", "sh", "-c", enter, root, ...words], {
    env: { PATH: "/usr/sbin:/usr/bin:/bin", ...S3.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  })
  const said = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  const [out, err] = await said
  return { code: await child.exited, out, err }
}

beforeAll(async () => {
  root = await Fs.mkdtemp(join(tmpdir(), "bare machine "))
  const binary = await Trials.build(root)
  if (resolve(binary) !== join(root, "dandori")) await Fs.copyFile(binary, join(root, "dandori"))
  for (const path of await linked(binary)) {
    await Fs.mkdir(join(root, dirname(path)), { recursive: true })
    await Fs.copyFile(path, join(root, path))
  }
  for (const name of ["proc", "dev", "tmp", "my project/logs"]) await Fs.mkdir(join(root, name), { recursive: true })
  await Fs.writeFile(join(root, "my project/logs/api.log"), "GET /health 200\n")
}, 180_000)

afterAll(() => Fs.rm(root, { recursive: true, force: true }))

describe("a machine on which nothing but the binary can be run", () => {
  it("is told what would be taken", async () => {
    const { code, out } = await call("evacuate", "--self-test", "--destination", "/away")
    assert.strictEqual(code, 0, out)
    assert.match(out, /^ok +collector +processes will be taken$/m)
    assert.match(out, /^warning +collector +journal will be skipped: none of journalctl is here$/m)
  })

  it("is evacuated: the bundle is complete and holds elsewhere, and a second call sends nothing", async () => {
    const words = [
      "evacuate",
      "--yes",
      "--incident",
      "IR-1",
      "--destination",
      "/away",
      "--reason",
      "the disk is failing",
    ]
    const said = await call(...words)
    assert.strictEqual(said.code, 0, said.out + said.err)
    assert.match(said.out, /^COMPLETE /)
    const evidence = join(root, "away/incidents/IR-1/evidence")
    assert.strictEqual(await Fs.readFile(join(evidence, "logs/api.log"), "utf8"), "GET /health 200\n")
    const script = "tar -xf evidence.tar && sha256sum --quiet -c SHA256SUMS && cat captures/processes.txt"
    const checked = Bun.spawnSync(["sh", "-ec", script], { cwd: evidence })
    assert.strictEqual(checked.exitCode, 0, checked.stdout.toString())
    assert.include(checked.stdout.toString(), "/dandori evacuate")
    const folder = join(root, "my project/.dandori/evacuation/incidents/IR-1")
    const sent = await Fs.readFile(join(folder, "pushed.ndjson"), "utf8")
    const again = await call(...words)
    assert.strictEqual(again.code, 0, again.out + again.err)
    assert.strictEqual(await Fs.readFile(join(folder, "pushed.ndjson"), "utf8"), sent)
  })

  it("is evacuated to a bucket", async () => {
    const folder = await Fs.mkdtemp(join(tmpdir(), "bare bucket "))
    const server = await S3.start(folder)
    const shipped = await Fs.readFile(join(import.meta.dirname, "../../configs/base/storage.yaml"), "utf8")
    const s3 = `s3: { endpoint: '${server.endpoint}', region: us-east-1, path_style: true }`
    await Fs.mkdir(join(folder, "objects/bare"))
    await Fs.mkdir(join(root, "my project/configs/base"), { recursive: true })
    await Fs.writeFile(join(root, "my project/configs/base/storage.yaml"), `${shipped}\n${s3}\n`)
    const said = await call("evacuate", "--drill", "--incident", "IR-2", "--destination", "s3://bare/ours")
    await server.stop("SIGINT")
    assert.strictEqual(said.code, 0, said.out + said.err)
    const log = join(folder, "objects/bare/ours/incidents/IR-2/evidence/logs/api.log")
    assert.strictEqual(await Fs.readFile(log, "utf8"), "GET /health 200\n")
    await Fs.rm(folder, { recursive: true })
  })
})
