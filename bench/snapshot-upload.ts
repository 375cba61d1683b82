/** 10,000 small and 4 large files to an S3 server on this machine, beside `aws s3 sync` of the same files. */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import * as Sdk from "@aws-sdk/client-s3"
import * as Effect from "effect/Effect"
import * as Configured from "../src/services/object-store-configured.ts"
import { ObjectStore } from "../src/services/object-store.ts"
import * as SnapshotTake from "../src/services/snapshot-take.ts"
import * as Install from "../test/support/servers/install.ts"
import { ServerMissing } from "../test/support/servers/missing.ts"
import * as S3Server from "../test/support/servers/s3.ts"
import * as Bytes from "./bytes.ts"
import type { Bench, Figure, Times } from "./figure.ts"
import * as Figures from "./figure.ts"
import * as Place from "./place.ts"

const smallBytes = 8 * 1024

/** Small files in a hundred folders, and large ones beside them. */
const fill = (folder: string, small: number, large: number, largeBytes: number): void => {
  for (let n = 0; n < small; n++) {
    const parent = join(folder, `part-${n % 100}`)
    if (n < 100) mkdirSync(parent, { recursive: true })
    Bytes.write(join(parent, `${n}.bin`), smallBytes)
  }
  for (let n = 0; n < large; n++) Bytes.write(join(folder, `large-${n}.bin`), largeBytes)
}

/** What the snapshot task does with a folder, and `aws s3 sync`, in turn, each time to a new bucket. */
export const bench: Bench = (scale) =>
  Place.withFolder(async (folder) => {
    const full = scale === "full"
    const small = Math.round((full ? 10_000 : 20) * Bytes.share)
    const large = full ? 4 : 1
    const largeBytes = Math.round((full ? 256 : 8) * 2 ** 20 * Bytes.share)
    const rounds = full ? 2 : 1
    for (const [name, value] of Object.entries(S3Server.env)) process.env[name] = value
    const [source, scratch, data] = ["source", "scratch", "server"].map((name) => join(folder, name))
    for (const path of [source, scratch, data]) mkdirSync(path)
    try {
      const bin = await Install.python("awscli-1.45.11", ["awscli==1.45.11"])
      const variables = Object.entries(S3Server.env).map(([name, value]) => `${name}=${value}`)
      // By its interpreter: a script's first line cannot name a path with a space in it.
      const aws = ["env", ...variables, join(bin, "python"), join(bin, "aws")]
      const server = await S3Server.start(data)
      fill(source, small, large, largeBytes)
      const sdk = new Sdk.S3({ endpoint: server.endpoint, forcePathStyle: true })
      const newBucket = async () => {
        const Bucket = `bench-${crypto.randomUUID()}`
        await sdk.createBucket({ Bucket })
        return Bucket
      }
      const section = { endpoint: server.endpoint, region: S3Server.env.AWS_REGION, path_style: true }
      const take = (bucket: string) =>
        Effect.gen(function* () {
          const store = yield* (yield* ObjectStore).open(`s3://${bucket}`)
          const what = { kind: "tree", name: "tree", source, path: source } as const
          const taken = yield* SnapshotTake.take(store, "bench", what, scratch, () => Effect.void)
          if (taken.sent !== small + large) throw new Error(`${taken.sent} files were sent, not ${small + large}`)
        }).pipe(Effect.provide(Configured.layer({ s3: section })), Effect.runPromise)
      const taken = new Array<Times>()
      const synced = new Array<Times>()
      for (let round = 0; round < rounds; round++) {
        const [theirs, ours] = [await newBucket(), await newBucket()]
        const sync = [...aws, "--endpoint-url", server.endpoint, "s3", "sync", "--only-show-errors", source]
        synced.push(Figures.spawns(1, [...sync, `s3://${theirs}`], folder))
        taken.push(await Figures.times(1, () => take(ours)))
      }
      sdk.destroy()
      await server.stop()
      const all = (of: ReadonlyArray<Times>): Times => ({
        millis: of.flatMap(({ millis }) => millis),
        cpu: of.flatMap(({ cpu }) => cpu),
      })
      const best = (of: ReadonlyArray<Times>) => Math.min(...all(of).millis)
      const against = { what: "time of aws s3 sync, the best of each", ratio: best(taken) / best(synced) }
      const mebibytes = (small * smallBytes + large * largeBytes) / 2 ** 20
      const figures: Array<Figure> = [
        Figures.fromTimes("aws s3 sync", all(synced)),
        Figures.fromTimes("snapshot of the folder", all(taken), { against }),
        Figures.fromRates("snapshot, files", "files/s", small + large, all(taken)),
        Figures.fromRates("snapshot, bytes", "MiB/s", mebibytes, all(taken)),
      ]
      return {
        figures,
        notes: [
          `${small.toLocaleString("en-US")} files of 8 KiB and ${large} of ${(largeBytes / 2 ** 20).toFixed(0)} MiB to versitygw 1.8.0 on this machine and disk; aws-cli 1.45.11 with its own defaults`,
          "the snapshot digests each file before and after it is read, sends SHA-256 sums that the server checks, and overwrites nothing",
        ],
      }
    } catch (cause) {
      if (!(cause instanceof ServerMissing)) throw cause
      return { figures: [], notes: [`left out: ${cause.message}`] }
    }
  })
