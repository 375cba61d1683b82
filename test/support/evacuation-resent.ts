import { createHash } from "node:crypto"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Sdk from "@aws-sdk/client-s3"
import { incidentFolder, linesOf, type Place, prefix, type Trial } from "./evacuation-trial.ts"
import type { Sent } from "./evacuation-wire.ts"

/** What is new with each call, or moves. */
const isOwn = (key: string) => /^[^/]*\/(probe\/|latest\.json$|incidents\/[^/]+\/reports\/)/.test(key)

const nameOf = ({ key, part, sha256 }: Pick<Sent, "key" | "part" | "sha256">) =>
  part === undefined ? key : `${key} part ${part} ${sha256}`

/**
 * What nobody may send again: the objects that the server has, the parts that it lists of uploads under way, and what
 * `pushed.ndjson` has.
 */
export const kept = async ({ sdk }: Place, trial: Trial): Promise<ReadonlySet<string>> => {
  const Bucket = trial.bucket
  const names = new Set<string>()
  for await (const page of Sdk.paginateListObjectsV2({ client: sdk }, { Bucket, Prefix: `${prefix}/` })) {
    for (const { Key: key = "" } of page.Contents ?? []) names.add(nameOf({ key, part: undefined, sha256: "" }))
  }
  const { Uploads = [] } = await sdk.listMultipartUploads({ Bucket, Prefix: `${prefix}/` })
  for (const { Key: key = "", UploadId } of Uploads) {
    const { Parts = [] } = await sdk.listParts({ Bucket, Key: key, UploadId }).catch(() => ({ Parts: [] }))
    for (const { ChecksumSHA256: sha256 = "", PartNumber: part } of Parts) names.add(nameOf({ key, part, sha256 }))
  }
  const folder = await incidentFolder(trial)
  for (const { key, rung } of folder === undefined ? [] : await linesOf(folder, "pushed.ndjson")) {
    if (rung === "offsite") names.add(nameOf({ key: `${prefix}/${key}`, part: undefined, sha256: "" }))
  }
  return names
}

/** What a call sent though it was kept before, or though the call itself had been told that it was stored. */
export const again = (sent: ReadonlyArray<Sent>, before: ReadonlySet<string>): ReadonlyArray<string> => {
  const told = new Set<string>()
  return sent.flatMap((each) => {
    const name = nameOf(each)
    if (isOwn(each.key)) return []
    // A part of an object that is whole has no business any more either.
    const isKept = before.has(name) || before.has(each.key)
    const isTold = told.has(name)
    if (each.reached && each.status === 200) told.add(name)
    if (isKept) return [`${name} was sent again: it was kept`]
    return isTold ? [`${name} was sent again: the call had the answer`] : []
  })
}

/** Digests of the captures that an incident lists from before the stop, by path: they may not change any more. */
export const volatile = async (trial: Trial): Promise<ReadonlyMap<string, string>> => {
  const folder = await incidentFolder(trial)
  const found = new Map<string, string>()
  for (const { collector, outcome, path } of folder === undefined ? [] : await linesOf(folder, "collected.ndjson")) {
    if (outcome !== "ok" || path === undefined) continue
    const bytes = await Fs.readFile(join(folder ?? "", path)).catch(() => Buffer.from("missing"))
    found.set(`${collector} ${path}`, createHash("sha256").update(bytes).digest("hex"))
  }
  return found
}
