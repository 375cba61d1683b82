import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it as plainIt, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Sha256 from "../../src/domain/sha256.ts"
import type { WormHead, WormReport } from "../../src/services/worm-chain.ts"
import * as WormDestination from "../../src/services/worm-destination.ts"
import type { Appended } from "../../src/services/worm-directory.ts"
import * as S3Place from "../support/s3-place.ts"

/** A destination, and what somebody with every right could do to it. Paths are relative to it. */
interface Kind {
  readonly destination: WormDestination.WormDestination
  /** The same place, opened by somebody else. */
  readonly another: Effect.Effect<WormDestination.WormDestination, unknown, Scope.Scope>
  readonly text: (path: string) => Promise<string>
  /** Leaves no trace of what was there. */
  readonly replace: (path: string, text: string) => Promise<unknown>
  readonly remove: (path: string) => Promise<unknown>
}

const lock = (mode: "GOVERNANCE" | "COMPLIANCE" = "GOVERNANCE") => ({ mode, until: new Date(Date.now() + 3_600_000) })

const folder = Effect.gen(function* () {
  const root = yield* Effect.acquireRelease(
    Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori-worm-"))),
    (made) => Effect.promise(() => Bun.$`chmod -R u+rwX ${made} && rm -r ${made}`.quiet()),
  )
  const destination = WormDestination.folder(root)
  const kind: Kind = {
    destination,
    another: Effect.succeed(WormDestination.folder(root)),
    text: (path) => Fs.readFile(join(root, path), "utf8"),
    replace: async (path, text) => {
      await Fs.chmod(join(root, path), 0o644)
      await Fs.writeFile(join(root, path), text)
    },
    remove: (path) => Fs.rm(join(root, path)),
  }
  return kind
})

const bucket = Effect.gen(function* () {
  const { bucket: newBucket, sdk, section } = yield* S3Place.S3Place
  const Bucket = yield* newBucket({ lock: true })
  const open = Effect.map(S3Place.opened(section, `s3://${Bucket}/worm/`), (store) =>
    WormDestination.bucket(store, lock()),
  )
  const destination = yield* open
  const at = (path: string) => ({ Bucket, Key: `worm/${path}` })
  const remove = async (path: string) => {
    const { Versions = [] } = await sdk.listObjectVersions({ Bucket, Prefix: at(path).Key })
    for (const { VersionId = "" } of Versions) {
      await sdk.deleteObject({ ...at(path), VersionId, BypassGovernanceRetention: true })
    }
  }
  const kind: Kind = {
    destination,
    another: open,
    text: async (path) => (await (await sdk.getObject(at(path))).Body?.transformToString()) ?? "",
    replace: async (path, Body) => {
      await remove(path)
      await sdk.putObject({ ...at(path), Body })
    },
    remove,
  }
  return { ...kind, sdk, at }
})

const append = (to: WormDestination.WormDestination, task: string) =>
  to.append({ recordType: "ops", recordId: `run/${task}`, payload: { task } })
const three = (to: WormDestination.WormDestination) =>
  Effect.forEach(["one", "two", "three"], (task) => append(to, task))
const pathIn = ({ location }: WormDestination.WormDestination, { path }: Appended) => path.slice(location.length + 1)
const linkOf = (sequence: number) => `ops/chain/${String(sequence).padStart(12, "0")}.json`
const found = ({ problems }: WormReport) =>
  problems.map(({ kind, recordType, sequence }) => `${kind} ${recordType} ${sequence}`)
const sealed = (records: ReadonlyArray<Appended>): ReadonlyArray<WormHead> =>
  records.map(({ sequence, sha256 }) => ({ recordType: "ops", sequence, sha256 }))
const run = <A>(promise: () => Promise<A>) => Effect.promise(promise)

for (const [name, open] of [
  ["a folder", folder],
  ["a bucket", bucket],
] as const) {
  describe(`write-once records in ${name}`, () => {
    layer(S3Place.layer, { excludeTestServices: true })((it) => {
      it.effect("stand in a chain, each where its type, time and id put it", () =>
        Effect.gen(function* () {
          const { destination, text } = yield* open
          const [first, second, third] = yield* three(destination)
          assert.deepStrictEqual([first?.sequence, second?.sequence, third?.sequence], [1, 2, 3])
          assert.strictEqual(second?.prevSha256, first?.sha256)
          assert.strictEqual(third?.prevSha256, second?.sha256)
          const path = pathIn(destination, first as Appended)
          assert.match(path, /^ops\/\d{4}\/\d{6}\/ops_\d{8}T\d{6}Z_[0-9a-f-]{36}\.json$/)
          const body = yield* run(() => text(path))
          assert.strictEqual(Sha256.of(body), first?.sha256)
          assert.deepInclude(JSON.parse(body), { record_id: "run/one", payload: { task: "one" }, sequence: 1 })
          const report = yield* destination.verify(sealed([third as Appended]))
          const head = { recordType: "ops", sequence: 3, sha256: third?.sha256 }
          assert.deepStrictEqual(report, {
            chains: [{ recordType: "ops", records: 3, head, covered: true }],
            problems: [],
          } as unknown)
        }),
      )

      it.effect("are written once for one task of a run, and found by it", () =>
        Effect.gen(function* () {
          const { destination } = yield* open
          assert.isTrue(Option.isNone(yield* destination.find("ops", "run/one")))
          const [first] = yield* three(destination)
          assert.deepStrictEqual(yield* append(destination, "one"), first)
          assert.deepStrictEqual(yield* destination.find("ops", "run/one"), Option.some(first as Appended))
          assert.isTrue(Option.isNone(yield* destination.find("ops", "run/four")))
          assert.isTrue(Option.isNone(yield* destination.find("dq", "run/one")))
        }),
      )

      it.effect("of two writers at once have one sequence each", () =>
        Effect.gen(function* () {
          const { another, destination } = yield* open
          const other = yield* another
          const tasks = Array.from({ length: 8 }, (_, index) => index)
          const records = yield* Effect.all(
            [
              Effect.forEach(tasks, (index) => append(destination, `a${index}`)),
              Effect.forEach(tasks, (index) => append(other, `b${index}`)),
            ],
            { concurrency: 2 },
          )
          const sequences = records.flat().map(({ sequence }) => sequence)
          assert.deepStrictEqual(
            sequences.toSorted((a, b) => a - b),
            Array.from({ length: 16 }, (_, index) => index + 1),
          )
          assert.deepStrictEqual(found(yield* destination.verify(sealed(records.flat()))), [])
        }),
      )

      it.effect("of one task that is attempted twice at once are one record", () =>
        Effect.gen(function* () {
          const { another, destination } = yield* open
          yield* append(destination, "before")
          const other = yield* another
          const [one, two] = yield* Effect.all([append(destination, "same"), append(other, "same")], { concurrency: 2 })
          assert.deepStrictEqual(one, two)
          assert.strictEqual((yield* destination.verify([])).chains[0]?.records, 2)
        }),
      )

      it.effect("that were edited are found, also with their link", () =>
        Effect.gen(function* () {
          const { destination, replace, text } = yield* open
          const records = yield* three(destination)
          const path = pathIn(destination, records[1] as Appended)
          const edited = (yield* run(() => text(path))).replace('"two"', '"2"')
          yield* run(() => replace(path, edited))
          assert.deepStrictEqual(found(yield* destination.verify([])), ["edited ops 2"])
          const link = yield* run(() => text(linkOf(2)))
          yield* run(() => replace(linkOf(2), link.replace(records[1]?.sha256 ?? "", Sha256.of(edited))))
          assert.deepStrictEqual(found(yield* destination.verify([])), ["edited ops 2"])
        }),
      )

      it.effect("are told from links that were edited, and from what follows them", () =>
        Effect.gen(function* () {
          const { destination, replace, text } = yield* open
          const records = yield* three(destination)
          const [, second, third] = records
          const path = pathIn(destination, third as Appended)
          const [whole, link] = yield* run(() => Promise.all([text(path), text(linkOf(2))]))
          const other = Sha256.of("other bytes")
          yield* run(() => replace(path, whole.replace(second?.sha256 ?? "", other)))
          const edited = yield* destination.verify([])
          assert.deepStrictEqual(found(edited), ["edited ops 3"])
          assert.strictEqual(edited.chains[0]?.head?.sha256, third?.sha256)
          const known = yield* destination.verify(sealed(records))
          assert.deepStrictEqual(found(known), ["edited ops 3"])
          assert.strictEqual(known.chains[0]?.head?.sha256, third?.sha256)
          yield* run(() => replace(path, whole))
          yield* run(() => replace(linkOf(2), link.replace(second?.sha256 ?? "", other)))
          for (const heads of [[], sealed(records)]) {
            const { chains, problems } = yield* destination.verify(heads)
            assert.deepStrictEqual(found({ chains, problems }), ["edited ops 2"])
            assert.strictEqual(problems[0]?.path, linkOf(2))
          }
        }),
      )

      it.effect("that were removed are found, and so are links", () =>
        Effect.gen(function* () {
          const { destination, remove } = yield* open
          const records = yield* three(destination)
          yield* run(() => remove(pathIn(destination, records[1] as Appended)))
          assert.deepStrictEqual(found(yield* destination.verify([])), ["deleted ops 2"])
          yield* run(() => remove(linkOf(3)))
          assert.deepStrictEqual(found(yield* destination.verify([])), ["deleted ops 2", "deleted ops 3"])
        }),
      )

      it.effect("that changed places are found", () =>
        Effect.gen(function* () {
          const { destination, replace, text } = yield* open
          const records = yield* three(destination)
          const [one = "", two = ""] = records.map((record) => pathIn(destination, record))
          const [textOne, textTwo] = yield* run(() => Promise.all([text(one), text(two)]))
          yield* run(() => replace(one, textTwo))
          yield* run(() => replace(two, textOne))
          assert.sameMembers(found(yield* destination.verify([])), ["reordered ops 1", "reordered ops 2"])
        }),
      )

      it.effect("that were cut off are found by what the ledger testifies to", () =>
        Effect.gen(function* () {
          const { destination, remove } = yield* open
          const records = yield* three(destination)
          yield* run(() => remove(pathIn(destination, records[2] as Appended)))
          assert.deepStrictEqual(found(yield* destination.verify(sealed(records))), ["deleted ops 3"])
          yield* run(() => remove(linkOf(3)))
          assert.deepStrictEqual(found(yield* destination.verify(sealed(records))), ["truncated ops 3"])
        }),
      )

      it.effect("and nothing else may lie in their folders", () =>
        Effect.gen(function* () {
          const { destination, text, replace } = yield* open
          const records = yield* three(destination)
          const path = pathIn(destination, records[2] as Appended)
          yield* run(() => text(path))
          const stranger = path.replace(/[^/]+$/, "extra.json")
          if (destination.location.startsWith("s3:")) yield* run(() => replace(stranger, "{}"))
          else yield* run(() => Fs.writeFile(join(destination.location, stranger), "{}"))
          assert.deepStrictEqual(found(yield* destination.verify([])), ["foreign ops undefined"])
        }),
      )
    })
  })
}

describe("write-once records in a bucket", () => {
  layer(S3Place.layer, { excludeTestServices: true })((it) => {
    it.effect("and their links are locked until their time", () =>
      Effect.gen(function* () {
        const { at, destination, sdk } = yield* bucket
        const record = yield* append(destination, "one")
        for (const path of [pathIn(destination, record), linkOf(1)]) {
          const head = yield* run(() => sdk.headObject(at(path)))
          assert.strictEqual(head.ObjectLockMode, "GOVERNANCE")
          assert.isAbove(head.ObjectLockRetainUntilDate?.getTime() ?? 0, Date.now() + 3_500_000)
          const removed = yield* run(() =>
            sdk.deleteObject({ ...at(path), VersionId: head.VersionId ?? "" }).then(
              () => "removed",
              (error: Error) => error.name,
            ),
          )
          assert.strictEqual(removed, "AccessDenied")
        }
      }),
    )

    it.effect("count as they were first written, and what was put over them or removed them is named", () =>
      Effect.gen(function* () {
        const { at, destination, sdk } = yield* bucket
        const [one, two, three_] = yield* three(destination)
        const place = (record: Appended | undefined) => at(pathIn(destination, record as Appended))
        yield* run(() => sdk.putObject({ ...place(one), Body: "other bytes" }))
        yield* run(() => sdk.deleteObject(place(two)))
        yield* run(() => sdk.deleteObject(at(linkOf(3))))
        const { chains, problems } = yield* destination.verify([])
        assert.strictEqual(chains[0]?.records, 3)
        assert.sameMembers(found({ chains, problems }), ["edited ops 1", "deleted ops 2", "deleted ops 3"])
        for (const { detail } of problems) assert.match(detail, /its first version \S+ is still there$/)
        assert.deepStrictEqual(yield* append(destination, "two"), two)
        assert.strictEqual((yield* append(destination, "four")).prevSha256, three_?.sha256)
      }),
    )

    it.effect("go on from no link after a gap", () =>
      Effect.gen(function* () {
        const { destination, remove } = yield* bucket
        yield* three(destination)
        yield* run(() => remove(linkOf(2)))
        const error = yield* Effect.flip(append(destination, "four"))
        assert.strictEqual(error._tag, "WormDamaged")
        assert.include(error.message, "run `dandori worm verify`")
      }),
    )
  })

  plainIt("are locked for good in production alone", () => {
    assert.deepStrictEqual((["dev", "stg", "prod"] as const).map(WormDestination.lockMode), [
      "GOVERNANCE",
      "GOVERNANCE",
      "COMPLIANCE",
    ])
  })
})
