import * as Fs from "node:fs/promises"
import { join } from "node:path"

/**
 * A secret that stands out: a core of letters and digits, which every encoding of text but base64 and hex leaves as it
 * is, among characters that each encoding writes differently.
 */
export interface Planted {
  readonly name: string
  readonly core: string
  readonly value: string
}

/** A new secret. `around` is what stands beside its core; it is given where only some characters may be. */
export const plant = (name: string, around: readonly [before: string, after: string] = ["", ""]): Planted => {
  const core = `Planted${name}${crypto.randomUUID().replaceAll("-", "").slice(0, 12)}`
  return { name, core, value: around[0] + core + around[1] }
}

/** The characters of base64 that depend on these bytes alone, wherever they stand in what is encoded. */
const base64Middles = (core: string) =>
  [0, 1, 2].map((before) => {
    const padded = Buffer.concat([Buffer.alloc(before), Buffer.from(core)])
    return padded.toString("base64").slice(Math.ceil((before * 8) / 6), Math.floor((padded.length * 8) / 6))
  })

/** What of a secret may stand nowhere: its core, also in base64 at any place, in hex, and backwards. */
const needles = ({ core }: Planted): ReadonlyArray<string> => {
  const hex = Buffer.from(core).toString("hex")
  return [core, ...base64Middles(core), hex, hex.toUpperCase(), [...core].toReversed().join("")]
}

/** Where a secret stands in some bytes, with what is around it. */
export const foundIn = (
  where: string,
  bytes: Uint8Array | string,
  all: ReadonlyArray<Planted>,
): ReadonlyArray<string> => {
  const text = Buffer.from(bytes).toString("latin1")
  return all.flatMap((planted) =>
    needles(planted).flatMap((needle) => {
      const at = text.indexOf(needle)
      return at === -1 ? [] : [`${planted.name} in ${where}: …${text.slice(Math.max(0, at - 160), at + 80)}…`]
    }),
  )
}

/** Where secrets stand in the files below a folder, and in their names. */
export const foundBelow = async (folder: string, all: ReadonlyArray<Planted>): Promise<ReadonlyArray<string>> => {
  const found: Array<string> = []
  for (const entry of await Fs.readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    found.push(...foundIn(`the name ${path}`, path, all))
    if (entry.isFile()) found.push(...foundIn(path, await Fs.readFile(path), all))
  }
  return found
}
