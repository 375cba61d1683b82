import * as Fs from "node:fs/promises"
import { closeSync, openSync, writeSync } from "node:fs"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { bundleFiles, type BundleItem, type BundleManifest } from "../../../domain/bundle.ts"
import type { NotTaken, Redaction } from "../../../domain/collected.ts"
import * as Sha256 from "../../../domain/sha256.ts"
import { inOrder } from "../../../domain/sums.ts"
import * as Tar from "../../../domain/tar.ts"
import * as Durable from "../../durable-files.ts"
import * as Bundle from "./bundle.ts"
import type { BundleKey } from "./bundle-key.ts"
import { type BundlePlace, PlaceFailed } from "./bundle-place.ts"
import { keyProblem } from "../destination/destination-key.ts"
import * as RedactedBytes from "../redaction/redacted-bytes.ts"
import type { Redactor } from "../redaction/redaction.ts"

/** The folder for a redacted bundle holds something already. */
export class OutputTaken extends Schema.TaggedError<OutputTaken>()("OutputTaken", { path: Schema.String }) {
  readonly exitCode = 73
  override get message() {
    return `${this.path} is there already, and not empty: name a new folder with --out`
  }
}

/** A file is no text: rules for lines say nothing about it. */
class NotText extends Schema.TaggedError<NotText>()("NotText", {}) {}

/** How a redacted bundle is made. */
export interface Options {
  /** A new Redactor, for each file. */
  readonly make: () => Redactor
  readonly keepBinary: boolean
  readonly key: BundleKey
  /** The first bundle: its signed manifest, its root and the key and the signature of its SHA256SUMS. */
  readonly manifest: BundleManifest
  readonly of: NonNullable<BundleManifest["of"]>
}

const isTar = ({ collector, path }: BundleItem) => collector === "captures" && /^evidence(-\d+)?\.tar$/.test(path)

/** Sums of redactions by rule. */
const added = (...all: ReadonlyArray<ReadonlyArray<Redaction>>): ReadonlyArray<Redaction> => {
  const sums = new Map<string, number>()
  for (const { count, rule } of all.flat()) sums.set(rule, (sums.get(rule) ?? 0) + count)
  return [...sums].map(([rule, count]) => ({ rule, count })).toSorted((a, b) => (a.rule < b.rule ? -1 : 1))
}

/** Fails where bytes are no UTF-8, or have a NUL. */
const textCheck = () => {
  const decoder = new TextDecoder("utf-8", { fatal: true })
  return (chunk?: Uint8Array): Effect.Effect<void, NotText> =>
    Effect.try({
      try: () => void decoder.decode(chunk, { stream: chunk !== undefined }),
      catch: () => new NotText(),
    }).pipe(Effect.andThen(chunk?.includes(0) === true ? Effect.fail(new NotText()) : Effect.void))
}

/** Writes a text with what the rules replace replaced; answers with the digests of both and what was replaced. */
const redactFile = (from: string, to: string, make: () => Redactor) =>
  Durable.fillNewFileDurably(to, (write) =>
    Effect.gen(function* () {
      const redacted = RedactedBytes.of(make())
      const check = textCheck()
      const hasher = new Bun.CryptoHasher("sha256")
      let bytes = 0
      const give = (ready: Uint8Array) => {
        hasher.update(ready)
        bytes += ready.length
        return write(ready)
      }
      const take = (chunk: Uint8Array): Effect.Effect<void, NotText | Durable.FileFailed> =>
        Effect.andThen(
          check(chunk),
          Effect.suspend(() => give(redacted.push(chunk))),
        )
      const original = yield* Durable.digestWhile(from, take)
      yield* check()
      yield* give(redacted.end())
      const sha256 = hasher.digest("hex") as Sha256.Sha256
      return { original, bytes, sha256, redactions: redacted.counts() }
    }),
  )

/** The captures of a tar as files of a folder, by their path. */
const unpack = (tar: string, folder: string) =>
  Effect.gen(function* () {
    const found = new Map<string, string>()
    const reader = Tar.reader(({ path }) => {
      const file = join(folder, String(found.size))
      found.set(path, file)
      const descriptor = openSync(file, "wx", 0o600)
      return (piece, isLast) => {
        for (let at = 0; at < piece.length;) at += writeSync(descriptor, piece, at)
        if (isLast) closeSync(descriptor)
      }
    })
    yield* Durable.digestWhile(tar, (chunk) => Durable.attemptNow("unpack", tar, () => void reader.take(chunk)))
    return found
  })

/** A new folder, or one that is empty. */
const emptyFolder = Effect.fnUntraced(function* (path: string) {
  yield* Durable.makeFolderDurably(path, { mode: 0o700 })
  const names = yield* Durable.attempt("list", path, () => Fs.readdir(path))
  if (names.length > 0) return yield* new OutputTaken({ path })
})

/**
 * Makes a second bundle in a new folder: every text of the first with what the rules replace replaced, captures as files of
 * their own, and in its signed manifest what the first one is. What is no text is left out, or kept as it is. Names and
 * reasons go through the rules, too. The first bundle is only read.
 */
export const redact = Effect.fn("BundleRedact.redact")(function* (place: BundlePlace, out: string, options: Options) {
  const { keepBinary, key, make, manifest } = options
  yield* emptyFolder(out)
  const scratch = yield* Effect.acquireRelease(
    Durable.attempt("make a folder in", out, () => Fs.mkdtemp(join(out, ".captures-"))),
    (path) => Effect.ignore(Durable.attempt("remove", path, () => Fs.rm(path, { recursive: true, force: true }))),
  )
  const plain = (text: string) => make().text(text)
  const captures = new Map<string, string>()
  for (const { path } of manifest.items.filter(isTar)) {
    const file = yield* Effect.flatMap(place.file(path), Effect.fromOption).pipe(Effect.option)
    if (Option.isSome(file)) for (const [member, at] of yield* unpack(file.value, scratch)) captures.set(member, at)
  }

  const items: Array<BundleItem> = []
  const replaced: Array<{ readonly path: string; readonly redactions: ReadonlyArray<Redaction> }> = []
  const notTaken: Array<NotTaken> = manifest.notTaken.map((line) => ({
    ...line,
    source: plain(line.source),
    reason: plain(line.reason),
  }))
  const failed = (path: string, reason: string) => new PlaceFailed({ location: place.location, path, reason })

  const one = Effect.fnUntraced(function* (item: BundleItem) {
    const problem = keyProblem(item.path, 4096)
    if (problem !== undefined) return yield* failed(item.path, `its path leads elsewhere: ${problem}`)
    const captured = captures.get(item.path)
    const file = captured === undefined ? yield* place.file(item.path) : Option.some(captured)
    if (Option.isNone(file)) return yield* failed(item.path, "it is not there")
    const isNamed = plain(item.path) !== item.path
    const path = isNamed ? `redacted/${Sha256.of(item.path)}` : item.path
    const to = join(out, path)
    yield* Durable.makeFolderDurably(dirname(to))
    const { inTar: _tar, parts: _parts, ...known } = item
    const about = { ...known, path, source: plain(item.source) }
    const text = yield* Effect.result(redactFile(file.value, to, make))
    if (text._tag === "Failure") {
      if (text.failure._tag === "FileFailed") return yield* text.failure
      if (!keepBinary) {
        const reason = "it is no text, and was left out when the bundle was redacted"
        notTaken.push({ collector: item.collector, source: about.source, reason, bytes: item.bytes })
        return
      }
      const copied = yield* Durable.copyNewFileDurably(file.value, to)
      if (copied.sha256 !== item.sha256) return yield* failed(item.path, "it is not what its manifest says")
      items.push(about)
      return
    }
    const { bytes, original, redactions, sha256 } = text.success
    if (original.sha256 !== item.sha256) return yield* failed(item.path, "it is not what its manifest says")
    const all = added(item.redactions ?? [], redactions)
    if (redactions.length > 0) replaced.push({ path, redactions })
    items.push({
      ...about,
      bytes,
      sha256,
      ...(sha256 === item.sha256 ? {} : { original: { bytes: item.bytes, sha256: item.sha256 } }),
      ...(all.length === 0 ? {} : { redactions: all }),
    })
  }, Effect.scoped)

  yield* Effect.forEach(
    manifest.items.filter((item) => !isTar(item)),
    one,
    { discard: true },
  )
  yield* Durable.attempt("remove", scratch, () => Fs.rm(scratch, { recursive: true, force: true }))

  const { beside: _beside, host, root: _root, signedBy: _signer, ...rest } = manifest
  const coverage = {
    ...manifest.coverage,
    taken: items.length,
    notTaken: notTaken.filter(({ noBytes }) => noBytes !== true).length,
  }
  const composed = Bundle.compose(
    {
      ...rest,
      host: plain(host),
      items: items.toSorted(inOrder),
      notTaken,
      collected: manifest.collected.map((line) =>
        line.reason === undefined ? line : { ...line, reason: plain(line.reason) },
      ),
      coverage: { ...coverage, unstable: items.filter(({ unstable }) => unstable === true).length },
      of: options.of,
    },
    key.signedBy,
    { own: "", tars: [] },
  )
  for (const [name, bytes] of yield* Bundle.signed(composed, key))
    yield* Durable.writeNewFileDurably(join(out, name), bytes)
  return { manifest: composed.manifest, replaced, leftOut: notTaken.length - manifest.notTaken.length }
}, Effect.scoped)

/** The signature of a bundle's SHA256SUMS in base64, from the folder of its own files. */
export const signatureOf = (place: BundlePlace, own: string) => {
  const path = `${own === "" ? "" : `${own}/`}${bundleFiles.signature}`
  return Effect.map(place.read(path), (bytes) =>
    Buffer.from(Option.getOrElse(bytes, () => new Uint8Array())).toString("base64"),
  )
}
