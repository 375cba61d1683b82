import { createCipheriv } from "node:crypto"
import * as Fs from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import { parse, stringify } from "yaml"
import { dice } from "./engine-interpreter.ts"
import { evacuationOf } from "./incident-machine.ts"

const repository = resolve(import.meta.dirname, "../..")

/** What a destination digests by itself: the size of the parts that a trial sends. */
export const partBytes = 5 * 2 ** 20

/** Bytes that a seed decides. */
export const bytesOf = (seed: number, length: number): Buffer => {
  const key = Buffer.alloc(16)
  key.writeInt32LE(seed | 0)
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(length))
}

/** What every secret in the logs begins with, and nothing else. */
export const secretMark = "SecretOfTheSource"

/** A file that has to be at the destination. `place` is in latin1, a character for each byte. */
export interface Expected {
  readonly place: string
  readonly to: "evidence" | "snapshot"
  readonly source: string
  readonly sha256: string
  readonly redact: boolean
}

/** Facts that are quick to take; the others depend on what else the machine does. */
const quick = new Set(["environment", "processes", "sockets", "memory", "disks", "mounts", "cgroups"])

const logLines = (draw: (below: number) => number, lines: number): string => {
  const text: Array<string> = []
  for (let n = 0; n < lines; n++) {
    if (draw(40) === 0) {
      const secret = `${secretMark}${draw(2 ** 31).toString(16)}${draw(2 ** 31).toString(16)}`
      text.push(draw(2) === 0 ? `connecting, password=${secret}` : `{"n":${n},"api_key":"${secret}","ok":true}`)
    } else text.push(`2026-05-05T03:14:${n % 60}Z request ${n} answered in ${draw(900)} ms`)
  }
  return `${text.join("\n")}\n`
}

/** Gives a file a name of bytes, which the runtime's own functions do not take. */
const rename = (folder: string, from: string, toPrintf: string) => {
  const moved = Bun.spawnSync(["sh", "-ec", 'mv -- "$1" "$(printf "$2")"', "sh", from, toPrintf], { cwd: folder })
  if (moved.exitCode !== 0) throw new Error(moved.stderr.toString())
}

/** A large file of 12 to 40 MiB, of at most 15 in a light project; one in three is a whole number of parts. */
const largeBytes = (draw: (below: number) => number, light: boolean): number =>
  draw(3) === 0 ? partBytes * (3 + draw(light ? 1 : 6)) : 12 * 2 ** 20 + draw((light ? 3 : 28) * 2 ** 20)

/** Makes the project: about 60 small files, logs with secrets, three large files, names with spaces and of any bytes. */
export const make = async (folder: string, seed: number, light = false): Promise<void> => {
  const draw = dice(seed)
  const write = async (name: string, content: string | Uint8Array) => {
    await Fs.mkdir(dirname(join(folder, name)), { recursive: true })
    await Fs.writeFile(join(folder, name), content)
  }
  for (const name of ["configs", "pipelines"]) {
    await Fs.cp(join(repository, name), join(folder, name), { recursive: true })
  }
  const small = (n: number) => bytesOf(seed * 1000 + n, [0, 1, 4096, draw(60_000), draw(300_000)][draw(5)] ?? 0)
  for (let n = 0; n < 24; n++) {
    const place = ["", "deep/", "a folder/", "ünter/der 100%/"][draw(4)]
    await write(`models/${place}model_${n}${n % 5 === 0 ? " and a space" : ""}.joblib`, small(n))
  }
  for (let n = 0; n < 12; n++) await write(`artifacts/run ${n % 3}/summary_${n}.json`, `{"sharpe":${draw(900)}}\n`)
  for (let n = 0; n < 8; n++) await write(`artifacts/cv_results_${n}.csv`, small(100 + n))
  for (let n = 0; n < 12; n++) await write(`logs/part ${n % 2}/api-${n}.log`, logLines(draw, 20 + draw(2000)))
  await write("logs/long.log", logLines(draw, light ? 110_000 : 130_000))
  await write(".dandori/ledger/segment 1.ndjson", `{"seq":1}\n{"seq":2}\n`)
  await write("models/model_large.joblib", bytesOf(seed + 1, largeBytes(draw, light)))
  await write("artifacts/cv_results_large.csv", bytesOf(seed + 2, largeBytes(draw, light)))
  await write(".dandori/models/20260505/model.bin", bytesOf(seed + 3, largeBytes(draw, light)))
  await write("models/model_bytes.joblib", small(200))
  rename(folder, "models/model_bytes.joblib", "models/model_\\377\\376 \\303.joblib")
  await write("logs/bytes.log", logLines(draw, 50))
  rename(folder, "logs/bytes.log", "logs/caf\\351.log")
}

/** How a trial's project is evacuated: what ships, but for slow facts and what is stopped; to the bucket of `S3_BUCKET` on that server. */
export const configure = async (folder: string, port: number, endpoint: string): Promise<void> => {
  const section = parse(await evacuationOf(port, repository)) as { collectors: Array<Record<string, unknown>> }
  const collectors = section.collectors.filter(({ kind, what }) => kind === "files" || quick.has(String(what)))
  // Not into the file that is there, which the projects of other trials have too.
  const write = (name: string, text: string) =>
    Fs.rm(join(folder, name), { force: true }).then(() => Fs.writeFile(join(folder, name), text))
  await write("configs/base/evacuation.yaml", stringify({ ...section, collectors }))
  const shipped = await Fs.readFile(join(repository, "configs/base/storage.yaml"), "utf8")
  const s3 = { endpoint, region: "us-east-1", path_style: true, part_size: "5MiB", request_timeout: "5s" }
  const offsite = { bucket: "${env:S3_BUCKET}", worm_location: "s3://audit/worm", storage_class: "STANDARD" }
  await write("configs/base/storage.yaml", `${shipped}\n${stringify({ s3, offsite })}`)
}

/** Each files collector of what ships: its name, its root, what find takes there. */
const collected: ReadonlyArray<readonly [string, string, ReadonlyArray<string>, Expected["to"], boolean]> = [
  ["ledger", ".dandori/ledger", ["*"], "evidence", false],
  ["configs", "configs", ["*"], "evidence", true],
  ["pipelines", "pipelines", ["*"], "evidence", true],
  ["published", ".dandori/models", ["*"], "snapshot", false],
  ["models", "models", ["model_*.joblib"], "snapshot", false],
  ["artifacts", "artifacts", ["summary_*.json", "cv_results_*.csv"], "snapshot", false],
  ["logs", "logs", ["*.log"], "evidence", true],
]

/** What has to be at the destination, found and digested by find and sha256sum. */
export const expectedOf = (folder: string): ReadonlyArray<Expected> =>
  collected.flatMap(([collector, root, names, to, redact]) => {
    const wanted = names.flatMap((name, index) => [...(index === 0 ? [] : ["-o"]), "-name", name])
    const script = 'cd "$1"; shift; LC_ALL=C find . -type f "(" "$@" ")" -print0 | xargs -0r sha256sum -z --'
    const found = Bun.spawnSync(["sh", "-ec", script, "sh", join(folder, root), ...wanted])
    if (found.exitCode !== 0) throw new Error(found.stderr.toString())
    return found.stdout
      .toString("latin1")
      .split("\0")
      .filter((line) => line !== "")
      .map((line) => {
        const path = line.slice(66).replace(/^\.\//, "")
        return { place: `${collector}/${path}`, to, source: `${root}/${path}`, sha256: line.slice(0, 64), redact }
      })
  })

/** The place in latin1 of an object's path: each `%XX` is its byte. */
export const placeOf = (path: string): string =>
  Buffer.from(path)
    .toString("latin1")
    .replaceAll(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

/** The bytes of a source, whatever its name. */
export const read = (folder: string, { source }: Expected): Buffer => {
  const escaped = [...source].map((each) => `\\${each.charCodeAt(0).toString(8).padStart(3, "0")}`).join("")
  const said = Bun.spawnSync(["sh", "-ec", 'cat -- "$(printf "$1")"', "sh", escaped], { cwd: folder })
  if (said.exitCode !== 0) throw new Error(said.stderr.toString())
  return said.stdout
}
