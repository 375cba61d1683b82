import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Semaphore from "effect/Semaphore"
import type { Entry, Event } from "../domain/event.ts"
import * as DurableFiles from "../services/durable-files.ts"
import type * as Bookmark from "./bookmark.ts"
import * as Chain from "./chain.ts"
import { LedgerFailed, StreamDamaged, StreamMissing } from "./errors.ts"
import { LedgerKey } from "./keys.ts"
import { Ledger } from "./ledger.ts"
import * as Merkle from "./merkle.ts"
import * as SignedNote from "./signed-note.ts"
import * as StreamName from "./stream-name.ts"
import * as StreamTail from "./stream-tail.ts"
import { isCheckpointed, isClosed } from "./testimony.ts"

/** What a checkpoint says (https://c2sp.org/tlog-checkpoint): the log, its size, and the tree hash in base64. */
export interface Checkpoint {
  readonly origin: string
  readonly size: number
  readonly tree: string
}

/** Name of a ledger in its checkpoints: it follows from the first entry of its root stream. */
export const originOf = (first: Entry): string => `dandori/ledger/${first.entryhash.slice(0, 16)}`

const leafOf = (entry: Entry): Merkle.Hash => Merkle.leaf(Chain.lineOf(entry))

/** Leaf hashes of the root's entries: a leaf is an entry's line without its newline. */
export const leavesOf = (entries: ReadonlyArray<Entry>): ReadonlyArray<Merkle.Hash> => entries.map(leafOf)

const base64 = (hash: Merkle.Hash): string => Buffer.from(hash).toString("base64")
const fromBase64 = (text: string): Merkle.Hash => new Uint8Array(Buffer.from(text, "base64"))

/** Tree hash of the first `size` leaves, in base64. */
export const treeOf = (leaves: ReadonlyArray<Merkle.Hash>, size: number): string =>
  base64(Merkle.treeHash(leaves.slice(0, size)))

/** The text of a checkpoint that is signed. */
export const bodyOf = ({ origin, size, tree }: Checkpoint): string => `${origin}\n${size}\n${tree}\n`

/** A checkpoint as found: what it says, with its note; nothing is verified yet. Undefined when the text is none. */
export const parse = (text: string): (Checkpoint & { readonly note: SignedNote.Note }) | undefined => {
  const note = SignedNote.parse(text)
  const match = /^([^\s+]+)\n([1-9]\d{0,14})\n([A-Za-z0-9+/]{43}=)\n$/.exec(note?.text ?? "")
  if (note === undefined || match === null) return undefined
  const [, origin = "", size = "", tree = ""] = match
  return { origin, size: Number(size), tree, note }
}

/** Name of the folder of checkpoints in a ledger's folder. */
export const folderName = "checkpoints"

/** Checkpoint files below a ledger's folder, smallest size first. */
export const list = Effect.fnUntraced(function* (ledgerFolder: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = path.join(ledgerFolder, folderName)
  if (!(yield* fs.exists(folder))) return []
  return (yield* fs.readDirectory(folder))
    .filter((name) => /^[1-9]\d*\.txt$/.test(name))
    .toSorted((a, b) => Number.parseInt(a) - Number.parseInt(b))
    .map((name) => ({ name: `${folderName}/${name}`, path: path.join(folder, name), size: Number.parseInt(name) }))
})

const failed = (error: { readonly message: string }) =>
  new LedgerFailed({ stream: StreamName.root, reason: error.message })

const damaged = (line: number, reason: string) => new StreamDamaged({ stream: StreamName.root, line, reason })

const isOfSystem = ({ data }: Entry) => isClosed(data) && data.stream === StreamName.system

/** What an entry of the root after the newest checkpoint is: that it was made, how far `system` has got, or news. */
const kindOf = (entry: Entry) => (isCheckpointed(entry.data) ? "made" : isOfSystem(entry) ? "system" : "news")

/** The root as it is read on: the tree of what the newest checkpoint covers, and the leaves after it. */
const rootTail = (ledger: Ledger["Service"]) => {
  let covered = Merkle.emptyFrontier
  let covers = 0
  let since: Array<{ readonly leaf: Merkle.Hash; readonly kind: ReturnType<typeof kindOf> }> = []
  let origin = ""
  let systemHead: string | undefined
  const take = (entry: Entry) => {
    if (origin === "") origin = originOf(entry)
    if (isClosed(entry.data) && isOfSystem(entry)) systemHead = entry.data.head
    const leaf = leafOf(entry)
    if (covered.size < covers) covered = Merkle.grown(covered, leaf)
    else since.push({ leaf, kind: kindOf(entry) })
  }
  /** Takes what the newest checkpoint covers into the tree. */
  const cover = () => {
    const now = since.splice(0, Math.max(0, covers - covered.size))
    covered = now.reduce((tree, { leaf }) => Merkle.grown(tree, leaf), covered)
  }
  const fold: Bookmark.Fold = {
    name: "root-tree",
    toJson: () => ({
      origin,
      systemHead,
      size: covered.size,
      roots: covered.roots.map(base64),
      since: since.map(({ kind, leaf }) => [kind, base64(leaf)]),
    }),
    fromJson: (json) => {
      const found = json as {
        readonly origin: string
        readonly systemHead?: string
        readonly size: number
        readonly roots: ReadonlyArray<string>
        readonly since: ReadonlyArray<readonly [(typeof since)[number]["kind"], string]>
      }
      if (found.size > covers) return false
      origin = found.origin
      systemHead = found.systemHead
      covered = { size: found.size, roots: found.roots.map(fromBase64) }
      since = found.since.map(([kind, leaf]) => ({ kind, leaf: fromBase64(leaf) }))
      cover()
      return true
    },
  }
  const tail = StreamTail.make(StreamName.root, StreamTail.of(ledger, StreamName.root), take, fold)
  return {
    /** Reads on; the newest checkpoint is said to cover `size` entries. */
    readOn: (size: number) =>
      Effect.suspend(() => {
        covers = size
        cover()
        return tail.readOn
      }),
    origin: () => origin,
    covered: () => covered,
    all: () => since.reduce((tree, { leaf }) => Merkle.grown(tree, leaf), covered),
    kinds: () => since.map(({ kind }) => kind),
    /** The head of `system` that the root told last. */
    systemHead: () => systemHead,
  }
}

/**
 * What signs the root again and again, as `make` does: from one time to the next it knows the tree, and reads only what
 * was added.
 */
export const signer = Effect.gen(function* () {
  const ledger = yield* Ledger
  const key = yield* LedgerKey
  let root = rootTail(ledger)
  const system = StreamTail.make(StreamName.system, StreamTail.of(ledger, StreamName.system), () => {})

  /** The newest checkpoint, which the root must bear out before another is signed. */
  const newest = Effect.gen(function* () {
    const file = yield* ledger.newestCheckpoint
    const size = file?.size ?? 0
    // Later ones than the newest are gone: from the beginning.
    if (size < root.covered().size) root = rootTail(ledger)
    const { sequence } = (yield* root.readOn(size)).head
    if (sequence === 0) return yield* new StreamMissing({ stream: StreamName.root })
    if (file === undefined) return undefined
    const { text } = file
    const found = parse(text)
    if (found === undefined) return yield* damaged(file.size, `${file.name} is no checkpoint`)
    if (found.size !== file.size) return yield* damaged(file.size, `${file.name} covers ${found.size} entries`)
    if (found.size > sequence) {
      return yield* damaged(sequence, `${file.name} covers ${found.size} entries, but only ${sequence} are there`)
    }
    if (found.tree !== base64(Merkle.frontierHash(root.covered()))) {
      return yield* damaged(found.size, `the entries up to line ${found.size} are not those that ${file.name} covers`)
    }
    const [made = "made", closed = "system", ...more] = root.kinds()
    const news = made !== "made" || closed !== "system" || more.length > 0
    return { ...found, text, news }
  })

  /** The root entry that commits to the system stream as it stands; undefined where there is no such stream. */
  const systemClosed = Effect.map(system.readOn, ({ head: { hash: head, sequence: entries } }) =>
    entries === 0
      ? undefined
      : ({ type: "dev.dandori.stream.closed.v1", data: { stream: StreamName.system, entries, head } } as const),
  )

  /** Commits the root to the system stream as it stands, so that a checkpoint covers it too; false when it does already. */
  const coverSystem = Effect.gen(function* () {
    const closed = yield* systemClosed
    if (closed === undefined || root.systemHead() === closed.data.head) return false
    yield* ledger.record(StreamName.root, [closed])
    return true
  })

  const sign = Effect.fnUntraced(function* (anchor: string | undefined) {
    const before = yield* newest
    const covered = yield* coverSystem
    const send = (text: string) =>
      anchor === undefined ? Effect.void : DurableFiles.writeFileDurably(anchor, text).pipe(Effect.mapError(failed))
    if (before !== undefined && !before.news && !covered) {
      yield* send(before.text)
      return { text: before.text, size: before.size, tree: before.tree }
    }

    if (covered) yield* root.readOn(before?.size ?? 0)
    const all = root.all()
    const { size } = all
    const tree = base64(Merkle.frontierHash(all))
    const origin = root.origin()
    const text = yield* SignedNote.sign(bodyOf({ origin, size, tree }), origin, key.publicKey, key.sign)
    yield* ledger.keepCheckpoint(size, text)
    yield* send(text)
    const data = { entries: size, tree, keyid: key.keyid }
    const made: Event = { type: "dev.dandori.ledger.checkpointed.v1", data }
    yield* ledger.record(StreamName.system, [made])
    const closed = yield* systemClosed
    yield* ledger.record(StreamName.root, closed === undefined ? [made] : [made, closed])
    return { text, size, tree }
  })
  const turn = Semaphore.makeUnsafe(1)
  return (options: { readonly anchor?: string } = {}) => turn.withPermit(sign(options.anchor))
})

/**
 * Signs the root stream as it stands, keeps the checkpoint in the ledger and, where given, writes it to the file `anchor`; `system` and the root then take an entry that it was made, so that neither can be replaced
 * without the other. Answers with the newest one when nothing has happened since. Refuses to sign a root that does not bear out the checkpoint before.
 */
export const make = Effect.fn("Checkpoint.make")(function* (options: { readonly anchor?: string } = {}) {
  return yield* (yield* signer)(options)
})
