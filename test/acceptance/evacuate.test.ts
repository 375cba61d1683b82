import * as Fs from "node:fs/promises"
import { join, resolve } from "node:path"
import * as Sdk from "@aws-sdk/client-s3"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Machine from "../support/incident-machine.ts"
import * as Planted from "../support/planted.ts"
import * as S3 from "../support/servers/s3.ts"
import * as Servers from "../support/servers/scoped.ts"

const repository = resolve(import.meta.dirname, "../..")
const bun = join(repository, "node_modules/.bin/bun")
const incident = "IR-20260505T031400Z"
const evidence = `ours/incidents/${incident}/evidence`

const scope = Scope.makeUnsafe()
const secrets = {
  environment: Planted.plant("Environment"),
  argument: Planted.plant("Argument"),
  log: Planted.plant("Log"),
  bucketKey: Planted.plant("BucketKey"),
}

const keys = { AWS_ACCESS_KEY_ID: "evacuator", AWS_SECRET_ACCESS_KEY: secrets.bucketKey.value }

let machine: Machine.IncidentMachine
let binary = ""
let s3: S3.S3
let sdk: Sdk.S3
let first: Called

interface Called {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Calls the binary with nothing of this process's environment. */
const call = async (words: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}): Promise<Called> => {
  const child = Bun.spawn([binary, ...words], {
    cwd: machine.project,
    env: {
      PATH: "/usr/bin:/bin",
      TMPDIR: machine.temporary,
      S3_BUCKET: "s3://evacuations/ours",
      ...keys,
      TRAINING_PASSWORD: secrets.environment.value,
      ...env,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  })
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { code, out, err }
}

const write = async (name: string, text: string | Uint8Array) => {
  const path = join(machine.project, name)
  await Fs.mkdir(resolve(path, ".."), { recursive: true })
  await Fs.writeFile(path, text)
}

const storage = async (endpoint: string) => {
  const shipped = await Fs.readFile(join(repository, "configs/base/storage.yaml"), "utf8")
  return `${shipped}
s3: { endpoint: '${endpoint}', region: us-east-1, path_style: true, part_size: 5MiB }
offsite:
  bucket: \${env:S3_BUCKET}
  worm_location: s3://audit/worm
  storage_class: STANDARD
`
}

const lines = async (name: string) => {
  const path = join(machine.project, ".dandori/evacuation/incidents", incident, name)
  const text = await Fs.readFile(path, "utf8")
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, any>)
}

/** What lies in the bucket, fetched by a client that knows nothing of Dandori. */
const fetched = async (prefix: string) => {
  const folder = await Fs.mkdtemp(join(machine.root, "fetched "))
  for await (const page of Sdk.paginateListObjectsV2(
    { client: sdk },
    { Bucket: "evacuations", Prefix: `${prefix}/` },
  )) {
    for (const { Key = "" } of page.Contents ?? []) {
      const { Body } = await sdk.getObject({ Bucket: "evacuations", Key })
      const path = join(folder, Key.slice(prefix.length + 1))
      await Fs.mkdir(resolve(path, ".."), { recursive: true })
      await Fs.writeFile(path, (await Body?.transformToByteArray()) ?? new Uint8Array())
    }
  }
  return folder
}

const sh = (folder: string, script: string) =>
  Bun.spawnSync(["sh", "-ec", script], { cwd: folder, stdout: "pipe", stderr: "pipe" })

beforeAll(async () => {
  machine = await Machine.open({ TRAINING_TOKEN: secrets.environment.value })
  binary = join(machine.root, "dandori")
  const built = Bun.spawnSync([bun, join(repository, "deploy/build.ts"), binary], { stderr: "pipe" })
  assert.strictEqual(built.exitCode, 0, built.stderr.toString())
  s3 = await Effect.runPromise(Scope.provide(Servers.ownS3Of(keys), scope))
  sdk = new Sdk.S3({
    endpoint: s3.endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: keys.AWS_ACCESS_KEY_ID, secretAccessKey: keys.AWS_SECRET_ACCESS_KEY },
  })
  await sdk.createBucket({ Bucket: "evacuations" })
  await write("configs/base/evacuation.yaml", await Machine.evacuationOf(machine.port, repository))
  await write("configs/base/storage.yaml", await storage(s3.endpoint))
  await write("models/model_a.joblib", crypto.getRandomValues(new Uint8Array(65_536)))
  await write("models/deep/model_b.joblib", new Uint8Array(12 * 2 ** 20).fill(7))
  await write("artifacts/summary_1.json", `{"sharpe": 1.2}\n`)
  await write("logs/api.log", `GET /health 200\npassword=${secrets.log.value}\nGET /health 200\n`)
  first = await call(["evacuate", "--yes", "--incident", incident, "--reason", "the disk is failing"])
}, 180_000)

afterAll(async () => {
  await machine?.close()
  sdk?.destroy()
  await Effect.runPromise(Scope.close(scope, Exit.void))
})

describe("one command on a machine with only the binary", () => {
  it("ends with 0 and says that all is away", () => {
    assert.strictEqual(first.code, 0, first.out + first.err)
    assert.match(first.out, /COMPLETE/)
  })

  it("leaves the API and the training stopped in that order, with their groups, and the look-alike alive", async () => {
    assert.isFalse(machine.api.alive())
    assert.isFalse(machine.training.alive())
    for (const pid of machine.training.said.slice(1)) assert.isFalse(Machine.isAlive(Number(pid)), pid)
    assert.isTrue(machine.lookAlike.alive())
    for (const pid of machine.lookAlike.said.slice(1)) assert.isTrue(Machine.isAlive(Number(pid)), pid)
  })

  it("keeps new work from starting until the cordon is lifted", async () => {
    assert.strictEqual((await call(["cordon", "check"])).code, 75)
  })

  it("took volatile evidence while the API was alive", async () => {
    const folder = await fetched(evidence)
    assert.strictEqual(sh(folder, "tar -xf evidence.tar").exitCode, 0)
    const processes = await Fs.readFile(join(folder, "captures/processes.txt"), "utf8")
    assert.match(processes, new RegExp(`\\b${machine.api.pid}\\b`))
    assert.match(processes, new RegExp(`\\b${machine.training.pid}\\b`))
  })

  it("leaves bundles at the destination that sha256sum, tar and openssl confirm, and evacuate verify too", async () => {
    const snapshots = await sdk.listObjectsV2({ Bucket: "evacuations", Prefix: "ours/snapshots/", Delimiter: "/" })
    const [snapshot = ""] = (snapshots.CommonPrefixes ?? []).map(({ Prefix = "" }) => Prefix.replace(/\/$/, ""))
    for (const prefix of [evidence, snapshot]) {
      const folder = await fetched(prefix)
      const unpacked = sh(folder, "for tar in evidence*.tar; do [ ! -e $tar ] || tar -xf $tar; done")
      assert.strictEqual(unpacked.exitCode, 0, unpacked.stderr.toString())
      const summed = sh(folder, "sha256sum --strict --quiet -c SHA256SUMS")
      assert.strictEqual(summed.exitCode, 0, summed.stdout.toString() + summed.stderr.toString())
      const signed = sh(
        folder,
        "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig",
      )
      assert.strictEqual(signed.exitCode, 0, signed.stdout.toString() + signed.stderr.toString())
      const verified = await call(["evacuate", "verify", folder])
      assert.strictEqual(verified.code, 0, verified.out + verified.err)
    }
    const models = await fetched(snapshot)
    for (const name of ["model_a.joblib", "deep/model_b.joblib"]) {
      const [there, here] = await Promise.all([
        Fs.readFile(join(models, "models", name)),
        Fs.readFile(join(machine.project, "models", name)),
      ])
      assert.isTrue(there.equals(here), name)
    }
    const latest = await sdk.getObject({ Bucket: "evacuations", Key: "ours/latest.json" })
    assert.include(await latest.Body?.transformToString(), snapshot.split("/").at(-1) ?? "?")
  })

  it("holds no planted secret, and lists what was redacted", async () => {
    const folder = await fetched("ours")
    assert.deepStrictEqual(await Planted.foundBelow(folder, Object.values(secrets)), [])
    const log = await Fs.readFile(join(folder, "incidents", incident, "evidence/logs/api.log"), "utf8")
    assert.match(log, /^GET \/health 200\npassword=\[redacted .+\]\nGET \/health 200\n$/)
    const pushed = (await lines("pushed.ndjson")).find(({ path }) => path === "logs/api.log")
    assert.strictEqual(pushed?.redactions[0].count, 1)
    assert.deepStrictEqual(Planted.foundIn("the output", first.out + first.err, Object.values(secrets)), [])
  })

  it("writes the post-mortem record with its eight fields", async () => {
    const report = await Fs.readFile(
      join(machine.project, ".dandori/evacuation/incidents", incident, "report.md"),
      "utf8",
    )
    const fields = ["Summary", "Impact", "Detection", "Hypothesis", "Timeline", "Interim", "Permanent", "Prevention"]
    for (const field of fields) assert.match(report, new RegExp(`^## .*${field}`, "im"))
    assert.include(report, "the disk is failing")
  })

  it("does nothing twice when it is called again for the same incident", async () => {
    const before = await lines("pushed.ndjson")
    const again = await call(["evacuate", "--yes", "--incident", incident])
    assert.strictEqual(again.code, 0, again.out + again.err)
    assert.strictEqual((await lines("pushed.ndjson")).length, before.length)
    assert.isTrue(machine.lookAlike.alive())
  })
})
