import * as Fs from "node:fs/promises"
import { createHash, createPublicKey, verify } from "node:crypto"
import { join } from "node:path"
import { filesBelow } from "./sample-project.ts"

/** SHA-256 in hex. */
export const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex")

/** How a folder's bytes differ from its own list and from a digest, by nothing but their hashes. */
export const differences = async (folder: string, digest: string): Promise<ReadonlyArray<string>> => {
  const list = JSON.parse(await Fs.readFile(join(folder, "checksums.json"), "utf8"))
  const names = (await filesBelow(folder)).filter((name) => name !== "checksums.json" && name !== "model.sig")
  const found = new Map<string, string>()
  for (const name of names) found.set(name, sha256(await Fs.readFile(join(folder, name))))
  const listed = Object.entries<string>(list.checksums)
  const wrong = listed.flatMap(([name, sum]) => (found.get(name) === sum ? [] : [`${name} is not what is listed`]))
  const extra = names.filter((name) => !(name in list.checksums)).map((name) => `${name} is not listed`)
  const lines = names.filter((name) => !name.startsWith("receipts/")).map((name) => `${found.get(name)}  ${name}\n`)
  const root = sha256(lines.toSorted((x, y) => (x.slice(66) < y.slice(66) ? -1 : 1)).join(""))
  return [
    ...wrong,
    ...extra,
    ...(root === digest ? [] : [`its files have the digest ${root}, the registry says ${digest}`]),
  ]
}

/** Why an envelope is no backtest receipt, signed by this ledger's key, that lets these bytes pass. */
export const objection = async (home: string, envelope: string, digest: string): Promise<string | undefined> => {
  const { payload, payloadType, signatures } = JSON.parse(envelope)
  const bytes = Buffer.from(payload, "base64")
  const said = Buffer.concat([Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${bytes.length} `), bytes])
  const key = createPublicKey(await Fs.readFile(join(home, "keys/ledger.pub")))
  if (!verify(null, said, key, Buffer.from(signatures[0].sig, "base64"))) return "its signature does not hold"
  const { predicate, subject } = JSON.parse(bytes.toString())
  if (predicate.dandori.gate !== "backtest") return `it is of the gate ${predicate.dandori.gate}`
  if (predicate.result !== "PASSED" && predicate.result !== "WARNED") return `it says ${predicate.result}`
  const names = (subject as ReadonlyArray<any>).some((each) => each.digest.sha256 === digest)
  return names ? undefined : "it names other bytes"
}
