import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { ProgressReport } from "../../src/services/progress.ts"
import * as CloudPlace from "../support/cloud-place.ts"

const record = "019a2b3c-run/backup"
const creations = (actions: ReadonlyArray<string>) => actions.filter((each) => each === "CreateSnapshot").length

/** Two volumes with a name of their own, and the service behind a proxy. */
const begun = (handle: Parameters<typeof CloudPlace.through>[0] = CloudPlace.plain) =>
  Effect.gen(function* () {
    const { actions, place, service } = yield* CloudPlace.through(handle)
    const tag = `redis-${crypto.randomUUID()}`
    const volumes = [yield* place.volume(tag), yield* place.volume(tag)].toSorted()
    yield* place.volume("another")
    return { actions, place, service, tag, volumes }
  })

const snapshotsOf = (place: CloudPlace.CloudPlace["Service"], volumes: ReadonlyArray<string>) =>
  Effect.map(
    Effect.promise(() => place.ec2.describeSnapshots({ Filters: [{ Name: "volume-id", Values: [...volumes] }] })),
    ({ Snapshots = [] }) => Snapshots,
  )

/** Commands that write down what they do, and what they wrote down. */
const hook = (before = "true", after = "true") =>
  Effect.gen(function* () {
    const path = join(yield* CloudPlace.folder, "hook")
    const note = (word: string, script: string) => ["sh", "-c", `echo ${word} >> "$0"; ${script}`, path]
    const said = Effect.promise(() => Fs.readFile(path, "utf8").catch(() => "")).pipe(
      Effect.map((text) => text.split("\n").filter((line) => line !== "")),
    )
    const quiesce = { before: note("before", before), after: note("after", after), timeoutMillis: 20_000 }
    return { path, quiesce, said }
  })

const pending = ["<status>completed</status>", "<status>pending</status>"] as const
const throttled = CloudPlace.refusingEc2(503, "RequestLimitExceeded", "Request limit exceeded.")

describe("snapshots of volumes", () => {
  layer(CloudPlace.layer, { excludeTestServices: true })((it) => {
    it.effect("are made of each volume with the tag, described, and found", () =>
      Effect.gen(function* () {
        const { place, service, tag, volumes } = yield* begun()
        assert.isTrue(Option.isNone(yield* service.ebs.find({ tag, record })))
        const taken = yield* service.ebs.take({ tag: `Name=${tag}`, record, tags: { team: "ml" } })
        const there = yield* snapshotsOf(place, volumes)
        assert.lengthOf(there, 2)
        const wanted = volumes.map((volume) => {
          const { SnapshotId: id = "", StartTime } = there.find(({ VolumeId }) => VolumeId === volume) ?? {}
          const started = StartTime?.toISOString() ?? ""
          return { id, volume, status: "completed", sizeGiB: 8, encrypted: false, started, record, quiesced: false }
        })
        assert.deepStrictEqual(taken, wanted)
        for (const { Tags = [] } of there) {
          const tags = Tags.map(({ Key, Value }) => `${Key}=${Value}`).toSorted()
          assert.deepStrictEqual(tags, [`dandori:record=${record}`, "team=ml"])
        }
        assert.deepStrictEqual(yield* service.ebs.find({ tag, record }), Option.some(taken))
        assert.deepStrictEqual(yield* service.ebs.find({ volumes, record }), Option.some(taken))
        assert.isTrue(Option.isNone(yield* service.ebs.find({ tag, record: "another/backup" })))
      }),
    )

    it.effect("are not made a second time for the same record, but once for each record", () =>
      Effect.gen(function* () {
        const { actions, place, service, tag, volumes } = yield* begun()
        const first = yield* service.ebs.take({ volumes, record })
        assert.deepStrictEqual(yield* service.ebs.take({ tag, record }), first)
        assert.strictEqual(creations(actions), 2)
        const others = yield* service.ebs.take({ tag, record: "next/backup" })
        assert.notDeepEqual(
          others.map(({ id }) => id),
          first.map(({ id }) => id),
        )
        assert.lengthOf(yield* snapshotsOf(place, volumes), 4)
      }),
    )

    it.effect("are made only of the volumes whose snapshot a crash left out", () =>
      Effect.gen(function* () {
        const { actions, service, tag, volumes } = yield* begun()
        const [first = ""] = volumes
        const [one] = yield* service.ebs.take({ volumes: [first], record })
        assert.isTrue(Option.isNone(yield* service.ebs.find({ tag, record })))
        const taken = yield* service.ebs.take({ tag, record })
        assert.deepStrictEqual(taken[0], one)
        assert.lengthOf(taken, 2)
        assert.strictEqual(creations(actions), 2)
      }),
    )

    it.effect("are not made a second time when the answer to a creation is lost", () =>
      Effect.gen(function* () {
        let lost = 1
        const { actions, place, service, volumes } = yield* begun(async (action, forward) => {
          const answer = await forward()
          return action === "CreateSnapshot" && lost-- > 0 ? undefined : answer
        })
        assert.lengthOf(yield* service.ebs.take({ volumes, record }), 2)
        assert.strictEqual(creations(actions), 2)
        assert.lengthOf(yield* snapshotsOf(place, volumes), 2)
      }),
    )

    it.effect("are begun again after throttling, and fail for a passing reason where it lasts", () =>
      Effect.gen(function* () {
        let refusals = 1
        const { actions, place, service, volumes } = yield* begun((action, forward) =>
          action === "CreateSnapshot" && refusals-- > 0 ? Promise.resolve(throttled) : forward(),
        )
        const [first = ""] = volumes
        assert.lengthOf(yield* service.ebs.take({ volumes: [first], record }), 1)
        assert.strictEqual(creations(actions), 2)
        refusals = Number.POSITIVE_INFINITY
        const error = yield* Effect.flip(service.ebs.take({ volumes: [first], record: "next/backup" }))
        assert.deepInclude(error, { _tag: "CloudFailed", transient: true, notApplied: true })
        assert.include(error.message, `could not create a snapshot of ${first}: the server answers 503 Request limit`)
        assert.strictEqual(creations(actions), 6)
        assert.lengthOf(yield* snapshotsOf(place, volumes), 1)
      }),
    )

    it.effect("are refused where there is no such volume, before anything is held back", () =>
      Effect.gen(function* () {
        const { service, volumes } = yield* begun()
        const { quiesce, said } = yield* hook()
        const error = yield* Effect.flip(service.ebs.take({ tag: "no-such-tag", record, quiesce }))
        assert.strictEqual(error._tag, "CloudSnapshotRefused")
        assert.include(error.message, "volumes with the tag no-such-tag: there is none in this region")
        assert.include(error.message, "correct storage.offsite.ebs_tag")
        const ids = [...volumes, "vol-0123456789abcdef0"]
        const unknown = yield* Effect.flip(service.ebs.take({ volumes: ids, record, quiesce }))
        assert.include(unknown.message, "there is no such volume in the region us-east-1")
        assert.deepInclude(unknown, { transient: false, notApplied: true })
        const none = yield* Effect.flip(service.ebs.take({ volumes: [], record, quiesce }))
        assert.include(none.message, "no volume is named")
        assert.deepStrictEqual(yield* said, [])
      }),
    )

    it.effect("are waited for together, and say how far they are", () =>
      Effect.gen(function* () {
        let looks = 0
        const { service, volumes } = yield* begun(async (action, forward) => {
          const answer = await forward()
          if (action !== "DescribeSnapshots" || ++looks > 2) return answer
          return CloudPlace.rewritten(CloudPlace.rewritten(answer, ...pending), "100%", "50%")
        })
        const reports: Array<ProgressReport> = []
        const onProgress = (report: ProgressReport) => Effect.sync(() => void reports.push(report))
        assert.lengthOf(yield* service.ebs.take({ volumes, record, onProgress }), 2)
        assert.deepStrictEqual(
          reports.map(({ done }) => done),
          [50, 100],
        )
        assert.include(reports[0]?.note ?? "", "is pending")
      }),
    )

    it.effect("that are not completed in time, or fail, are errors that say what to do", () =>
      Effect.gen(function* () {
        let state = "pending"
        const { actions, service, volumes } = yield* begun(async (_, forward) =>
          CloudPlace.rewritten(await forward(), pending[0], `<status>${state}</status>`),
        )
        const late = yield* Effect.flip(service.ebs.take({ volumes, record, deadlineMillis: 300 }))
        assert.deepInclude(late, { _tag: "CloudSnapshotLate", transient: true })
        assert.include(late.message, `of ${volumes.join(", ")} is pending after 300 ms`)
        assert.isTrue(Option.isNone(yield* service.ebs.find({ volumes, record })))
        state = "error"
        const failed = yield* Effect.flip(service.ebs.take({ volumes, record }))
        assert.strictEqual(failed._tag, "CloudSnapshotFailed")
        assert.match(failed.message, /snap-\w+ is error: delete it \(aws ec2 delete-snapshot --snapshot-id snap-\w+\)/)
        assert.isTrue(Option.isNone(yield* service.ebs.find({ volumes, record })))
        assert.strictEqual(creations(actions), 2)
      }),
    )

    it.effect("are begun while writes are held back, and waited for when they go on again", () =>
      Effect.gen(function* () {
        const { path, quiesce, said } = yield* hook()
        let looks = 0
        const { place, service, volumes } = yield* begun(async (action, forward) => {
          if (action === "CreateSnapshot") await Fs.appendFile(path, "create\n")
          const answer = await forward()
          if (action !== "DescribeSnapshots" || ++looks > 2) return answer
          await Fs.appendFile(path, "look\n")
          return CloudPlace.rewritten(answer, ...pending)
        })
        const taken = yield* service.ebs.take({ volumes, record, quiesce })
        assert.deepStrictEqual(yield* said, ["look", "before", "create", "create", "after", "look"])
        assert.deepStrictEqual(
          taken.map(({ quiesced }) => quiesced),
          [true, true],
        )
        for (const { Tags = [] } of yield* snapshotsOf(place, volumes)) {
          assert.deepInclude(Tags, { Key: "dandori:quiesce", Value: "released" })
        }
        assert.deepStrictEqual(yield* service.ebs.find({ volumes, record }), Option.some(taken))
        assert.deepStrictEqual(yield* service.ebs.take({ volumes, record, quiesce }), taken)
        assert.lengthOf(yield* said, 6)
      }),
    )

    it.effect("let writes go on when a snapshot cannot be begun", () =>
      Effect.gen(function* () {
        const { quiesce, said } = yield* hook()
        const { service, volumes } = yield* begun((action, forward) =>
          action === "CreateSnapshot"
            ? Promise.resolve(CloudPlace.refusingEc2(403, "UnauthorizedOperation", "You are not authorized."))
            : forward(),
        )
        const error = yield* Effect.flip(service.ebs.take({ volumes, record, quiesce }))
        assert.include(error.message, "this user may not create a snapshot of vol-")
        assert.deepStrictEqual(yield* said, ["before", "after"])
      }),
    )

    it.effect("let writes go on when they could not be held back, or not in time, and none is begun", () =>
      Effect.gen(function* () {
        const { actions, service, volumes } = yield* begun()
        const bad = yield* hook("echo the disk is busy >&2; exit 3")
        const error = yield* Effect.flip(service.ebs.take({ volumes, record, quiesce: bad.quiesce }))
        assert.strictEqual(error._tag, "QuiesceFailed")
        assert.include(error.message, "ended with 3: the disk is busy; no snapshot was begun")
        assert.deepStrictEqual(yield* bad.said, ["before", "after"])
        const slow = yield* hook("sleep 600")
        const late = yield* Effect.flip(
          service.ebs.take({ volumes, record, quiesce: { ...slow.quiesce, timeoutMillis: 500 } }),
        )
        assert.include(late.message, "did not end within 500 ms and was stopped")
        assert.deepStrictEqual(yield* slow.said, ["before", "after"])
        const missing = { before: ["/no/such/program"], after: slow.quiesce.after }
        const absent = yield* Effect.flip(service.ebs.take({ volumes, record, quiesce: missing }))
        assert.include(absent.message, "did not run: /no/such/program could not be started")
        assert.strictEqual(creations(actions), 0)
      }),
    )

    it.effect("let writes go on when the attempt is cancelled", () =>
      Effect.gen(function* () {
        const creating = yield* Deferred.make<void>()
        const { service, volumes } = yield* begun((action, forward) => {
          if (action !== "CreateSnapshot") return forward()
          Deferred.doneUnsafe(creating, Exit.void)
          return new Promise(() => {})
        })
        const { quiesce, said } = yield* hook()
        const fiber = yield* Effect.forkChild(service.ebs.take({ volumes, record, quiesce }))
        yield* Deferred.await(creating)
        yield* Fiber.interrupt(fiber)
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
        assert.deepStrictEqual(yield* said, ["before", "after"])
      }),
    )

    it.effect("say that writes may still be held back, and let them go on at the next attempt", () =>
      Effect.gen(function* () {
        const { actions, service, volumes } = yield* begun()
        const folder = yield* CloudPlace.folder
        const { quiesce, said } = yield* hook("true", `[ -e "${folder}/mended" ] || { echo no way >&2; exit 1; }`)
        const error = yield* Effect.flip(service.ebs.take({ volumes, record, quiesce }))
        assert.strictEqual(error._tag, "QuiesceFailed")
        assert.include(error.message, "ended with 1: no way; writes may still be held back: run it by hand")
        assert.isTrue(Option.isNone(yield* service.ebs.find({ volumes, record })))
        yield* Effect.promise(() => Fs.writeFile(join(folder, "mended"), ""))
        const taken = yield* service.ebs.take({ volumes, record, quiesce })
        assert.deepStrictEqual(yield* said, ["before", "after", "after"])
        assert.deepStrictEqual(yield* service.ebs.find({ volumes, record }), Option.some(taken))
        assert.strictEqual(creations(actions), 2)
      }),
    )

    it.effect("say both what failed and that writes may still be held back; the command after has a time too", () =>
      Effect.gen(function* () {
        const { service, volumes } = yield* begun((action, forward) =>
          action === "CreateSnapshot"
            ? Promise.resolve(CloudPlace.refusingEc2(400, "SnapshotLimitExceeded"))
            : forward(),
        )
        const { quiesce } = yield* hook("true", "sleep 600")
        const error = yield* Effect.flip(
          service.ebs.take({ volumes, record, quiesce: { ...quiesce, timeoutMillis: 500 } }),
        )
        assert.deepInclude(error, { _tag: "QuiesceFailed", when: "after" })
        assert.include(error.message, "did not end within 500 ms and was stopped; writes may still be held back")
        assert.include(error.message, "Before that: could not create a snapshot of vol-")
      }),
    )
  })
})
