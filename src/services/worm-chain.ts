import * as Fs from "node:fs/promises"
import { join, relative, sep } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Sha256 from "../domain/sha256.ts"
import * as Durable from "./durable-files.ts"
import * as WormDirectory from "./worm-directory.ts"
import * as Worm from "./worm-record.ts"

/** Head of a chain, as it was sealed elsewhere (in the ledger). */
export interface WormHead {
  readonly recordType: Worm.RecordType
  readonly sequence: number
  readonly sha256: string
}

/**
 * What is wrong with a chain. `edited`: bytes changed; `deleted`: a record or its link is gone; `reordered`: a record
 * stands in another's place; `truncated`: the end is missing against a sealed head; `foreign`: a file that no link names.
 */
export interface WormProblem {
  readonly kind: "edited" | "deleted" | "reordered" | "truncated" | "foreign"
  readonly recordType: Worm.RecordType
  readonly sequence: number | undefined
  readonly path: string
  readonly detail: string
}

/** What a verification saw. Without a sealed head the end of a chain is not covered (`covered: false`). */
export interface WormReport {
  readonly chains: ReadonlyArray<{
    readonly recordType: Worm.RecordType
    readonly records: number
    readonly head: WormHead | undefined
    readonly covered: boolean
  }>
  readonly problems: ReadonlyArray<WormProblem>
}

interface Seen {
  readonly path: string
  readonly sha256: string
  readonly record: Worm.Record | undefined
}

const optionalText = (path: string) =>
  Durable.attempt("read", path, () => Fs.readFile(path, "utf8")).pipe(
    Effect.asSome,
    Effect.catchIf(
      (error) => error.code === "ENOENT",
      () => Effect.succeedNone,
    ),
  )

const filesUnder = (folder: string) =>
  Durable.attempt("list", folder, () => Fs.readdir(folder, { recursive: true, withFileTypes: true })).pipe(
    Effect.map((entries) =>
      entries
        .filter((entry) => !entry.isDirectory())
        .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
        .toSorted(),
    ),
    Effect.catchIf(
      (error) => error.code === "ENOENT",
      () => Effect.succeed([]),
    ),
  )

/** The files of one record type, where they are. */
export interface WormFiles<E> {
  /** Paths relative to the record type's folder. */
  readonly names: ReadonlyArray<string>
  /** None when it is gone meanwhile. */
  readonly text: (path: string) => Effect.Effect<Option.Option<string>, E>
  /**
   * The bytes of a record that is not in its place yet, by its link; none where nothing is pending. `isLast`: there is no
   * later link or record.
   */
  readonly pending: (link: Worm.Link, isLast: boolean) => Effect.Effect<Option.Option<string>, E>
  /** What the place itself knows to be wrong. */
  readonly disturbed: ReadonlyArray<Pick<WormProblem, "kind" | "path" | "detail">>
}

/** Verifies one chain by its files and the sealed heads of its type. */
export const verifyChain = <E>(
  files: WormFiles<E>,
  recordType: Worm.RecordType,
  sealed: ReadonlyArray<WormHead>,
): Effect.Effect<{ readonly chain: WormReport["chains"][number]; readonly problems: ReadonlyArray<WormProblem> }, E> =>
  Effect.gen(function* () {
    const { names } = files
    const problems: Array<WormProblem> = []
    const report = (kind: WormProblem["kind"], sequence: number | undefined, path: string, detail: string) =>
      problems.push({ kind, recordType, sequence, path: `${recordType}/${path}`, detail })

    const seen = new Map<string, Seen>()
    for (const path of names.filter((name) => !name.startsWith("chain/"))) {
      const text = yield* files.text(path)
      if (Option.isNone(text)) continue
      const record = Option.getOrUndefined(Worm.decodeRecord(text.value))
      seen.set(path, { path, sha256: Sha256.of(text.value), record })
    }
    const links = new Map<number, Worm.Link>()
    const linkNames = names.filter((name) => /^chain\/\d{12}\.json$/.test(name)).toSorted()
    const lastRecord = Math.max(0, ...[...seen.values()].map(({ record }) => record?.sequence ?? 0))
    for (const path of linkNames) {
      const sequence = Number(path.slice(6, 18))
      const text = yield* files.text(path)
      const link = Option.getOrUndefined(Option.flatMap(text, Worm.decodeLink))
      if (link === undefined) report("edited", sequence, path, "the link is not readable")
      else if (link.sequence !== sequence)
        report("reordered", sequence, path, `the link says sequence ${link.sequence}`)
      else links.set(sequence, link)
      if (link === undefined || seen.has(link.path)) continue
      const pending = yield* files.pending(link, path === linkNames.at(-1) && sequence > lastRecord)
      if (Option.isNone(pending)) continue
      const record = Option.getOrUndefined(Worm.decodeRecord(pending.value))
      seen.set(link.path, { path: link.path, sha256: Sha256.of(pending.value), record })
    }

    const bySequence = new Map<number, Seen>()
    for (const found of seen.values()) {
      const { record, path } = found
      if (record === undefined) {
        const link = [...links.values()].find((link) => link.path === path)
        report(link ? "edited" : "foreign", link?.sequence, path, "this is no record")
      } else if (Worm.pathOf(record) !== path) {
        report("reordered", record.sequence, path, `its body belongs to ${Worm.pathOf(record)}`)
      } else if (bySequence.has(record.sequence)) {
        report("foreign", record.sequence, path, `a second record with sequence ${record.sequence}`)
      } else bySequence.set(record.sequence, found)
    }

    const sealedAt = (sequence: number) => sealed.find((head) => head.sequence === sequence)
    const isBlamed = (sequence: number, path: string) =>
      problems.some(
        (problem) =>
          problem.kind === "edited" && problem.sequence === sequence && problem.path === `${recordType}/${path}`,
      )
    const blame = (sequence: number, path: string, detail: string) => {
      if (!isBlamed(sequence, path)) report("edited", sequence, path, detail)
    }
    /** Who else has the digest of a record as it lies there: the ledger, else the next record, where its own link holds. */
    const borneOut = (sequence: number): string | undefined => {
      const digest = bySequence.get(sequence)?.sha256
      const head = sealedAt(sequence)
      if (head !== undefined) return head.sha256 === digest ? "the ledger" : undefined
      const next = bySequence.get(sequence + 1)
      const holds = next !== undefined && links.get(sequence + 1)?.sha256 === next.sha256
      return holds && next.record?.prev_sha256 === digest ? "the next record" : undefined
    }

    const last = Math.max(0, ...bySequence.keys(), ...links.keys())
    for (let sequence = 1; sequence <= last; sequence++) {
      const found = bySequence.get(sequence)
      const link = links.get(sequence)
      const linkPath = `chain/${Worm.sequenceName(sequence)}.json`
      if (link === undefined && !problems.some((problem) => problem.path === `${recordType}/${linkPath}`)) {
        report("deleted", sequence, linkPath, "the link is missing")
      }
      if (found === undefined) {
        const path = link?.path ?? `sequence ${sequence}`
        if (!seen.has(path)) report("deleted", sequence, path, "the record is missing")
        continue
      }
      if (link !== undefined && (link.sha256 !== found.sha256 || link.path !== found.path)) {
        const says = borneOut(sequence)
        if (says === undefined || link.path !== found.path) {
          blame(sequence, found.path, `its digest is ${found.sha256}, its link says ${link.sha256}`)
        } else
          blame(sequence, linkPath, `it says ${link.sha256}, the record's digest is ${found.sha256}, as ${says} has it`)
      }
      const previous = bySequence.get(sequence - 1)
      const before = sequence === 1 ? Worm.genesis : previous?.sha256
      const named = found.record?.prev_sha256
      // What an edited record says of the one before it is no evidence.
      if (before === undefined || named === before || isBlamed(sequence, found.path)) continue
      if (previous === undefined || sealedAt(sequence - 1)?.sha256 === before) {
        blame(sequence, found.path, `it was written after ${named}, the record before it has the digest ${before}`)
      } else if (!isBlamed(sequence - 1, previous.path)) {
        blame(sequence - 1, previous.path, `its digest is ${before}, the next record was written after ${named}`)
      }
    }

    const sequences = new Map([...links.values()].map((link) => [link.path, link.sequence]))
    for (const { detail, kind, path } of files.disturbed) {
      const sequence = sequences.get(path) ?? (path.startsWith("chain/") ? Number(path.slice(6, 18)) : undefined)
      if (!problems.some((problem) => problem.path === `${recordType}/${path}`)) report(kind, sequence, path, detail)
    }

    for (const head of sealed) {
      const found = bySequence.get(head.sequence)
      const path = found?.path ?? `sequence ${head.sequence}`
      if (head.sequence > last) {
        report(
          "truncated",
          head.sequence,
          path,
          `the sealed head has sequence ${head.sequence}, the chain ends at ${last}`,
        )
      } else if (found !== undefined && found.sha256 !== head.sha256) {
        blame(head.sequence, path, `its digest is ${found.sha256}, the sealed head says ${head.sha256}`)
      }
    }
    const end = bySequence.get(last)
    // Of an edited end the digest that was written counts, where it is known.
    const written = end !== undefined && isBlamed(last, end.path) ? links.get(last)?.sha256 : undefined
    const sha256 = sealedAt(last)?.sha256 ?? written ?? end?.sha256
    return {
      chain: {
        recordType,
        records: bySequence.size,
        head: end === undefined || sha256 === undefined ? undefined : { recordType, sequence: last, sha256 },
        covered: sealed.some((head) => head.sequence >= last),
      },
      problems,
    }
  })

/** The chains that hold anything, and every problem. */
export const reportOf = (results: ReadonlyArray<Effect.Success<ReturnType<typeof verifyChain>>>): WormReport => ({
  chains: results.map((result) => result.chain).filter((chain) => chain.records > 0 || chain.head !== undefined),
  problems: results.flatMap((result) => result.problems),
})

const filesOf = (folder: string): Effect.Effect<WormFiles<Durable.FileFailed>, Durable.FileFailed> =>
  Effect.map(filesUnder(folder), (names) => ({
    names,
    text: (path) => optionalText(join(folder, path)),
    pending: ({ sequence }) => optionalText(join(folder, `chain/${Worm.sequenceName(sequence)}.pending`)),
    disturbed: [],
  }))

type Verified = ReturnType<typeof verifyChain<Durable.FileFailed>>

const verifyEach = (
  root: string,
  sealed: ReadonlyArray<WormHead>,
  guard: (recordType: Worm.RecordType, verify: Verified) => Verified,
) =>
  Effect.gen(function* () {
    yield* Durable.attempt("look at", root, () => Fs.stat(root))
    const results = yield* Effect.forEach(Worm.RecordType.literals, (recordType) => {
      const heads = sealed.filter((head) => head.recordType === recordType)
      const verify = Effect.flatMap(filesOf(join(root, recordType)), (files) => verifyChain(files, recordType, heads))
      return guard(recordType, verify)
    })
    return reportOf(results)
  })

/**
 * Verifies the chains of write-once records under a folder: every record against its link, its predecessor and the
 * sealed heads. Edits, deletions, reorderings and truncations are each named. Waits for
 * appends that are under way; changes no record. Fails when the folder does not exist.
 */
export const verifyWorm = (
  root: string,
  sealed: ReadonlyArray<WormHead> = [],
): Effect.Effect<WormReport, Durable.FileFailed> =>
  verifyEach(root, sealed, (recordType, verify) =>
    WormDirectory.locked(root, recordType, verify).pipe(
      Effect.catch((error) =>
        error._tag === "FileFailed" && error.code !== "EROFS" && error.code !== "EACCES" ? Effect.fail(error) : verify,
      ),
    ),
  )

/** As `verifyWorm`, for a copy that nobody appends to: it takes no lock and leaves the folder as it is. */
export const verifyCopy = (root: string): Effect.Effect<WormReport, Durable.FileFailed> =>
  verifyEach(root, [], (_, verify) => verify)
