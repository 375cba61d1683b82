/** `dandori evacuate` of 10,000 small and 4 large files to an S3 server on this machine, beside programs that copy them. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Sdk from "@aws-sdk/client-s3"
import { stringify } from "yaml"
import { ServerMissing } from "../test/support/servers/missing.ts"
import * as S3Server from "../test/support/servers/s3.ts"
import * as Bytes from "./bytes.ts"
import * as CliStart from "./cli-start.ts"
import type { Bench, Figure, Scale, Times } from "./figure.ts"
import * as Figures from "./figure.ts"
import * as Peers from "./s3-peers.ts"
import * as Place from "./place.ts"

const smallBytes = 10 * 1024
const mostMemory = 300

/** Small files in a hundred folders, and large ones beside them, with names that the configuration takes. */
const fill = (folder: string, small: number, large: number, largeBytes: number): void => {
  for (let n = 0; n < small; n++) {
    const parent = join(folder, `part-${n % 100}`)
    if (n < 100) mkdirSync(parent, { recursive: true })
    Bytes.write(join(parent, `model_${n}.joblib`), smallBytes)
  }
  for (let n = 0; n < large; n++) Bytes.write(join(folder, `model_large_${n}.joblib`), largeBytes)
}

const hiWater = (pid: number): number => {
  try {
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0) / 1024
  } catch {
    return 0
  }
}

const childrenOf = (pid: number): ReadonlyArray<number> => {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim().split(" ").filter(Boolean).map(Number)
  } catch {
    return []
  }
}

/** What an evacuation took: in all, its own most memory and that of a child of it in MiB, and each step's milliseconds. */
interface Evacuated extends Times {
  readonly memory: number
  readonly childMemory: number
  readonly steps: ReadonlyMap<string, number>
}

const stepsOf = (out: string): ReadonlyMap<string, number> => {
  const steps = new Map<string, number>()
  for (const line of out.split("\n")) {
    if (!line.startsWith("{")) continue
    const { millis, step } = JSON.parse(line)
    if (step !== undefined && millis !== undefined) steps.set(step, millis)
  }
  return steps
}

/** The whole command, as a person calls it. */
const evacuate = async (program: ReadonlyArray<string>, project: string, bucket: string): Promise<Evacuated> => {
  const argv = [...program, "evacuate", "--drill", "--json"]
  const start = performance.now()
  const child = Bun.spawn(argv, {
    cwd: project,
    env: { PATH: process.env.PATH ?? "", HOME: project, TMPDIR: project, S3_BUCKET: `s3://${bucket}`, ...S3Server.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  })
  let memory = 0
  let childMemory = 0
  const watch = setInterval(() => {
    memory = Math.max(memory, hiWater(child.pid))
    for (const pid of childrenOf(child.pid)) childMemory = Math.max(childMemory, hiWater(pid))
  }, 20)
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  const millis = performance.now() - start
  clearInterval(watch)
  if (child.exitCode !== 0) throw new Error(`dandori evacuate ended with ${child.exitCode}: ${err.slice(-2_000)}`)
  const cpu = Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1000
  return { millis: [millis], cpu: [cpu], memory, childMemory, steps: stepsOf(out) }
}

/** A project with what ships, whose models are these files and go to the bucket of `S3_BUCKET`. */
const projectOf = (project: string, source: string, endpoint: string): void => {
  mkdirSync(project)
  cpSync(join(Place.repository, "configs"), join(project, "configs"), { recursive: true })
  const linked = Bun.spawnSync(["cp", "-al", source, join(project, "models")])
  if (linked.exitCode !== 0) throw new Error(linked.stderr.toString())
  const storage = join(project, "configs/base/storage.yaml")
  const s3 = { endpoint, region: S3Server.env.AWS_REGION, path_style: true }
  const offsite = { bucket: "${env:S3_BUCKET}", worm_location: "s3://audit/worm", storage_class: "STANDARD" }
  writeFileSync(storage, `${readFileSync(storage, "utf8")}\n${stringify({ s3, offsite })}`)
}

const all = (of: ReadonlyArray<Times>): Times => ({
  millis: of.flatMap(({ millis }) => millis),
  cpu: of.flatMap(({ cpu }) => cpu),
})
const best = (of: ReadonlyArray<Times>) => Math.min(...all(of).millis)

/** Everything in turn, each time to a new bucket, whose objects are removed afterwards. */
const measure = async (folder: string, source: string, files: number, server: S3Server.S3, scale: Scale) => {
  const { copiers, notes } = await Peers.install(server.endpoint)
  const program = CliStart.programs(scale).programs.at(-1)
  const [, argv] = program ?? ["", []]
  const sdk = new Sdk.S3({
    endpoint: server.endpoint,
    region: S3Server.env.AWS_REGION,
    forcePathStyle: true,
    credentials: { accessKeyId: S3Server.env.AWS_ACCESS_KEY_ID, secretAccessKey: S3Server.env.AWS_SECRET_ACCESS_KEY },
  })
  const withBucket = async <A>(use: (bucket: string) => A | Promise<A>): Promise<A> => {
    const Bucket = `bench-${crypto.randomUUID()}`
    await sdk.createBucket({ Bucket })
    const used = await use(Bucket)
    let count = 0
    for await (const page of Sdk.paginateListObjectsV2({ client: sdk }, { Bucket })) {
      count += (page.Contents ?? []).filter(({ Key = "" }) => Key.endsWith(".joblib")).length
    }
    if (count !== files) throw new Error(`${count} files are at the server, not ${files}`)
    for (const name of ["objects", "sidecar"]) {
      rmSync(join(folder, "server", name, Bucket), { recursive: true, force: true })
    }
    return used
  }
  const found = new Map<string, Array<Times>>()
  const add = (name: string, times: Times) => void found.set(name, [...(found.get(name) ?? []), times])
  const evacuations: Array<Evacuated> = []
  for (let round = 0; round < (scale === "full" ? 2 : 1); round++) {
    add("sha256sum", Figures.spawns(1, ["sh", "-c", 'find "$0" -type f -print0 | xargs -0 sha256sum', source], folder))
    const copy = join(folder, "copy")
    add("cp, then sync", Figures.spawns(1, ["sh", "-c", 'cp -r "$0" "$1" && sync -f "$1"', source, copy], folder))
    rmSync(copy, { recursive: true, force: true })
    for (const { argv: words, name } of copiers) {
      add(name, await withBucket((bucket) => Figures.spawns(1, words(source, bucket), folder)))
    }
    const project = join(folder, `project-${round}`)
    const evacuated = await withBucket((bucket) => {
      projectOf(project, source, server.endpoint)
      return evacuate(argv, project, bucket)
    })
    evacuations.push(evacuated)
    rmSync(project, { recursive: true, force: true })
  }
  sdk.destroy()
  return { found, evacuations, notes, how: program?.[0] ?? "" }
}

export const bench: Bench = (scale) =>
  Place.withFolder(async (folder) => {
    const full = scale === "full"
    const small = Math.round((full ? 10_000 : 20) * Bytes.share)
    const large = full ? 4 : 1
    const largeBytes = Math.round((full ? 2 ** 30 : 20 * 2 ** 20) * Bytes.share)
    const [source, data] = [join(folder, "source"), join(folder, "server")]
    for (const path of [source, data]) mkdirSync(path)
    fill(source, small, large, largeBytes)
    try {
      const server = await S3Server.start(data)
      const { evacuations, found, how, notes } = await measure(folder, source, small + large, server, scale)
      await server.stop()
      const ratios = [...found].map(([name, times]) => `${(best(evacuations) / best(times)).toPrecision(3)} × ${name}`)
      const steps = [...(evacuations.at(-1)?.steps ?? [])].map(([step, millis]) => `${step} ${Math.round(millis)}`)
      const mebibytes = (small * smallBytes + large * largeBytes) / 2 ** 20
      const push = evacuations.map(({ steps: each }) => each.get("push") ?? Number.NaN)
      const beside = [...found].find(([name]) => name.startsWith("aws")) ?? [...found].at(-1)
      const ratio = best(evacuations) / best(beside?.[1] ?? evacuations)
      const figures: Array<Figure> = [
        ...[...found].map(([name, times]) => Figures.fromTimes(name, all(times))),
        Figures.fromTimes("evacuate --drill", all(evacuations), {
          against: { what: `time of ${beside?.[0]}, the best of each`, ratio },
        }),
        Figures.fromValues("evacuate: step push", "ms", push),
        Figures.fromRates("evacuate, bytes", "MiB/s", mebibytes, all(evacuations)),
        Figures.fromValues(
          "evacuate: most memory",
          "MiB",
          evacuations.map(({ memory }) => memory),
          { target: { atMost: mostMemory } },
        ),
      ]
      const childMemory = Math.max(...evacuations.map((each) => each.childMemory))
      return {
        figures,
        notes: [
          `${small.toLocaleString("en-US")} files of 10 KiB and ${large} of ${(largeBytes / 2 ** 20).toFixed(0)} MiB to versitygw 1.8.0 on this machine and disk; the others with their own defaults`,
          `evacuate (${how}) takes ${ratios.join(", ")}, the best of each`,
          `steps by the ledger, ms: ${steps.join(", ")}`,
          `memory is VmHWM of the process; a child of it had ${childMemory.toFixed(0)} MiB at most`,
          "evacuate digests each byte, has the server compare each part's digest, replaces nothing, and asks the server for each object's digest again before it moves latest",
          ...notes,
        ],
      }
    } catch (cause) {
      if (!(cause instanceof ServerMissing)) throw cause
      return { figures: [], notes: [`left out: ${cause.message}`] }
    }
  })
