import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Sdk from "@aws-sdk/client-s3"
import { campaign } from "../support/evacuation-chaos.ts"
import * as Trials from "../support/evacuation-trial.ts"
import * as Resent from "../support/evacuation-resent.ts"
import * as Wire from "../support/evacuation-wire.ts"
import * as S3 from "../support/servers/s3.ts"

/** One evacuation is disturbed three times at most, so seven are those of each kind. The long trial has 300. */
const kills = Number(process.env.DANDORI_CHAOS_KILLS ?? 7)
const seed = Number(process.env.DANDORI_CHAOS_SEED ?? Date.now() % 1_000_000)
const say = (line: string) => void process.stdout.write(`${line}\n`)

let folder = ""
let binary = ""

beforeAll(async () => {
  folder = await Fs.mkdtemp(join(tmpdir(), "evacuation binary "))
  binary = await Trials.build(folder)
}, 180_000)

afterAll(() => Fs.rm(folder, { recursive: true, force: true }))

describe("evacuations that are killed and cut off at any byte", () => {
  it(
    "end complete when they are called again, and send nothing twice",
    { timeout: 240_000 + kills * 20_000 },
    async () => {
      const tally = await campaign({ kills, seed, binary, light: true, say })
      assert.deepStrictEqual(tally.faults, [], `seed ${seed}`)
      assert.isAtLeast(tally.total, kills)
      assert.isAbove(tally.sent, 60)
    },
  )

  it("go on however often they were killed while they sent", { timeout: 120_000 }, async () => {
    const place = await Trials.open(seed, { binary, light: true })
    const trial = await Trials.trial(place, 0, { stops: false, small: false })
    const ends: Array<number | string | null> = []
    for (let number = 0; number < 6; number++) {
      place.wire.begin()
      const call = Trials.call(place, trial, 120_000, () => {})
      const kill = () => {
        call.kill(true)
        // What it had not sent by then does not come to the next one's count.
        place.wire.close()
        place.wire.open()
      }
      if (number < 5) place.wire.at(100_000, "up", kill)
      const { code, signal } = await call.ended
      ends.push(signal ?? code)
    }
    await trial.end(false)
    await place.close(false)
    assert.deepStrictEqual(ends, ["SIGKILL", "SIGKILL", "SIGKILL", "SIGKILL", "SIGKILL", 0])
  })

  it("are a trial that finds what is broken", { timeout: 240_000 }, async () => {
    const tally = await campaign({
      kills: 0,
      seed,
      binary,
      light: true,
      stopsOneOf: 1,
      spoil: async ({ objects }, trial) => {
        const below = (path: string) => join(objects(trial.bucket), Trials.prefix, path)
        const snapshots = await Fs.readdir(below("snapshots"))
        const snapshot = below(join("snapshots", snapshots[0] ?? "", "artifacts"))
        await Fs.rm(join(snapshot, "cv_results_3.csv"))
        const large = await Fs.open(join(snapshot, "cv_results_large.csv"), "r+")
        await large.write(Buffer.from("!"), 0, 1, 7_000_000)
        await large.close()
        const evidence = below(join("incidents", trial.incident, "evidence"))
        await Fs.appendFile(join(evidence, "logs/long.log"), "one more line\n")
        const folder = (await Trials.incidentFolder(trial)) ?? ""
        const stopped = JSON.parse(await Fs.readFile(join(folder, "stopped.json"), "utf8"))
        const stops = stopped.stops.slice(1)
        await Fs.writeFile(join(folder, "stopped.json"), JSON.stringify({ ...stopped, done: false, stops }))
        process.kill(trial.machine?.lookAlike.pid ?? 0, "SIGKILL")
        while (trial.machine?.lookAlike.alive()) await Bun.sleep(5)
      },
    })
    for (const wanted of [
      /artifacts\/cv_results_3\.csv is not at the destination/,
      /artifacts\/cv_results_large\.csv is not its source/,
      /logs\/long\.log is not its source but for secrets/,
      /the bundle incidents\/.*: .*logs\/long\.log/,
      /stopped\.json is not done/,
      /stopped\.json says nothing of process \d+/,
      /process \d+ of the look-alike is dead/,
      /latest\.json names snapshots\/.*, where artifacts\/cv_results_3\.csv is not its source/,
    ]) {
      assert.match(tally.faults.join("\n"), wanted)
    }
  })

  it(
    "sees every object and part that is sent twice, and cuts at the byte that it is told",
    { timeout: 60_000 },
    async () => {
      const folder = await Fs.mkdtemp(join(tmpdir(), "evacuation wire "))
      const server = await S3.start(folder)
      const wire = await Wire.start(server.port)
      const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: region } = S3.env
      const sdk = new Sdk.S3({
        endpoint: `http://127.0.0.1:${wire.port}`,
        region,
        forcePathStyle: true,
        credentials: { accessKeyId, secretAccessKey },
        requestHandler: { httpAgent: { keepAlive: true, maxSockets: 1 } },
        maxAttempts: 1,
      })
      const put = (Key: string, Body: string | Uint8Array) =>
        sdk.putObject({ Bucket: "seen", Key, Body, ChecksumAlgorithm: "SHA256" })
      const begin = { Bucket: "seen", Key: "large", ChecksumAlgorithm: "SHA256" as const }
      await sdk.createBucket({ Bucket: "seen" })
      wire.begin()
      await put("a b/ü", "one")
      await put("other", "two")
      assert.deepStrictEqual(Resent.again(wire.sent, new Set()), [])
      assert.deepStrictEqual(Resent.again(wire.sent, new Set(["other"])), ["other was sent again: it was kept"])
      await put("a b/ü", "one")
      assert.deepStrictEqual(Resent.again(wire.sent, new Set()), ["a b/ü was sent again: the call had the answer"])
      const { UploadId } = await sdk.createMultipartUpload(begin)
      for (let n = 0; n < 2; n++)
        await sdk.uploadPart({ ...begin, UploadId, PartNumber: 1, Body: Buffer.alloc(6 << 20, 7) })
      assert.match(Resent.again(wire.sent, new Set()).at(-1) ?? "", /^large part 1 .{44} was sent again/)
      for (const broken of ["cut", "hang"] as const) {
        wire.begin()
        wire.at(30, "down", () => {
          if (broken === "cut") wire.close()
          else wire.hang()
        })
        const controller = new AbortController()
        const half = sdk.send(new Sdk.PutObjectCommand({ Bucket: "seen", Key: broken, Body: "half an answer" }), {
          abortSignal: controller.signal,
        })
        const failed = half.then(
          () => assert.fail("it was stored"),
          () => undefined,
        )
        while (wire.passed("down") < 30) await Bun.sleep(5)
        controller.abort()
        await failed
        wire.open()
        await put(broken, "half an answer")
        assert.deepStrictEqual(Resent.again(wire.sent, new Set()), [])
      }
      wire.begin()
      const { promise, resolve } = Promise.withResolvers<number>()
      wire.at(1_000_003, "up", () => {
        wire.close()
        wire.open()
        resolve(wire.passed("up"))
      })
      await put("large cut", Buffer.alloc(2 << 20, 1)).then(
        () => assert.fail("it was stored"),
        () => undefined,
      )
      assert.strictEqual(await promise, 1_000_003)
      const { Contents = [] } = await sdk.listObjectsV2({ Bucket: "seen" })
      assert.deepStrictEqual(Contents.map(({ Key }) => Key).toSorted(), ["a b/ü", "cut", "hang", "other"])
      sdk.destroy()
      wire.stop()
      await server.stop("SIGINT")
      await Fs.rm(folder, { recursive: true, force: true })
    },
  )
})
