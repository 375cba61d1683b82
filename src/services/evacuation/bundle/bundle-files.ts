import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { BundleItem } from "../../../domain/bundle.ts"
import * as Sha256 from "../../../domain/sha256.ts"
import type { Sum } from "../../../domain/sums.ts"
import * as Tar from "../../../domain/tar.ts"
import * as Durable from "../../durable-files.ts"
import { type BundlePlace, PlaceFailed } from "./bundle-place.ts"

/** What is wrong with a bundle. `extra`: it is there and nothing speaks of it. */
export interface BundleProblem {
  readonly kind: "signature" | "altered" | "extra" | "missing" | "unreadable"
  readonly path: string
  readonly detail: string
}

/** What there is and what there should be. */
export interface Compared {
  readonly paths: ReadonlySet<string>
  readonly items: ReadonlyArray<BundleItem>
  readonly sums: ReadonlyArray<Sum>
  readonly isOwn: (path: string) => boolean
}

/** A file as it should be; of the README, and where the manifest is gone, only the digest is known. */
interface Wanted extends Sum {
  readonly bytes?: number
  readonly inTar: boolean
}

const parallel = 8
const tarName = /^evidence(-\d+)?\.tar$/

/** What lies in a tar, by path, each as its bytes are; or what is wrong with the tar. */
export const membersOf = (path: string) =>
  Effect.gen(function* () {
    const members = new Map<string, Durable.FileDigest>()
    const reader = Tar.reader(({ bytes, path: member }) => {
      const hasher = new Bun.CryptoHasher("sha256")
      return (piece, isLast) => {
        hasher.update(piece)
        if (isLast) members.set(member, { bytes, sha256: hasher.digest("hex") as Sha256.Sha256 })
      }
    })
    yield* Durable.digestWhile(path, (chunk) => Effect.sync(() => void reader.take(chunk)))
    return { members, wrong: reader.end() }
  })

const differs = (wanted: Wanted, found: Durable.FileDigest): string | undefined => {
  if (wanted.bytes !== undefined && wanted.bytes !== found.bytes)
    return `it has ${found.bytes} bytes and should have ${wanted.bytes}`
  return wanted.sha256 === found.sha256 ? undefined : `its SHA-256 is ${found.sha256} and should be ${wanted.sha256}`
}

/** True where a link or a folder lies in the place of a file. */
const isOther = ({ cause }: PlaceFailed): boolean =>
  cause instanceof Durable.FileFailed && ["ELOOP", "EISDIR"].includes(cause.code)

/** Reads every file and every member of the tars; what is missing, altered, or nowhere spoken of. */
export const compare = Effect.fn("BundleFiles.compare")(function* (
  place: BundlePlace,
  { isOwn, items, paths, sums }: Compared,
) {
  const wanted = new Map<string, Wanted>(sums.map((sum) => [sum.path, { ...sum, inTar: false }]))
  for (const { bytes, inTar, path, sha256 } of items) wanted.set(path, { path, sha256, bytes, inTar: inTar === true })
  let files = 0
  let bytes = 0

  const compareFile = Effect.fnUntraced(function* (one: Wanted): Effect.fn.Return<ReadonlyArray<BundleProblem>> {
    const { path } = one
    const found = yield* Effect.result(place.digest(path))
    if (found._tag === "Failure")
      return [{ kind: isOther(found.failure) ? "altered" : "unreadable", path, detail: found.failure.reason }]
    if (Option.isNone(found.success)) return [{ kind: "missing", path, detail: "it is not there" }]
    files += 1
    bytes += found.success.value.bytes
    const detail = differs(one, found.success.value)
    return detail === undefined ? [] : [{ kind: "altered", path, detail }]
  })

  const readTar = Effect.fnUntraced(function* (path: string) {
    const file = yield* place.file(path)
    if (Option.isNone(file)) return undefined
    return yield* Effect.mapError(
      membersOf(file.value),
      (error) => new PlaceFailed({ location: place.location, path, reason: error.message, cause: error }),
    )
  }, Effect.scoped)

  const problems: Array<BundleProblem> = []
  const packed = new Map<string, Durable.FileDigest>()
  for (const path of [...wanted.keys()].filter((name) => tarName.test(name) && paths.has(name))) {
    const read = yield* Effect.result(readTar(path))
    if (read._tag === "Failure") problems.push({ kind: "unreadable", path, detail: read.failure.reason })
    else if (read.success?.wrong !== undefined)
      problems.push({ kind: "altered", path, detail: `it is no tar that was packed here: ${read.success.wrong}` })
    for (const [member, digest] of (read._tag === "Success" ? read.success?.members : undefined) ?? []) {
      packed.set(member, digest)
      if (!wanted.has(member))
        problems.push({ kind: "extra", path: member, detail: `it lies in ${path}, and nothing speaks of it` })
    }
  }
  // Captures that were unpacked already are compared where they lie, too.
  const isCapture = ({ inTar, path }: Wanted) => inTar || packed.has(path)
  const lying = [...wanted.values()].filter((one) => !isCapture(one) || paths.has(one.path))
  problems.push(...(yield* Effect.forEach(lying, compareFile, { concurrency: parallel })).flat())

  for (const one of [...wanted.values()].filter(isCapture)) {
    const found = packed.get(one.path)
    const detail = found === undefined ? undefined : differs(one, found)
    if (found !== undefined) files += 1
    if (found === undefined) problems.push({ kind: "missing", path: one.path, detail: "it is in no tar that is there" })
    else if (detail !== undefined) problems.push({ kind: "altered", path: one.path, detail: `in its tar, ${detail}` })
  }
  const extra = [...paths].filter((path) => !wanted.has(path) && !isOwn(path)).toSorted()
  for (const path of extra) problems.push({ kind: "extra", path, detail: "nothing speaks of it" })
  return { problems, files, bytes }
})
