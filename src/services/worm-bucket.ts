import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Sha256 from "../domain/sha256.ts"
import { type ObjectLock, ObjectStoreError, type ObjectVersion, type Store, type Versions } from "./object-store.ts"
import { type Appended, type Request, WormDamaged } from "./worm-directory.ts"
import * as Worm from "./worm-record.ts"

/** Where the records of one type stand: the first version of each object, which no later one replaces. */
export interface Chain {
  /** Keys relative to the record type's folder, with their first version. */
  readonly firsts: ReadonlyMap<string, ObjectVersion>
  /** What came after the first version of an object, or took its place. */
  readonly later: ReadonlyMap<string, ReadonlyArray<ObjectVersion>>
  readonly text: (path: string) => Effect.Effect<Option.Option<string>, ObjectStoreError>
}

type Failure = ObjectStoreError | WormDamaged

const linkPath = (sequence: number) => `chain/${Worm.sequenceName(sequence)}.json`

const utf8 = new TextDecoder("utf-8", { fatal: false })

/**
 * Reads what a bucket has of a record type. The links are looked up first, so that whatever is appended meanwhile, the
 * record of every link but the last is among the records.
 */
export const read = (versions: Versions, recordType: Worm.RecordType): Effect.Effect<Chain, ObjectStoreError> =>
  Effect.gen(function* () {
    const chainFolder = `${recordType}/chain/`
    const list = Effect.gen(function* () {
      const links = yield* versions.list(chainFolder)
      const records = (yield* versions.list(`${recordType}/`)).filter(({ key }) => !key.startsWith(chainFolder))
      return { links, records }
    })
    const first = yield* list
    // A record without any link: the chain was begun between the two looks, or all of its links are gone.
    const { links, records } = first.links.length === 0 && first.records.length > 0 ? yield* list : first
    const firsts = new Map<string, ObjectVersion>()
    const later = new Map<string, Array<ObjectVersion>>()
    for (const version of [...links, ...records]) {
      const path = version.key.slice(recordType.length + 1)
      if (!firsts.has(path) && !version.isMarker) firsts.set(path, version)
      else later.set(path, [...(later.get(path) ?? []), version])
    }
    const text = (path: string) => {
      const first = firsts.get(path)
      if (first === undefined) return Effect.succeedNone
      return Effect.map(versions.get(first.key, first.version), (bytes) => Option.some(utf8.decode(bytes)))
    }
    return { firsts, later, text }
  })

const bytesOf = (text: string) => new TextEncoder().encode(text)

interface Place {
  readonly store: Store
  readonly versions: Versions
  readonly lock: ObjectLock
}

/** The last link, when its record has its place; puts it there where a crash kept it from it. */
const headOf = ({ lock, store }: Place, recordType: Worm.RecordType, chain: Chain) =>
  Effect.gen(function* () {
    const sequences = [...chain.firsts.keys()].flatMap((path) => {
      const found = /^chain\/(\d{12})\.json$/.exec(path)
      return found === null ? [] : [Number(found[1])]
    })
    const last = Math.max(0, ...sequences)
    const path = `${store.location}/${recordType}/${linkPath(last)}`
    if (last !== sequences.length)
      return yield* new WormDamaged({ path, reason: "stands after links that are missing" })
    if (last === 0) {
      if ([...chain.firsts.keys()].length === 0) return undefined
      return yield* new WormDamaged({ path, reason: "is missing though there are records" })
    }
    const link = Option.getOrUndefined(Option.flatMap(yield* chain.text(linkPath(last)), Worm.decodeLink))
    if (link === undefined) return yield* new WormDamaged({ path, reason: "is not readable" })
    if (chain.firsts.has(link.path)) return link
    const text = link.record === undefined ? "" : Worm.textOf(link.record)
    if (Sha256.of(text) !== link.sha256) return yield* new WormDamaged({ path, reason: "has no record" })
    yield* put({ store, lock }, `${recordType}/${link.path}`, text)
    return link
  })

/** Creates an object under lock. Other bytes in a record's place are damage. */
const put = ({ lock, store }: Pick<Place, "store" | "lock">, key: string, text: string): Effect.Effect<void, Failure> =>
  store.put(key, bytesOf(text), { lock }).pipe(
    Effect.catchTag("ObjectExists", () =>
      Effect.fail(new WormDamaged({ path: `${store.location}/${key}`, reason: "has other bytes than its link says" })),
    ),
    Effect.asVoid,
  )

const search = (place: Place, chain: Chain, recordType: Worm.RecordType, recordId: string) =>
  Effect.gen(function* () {
    const head = yield* headOf(place, recordType, chain)
    const at = (path: string) => `${place.store.location}/${recordType}/${path}`
    if (head?.record_id === recordId) {
      const { path, prev_sha256: prevSha256, sequence, sha256 } = head
      return { head, found: Option.some<Appended>({ path: at(path), sha256, sequence, prevSha256 }) }
    }
    const ending = `_${Worm.uuidOf(recordType, recordId)}.json`
    const path = [...chain.firsts.keys()].find((each) => each.endsWith(ending))
    if (path === undefined) return { head, found: Option.none<Appended>() }
    const text = yield* chain.text(path)
    const record = Option.getOrUndefined(Option.flatMap(text, Worm.decodeRecord))
    if (record === undefined) {
      return yield* new WormDamaged({ path: at(path), reason: "is no longer readable as one" })
    }
    const { prev_sha256: prevSha256, sequence } = record
    const sha256 = Sha256.of(Option.getOrElse(text, () => ""))
    return { head, found: Option.some<Appended>({ path: at(path), sha256, sequence, prevSha256 }) }
  })

const placeOf = (store: Store, lock: ObjectLock): Effect.Effect<Place, ObjectStoreError> => {
  const { location, versions } = store
  const reason = "it keeps no versions: write-once records need a bucket"
  return versions === undefined
    ? Effect.fail(new ObjectStoreError({ location, key: "", reason, transient: false, notApplied: true }))
    : Effect.succeed({ store, versions, lock })
}

/** The record with this id, if there is one. Ends what a crash has left. */
export const find = (store: Store, recordType: Worm.RecordType, recordId: string, lock: ObjectLock) =>
  Effect.gen(function* () {
    const place = yield* placeOf(store, lock)
    const chain = yield* read(place.versions, recordType)
    return (yield* search(place, chain, recordType, recordId)).found
  })

/** Another writer has taken the sequence. */
const taken = Symbol("taken")

const patience = Schedule.exponential(10).pipe(Schedule.jittered, Schedule.upTo({ duration: 30_000 }))

/**
 * Appends a record to its type's chain in a bucket, under lock. Its sequence is taken by creating `chain/<sequence>`,
 * which one writer alone can do; that object holds the record, so that after a crash the next one who looks puts it in
 * its place. A record with this id that is there already is returned as it is.
 */
export const append = (
  store: Store,
  { payload, recordId, recordType }: Request,
  lock: ObjectLock,
): Effect.Effect<Appended, Failure> => {
  const once = Effect.gen(function* () {
    const place = yield* placeOf(store, lock)
    const chain = yield* read(place.versions, recordType)
    const { found, head } = yield* search(place, chain, recordType, recordId)
    if (Option.isSome(found)) return found.value
    const sequence = (head?.sequence ?? 0) + 1
    const prevSha256 = head?.sha256 ?? Worm.genesis
    const record: Worm.Record = {
      record_type: recordType,
      created_at: new Date(yield* Clock.currentTimeMillis).toISOString(),
      payload,
      sequence,
      prev_sha256: prevSha256,
      record_id: recordId,
    }
    const text = Worm.textOf(record)
    const sha256 = Sha256.of(text)
    const path = Worm.pathOf(record)
    const link = Worm.textOf({ sequence, path, sha256, prev_sha256: prevSha256, record_id: recordId, record })
    const isTaken = yield* store.put(`${recordType}/${linkPath(sequence)}`, bytesOf(link), { lock }).pipe(
      Effect.as(false),
      Effect.catchTag("ObjectExists", () => Effect.succeed(true)),
    )
    if (isTaken) return yield* Effect.fail(taken)
    yield* put(place, `${recordType}/${path}`, text)
    return { path: `${store.location}/${recordType}/${path}`, sha256, sequence, prevSha256 }
  })
  return once.pipe(
    Effect.retry({ while: (error) => error === taken, schedule: patience }),
    Effect.catchIf(
      (error): error is typeof taken => error === taken,
      () =>
        Effect.fail(
          new ObjectStoreError({
            location: store.location,
            key: `${recordType}/chain`,
            reason: "other writers took every sequence for half a minute; try again",
            transient: true,
            notApplied: true,
          }),
        ),
    ),
  )
}
