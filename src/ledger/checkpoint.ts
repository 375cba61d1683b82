import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type { Entry, Event } from "../domain/event.ts"
import * as DurableFiles from "../services/durable-files.ts"
import * as Chain from "./chain.ts"
import { LedgerFailed, StreamDamaged } from "./errors.ts"
import { LedgerKey } from "./keys.ts"
import { Ledger } from "./ledger.ts"
import * as Merkle from "./merkle.ts"
import * as SignedNote from "./signed-note.ts"
import * as StreamName from "./stream-name.ts"
import { isCheckpointed, isClosed } from "./testimony.ts"

/** What a checkpoint says (https://c2sp.org/tlog-checkpoint): the log, its size, and the tree hash in base64. */
export interface Checkpoint {
  readonly origin: string
  readonly size: number
  readonly tree: string
}

/** Name of a ledger in its checkpoints: it follows from the first entry of its root stream. */
export const originOf = (first: Entry): string => `dandori/ledger/${first.entryhash.slice(0, 16)}`

const leaves = new WeakMap<Entry, Merkle.Hash>()

/** Leaf hashes of the root's entries: a leaf is an entry's line without its newline. Each entry is hashed once. */
export const leavesOf = (entries: ReadonlyArray<Entry>): ReadonlyArray<Merkle.Hash> =>
  entries.map((entry) => {
    const known = leaves.get(entry)
    if (known !== undefined) return known
    const made = Merkle.leaf(Chain.lineOf(entry))
    leaves.set(entry, made)
    return made
  })

/** Tree hash of the first `size` leaves, in base64. */
export const treeOf = (leaves: ReadonlyArray<Merkle.Hash>, size: number): string =>
  Buffer.from(Merkle.treeHash(leaves.slice(0, size))).toString("base64")

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

const unlessDamaged = (stream: string, { fault }: Chain.Chain) =>
  fault === undefined || fault.kind === "torn"
    ? Effect.void
    : Effect.fail(new StreamDamaged({ stream, line: fault.line, reason: fault.reason }))

const isOfSystem = ({ data }: Entry) => isClosed(data) && data.stream === StreamName.system

/** The newest checkpoint, which the root must bear out before another is signed. */
const newest = Effect.fnUntraced(function* (root: ReadonlyArray<Entry>, leaves: ReadonlyArray<Merkle.Hash>) {
  const file = (yield* (yield* Ledger).checkpoints).at(-1)
  if (file === undefined) return undefined
  const { text } = file
  const found = parse(text)
  if (found === undefined) return yield* damaged(file.size, `${file.name} is no checkpoint`)
  if (found.size > root.length) {
    return yield* damaged(root.length, `${file.name} covers ${found.size} entries, but only ${root.length} are there`)
  }
  if (found.tree !== treeOf(leaves, found.size)) {
    return yield* damaged(found.size, `the entries up to line ${found.size} are not those that ${file.name} covers`)
  }
  const [made, closed, ...more] = root.slice(found.size)
  const own = made === undefined || isCheckpointed(made.data)
  const news = !own || more.length > 0 || (closed !== undefined && !isOfSystem(closed))
  return { ...found, text, news }
})

/** The root entry that commits to the system stream as it stands; undefined where there is no such stream. */
const systemClosed = Effect.fnUntraced(function* () {
  const ledger = yield* Ledger
  const system = yield* ledger.read(StreamName.system).pipe(Effect.catchTag("StreamMissing", () => Effect.undefined))
  if (system === undefined) return undefined
  yield* unlessDamaged(StreamName.system, system)
  const { sequence: entries, hash: head } = system.head
  return { type: "dev.dandori.stream.closed.v1", data: { stream: StreamName.system, entries, head } } as const
})

/** Commits the root to the system stream as it stands, so that a checkpoint covers it too; false when it does already. */
const coverSystem = Effect.fnUntraced(function* (root: Chain.Chain) {
  const ledger = yield* Ledger
  const closed = yield* systemClosed()
  const last = root.entries.findLast(isOfSystem)
  if (closed === undefined || (isClosed(last?.data) && last.data.head === closed.data.head)) return false
  yield* ledger.record(StreamName.root, [closed])
  return true
})

/**
 * Signs the root stream as it stands, keeps the checkpoint in the ledger and, where given, writes it to the file `anchor`; `system` and the root then take an entry that it was made, so that neither can be replaced
 * without the other. Answers with the newest one when nothing has happened since. Refuses to sign a root that does not bear out the checkpoint before.
 */
export const make = Effect.fn("Checkpoint.make")(function* (options: { readonly anchor?: string } = {}) {
  const ledger = yield* Ledger
  const key = yield* LedgerKey
  const found = yield* ledger.read(StreamName.root)
  yield* unlessDamaged(StreamName.root, found)
  const known = leavesOf(found.entries)
  const before = yield* newest(found.entries, known)
  const covered = yield* coverSystem(found)
  const { anchor } = options
  const send = (text: string) =>
    anchor === undefined ? Effect.void : DurableFiles.writeFileDurably(anchor, text).pipe(Effect.mapError(failed))
  if (before !== undefined && !before.news && !covered) {
    yield* send(before.text)
    return { text: before.text, size: before.size, tree: before.tree }
  }

  const root = covered ? yield* ledger.read(StreamName.root) : found
  const leaves = covered ? leavesOf(root.entries) : known
  const size = leaves.length
  const tree = treeOf(leaves, size)
  const origin = originOf(root.entries[0])
  const text = yield* SignedNote.sign(bodyOf({ origin, size, tree }), origin, key.publicKey, key.sign)
  yield* ledger.keepCheckpoint(size, text)
  yield* send(text)
  const data = { entries: size, tree, keyid: key.keyid }
  const made: Event = { type: "dev.dandori.ledger.checkpointed.v1", data }
  yield* ledger.record(StreamName.system, [made])
  const closed = yield* systemClosed()
  yield* ledger.record(StreamName.root, closed === undefined ? [made] : [made, closed])
  return { text, size, tree }
})
