import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { CloudSnapshots } from "../../src/services/cloud-snapshots.ts"
import type { ProgressReport } from "../../src/services/progress.ts"
import * as CloudPlace from "../support/cloud-place.ts"
import { keys } from "../support/servers/aws.ts"

const record = "019a2b3c-run/backup"
const creations = (actions: ReadonlyArray<string>) => actions.filter((each) => each === "CreateDBSnapshot").length
const newIdentifier = () => `nightly-${crypto.randomUUID()}`

/** A new instance, an identifier, and the service behind a proxy. */
const begun = (handle: Parameters<typeof CloudPlace.through>[0] = CloudPlace.plain) =>
  Effect.gen(function* () {
    const { actions, place, service } = yield* CloudPlace.through(handle)
    return { actions, place, service, wanted: { instance: yield* place.instance, identifier: newIdentifier(), record } }
  })

const snapshotsOf = (place: CloudPlace.CloudPlace["Service"], instance: string) =>
  Effect.map(
    Effect.promise(() => place.rds.describeDBSnapshots({ DBInstanceIdentifier: instance, SnapshotType: "manual" })),
    ({ DBSnapshots = [] }) => DBSnapshots,
  )

const failure = (service: CloudSnapshots["Service"], taking: Parameters<CloudSnapshots["Service"]["rds"]["take"]>[0]) =>
  Effect.flip(service.rds.take(taking))

describe("a snapshot of a DB instance", () => {
  layer(CloudPlace.layer, { excludeTestServices: true })((it) => {
    it.effect("is made, described, tagged with its record, and found", () =>
      Effect.gen(function* () {
        const { place, service, wanted } = yield* begun()
        assert.isTrue(Option.isNone(yield* service.rds.find(wanted)))
        const taken = yield* service.rds.take({ ...wanted, tags: { team: "ml" } })
        const [there, ...others] = yield* snapshotsOf(place, wanted.instance)
        assert.deepStrictEqual(others, [])
        assert.deepStrictEqual(taken, {
          identifier: wanted.identifier,
          arn: there?.DBSnapshotArn ?? "none",
          instance: wanted.instance,
          status: "available",
          engine: "postgres",
          engineVersion: there?.EngineVersion ?? "none",
          allocatedGiB: 20,
          encrypted: false,
          created: there?.SnapshotCreateTime?.toISOString() ?? "none",
          record,
        })
        const tags = there?.TagList?.map(({ Key, Value }) => `${Key}=${Value}`).toSorted()
        assert.deepStrictEqual(tags, [`dandori:record=${record}`, "team=ml"])
        assert.deepStrictEqual(yield* service.rds.find(wanted), Option.some(taken))
        assert.isTrue(Option.isNone(yield* service.rds.find({ ...wanted, record: "another/backup" })))
      }),
    )

    it.effect("is not made a second time for the same identifier, in whatever case it is written", () =>
      Effect.gen(function* () {
        const { actions, place, service, wanted } = yield* begun()
        const first = yield* service.rds.take(wanted)
        const second = yield* service.rds.take({ ...wanted, identifier: wanted.identifier.toUpperCase() })
        assert.deepStrictEqual(second, first)
        assert.strictEqual(creations(actions), 1)
        assert.lengthOf(yield* snapshotsOf(place, wanted.instance), 1)
      }),
    )

    it.effect("is not made a second time when the answer to its creation is lost", () =>
      Effect.gen(function* () {
        let lost = 1
        const { actions, place, service, wanted } = yield* begun(async (action, forward) => {
          const answer = await forward()
          return action === "CreateDBSnapshot" && lost-- > 0 ? undefined : answer
        })
        assert.strictEqual((yield* service.rds.take(wanted)).status, "available")
        assert.strictEqual(creations(actions), 2)
        assert.lengthOf(yield* snapshotsOf(place, wanted.instance), 1)
      }),
    )

    it.effect("is refused where the identifier is another instance's, another record's, or nobody's of ours", () =>
      Effect.gen(function* () {
        const { actions, place, service, wanted } = yield* begun()
        yield* service.rds.take(wanted)
        const record = yield* failure(service, { ...wanted, record: "another/backup" })
        assert.include(record.message, "is of the record 019a2b3c-run/backup; choose another identifier")
        assert.strictEqual(record._tag, "CloudSnapshotRefused")
        const other = yield* failure(service, { ...wanted, instance: yield* place.instance })
        assert.include(other.message, `is of the instance ${wanted.instance}`)
        const theirs = newIdentifier()
        yield* Effect.promise(() =>
          place.rds.createDBSnapshot({ DBInstanceIdentifier: wanted.instance, DBSnapshotIdentifier: theirs }),
        )
        const manual = yield* failure(service, { ...wanted, identifier: theirs })
        assert.include(manual.message, "has no tag dandori:record, so others made it")
        assert.strictEqual(creations(actions), 1)
      }),
    )

    it.effect("is refused for an instance that is not there", () =>
      Effect.gen(function* () {
        const { service, wanted } = yield* begun()
        const error = yield* failure(service, { ...wanted, instance: "no-such-db" })
        assert.strictEqual(error._tag, "CloudFailed")
        assert.include(error.message, "could not create a DB snapshot of no-such-db: there is no such DB instance")
        assert.include(error.message, "correct storage.offsite.rds_instance")
        assert.deepInclude(error, { transient: false, notApplied: true })
      }),
    )

    it.effect("has its record in letters that RDS takes, and two records stay two", () =>
      Effect.gen(function* () {
        const { service, wanted } = yield* begun()
        const taken = yield* service.rds.take({ ...wanted, record: "run/backup[EURUSD]" })
        assert.match(taken.record, /^run\/backup_EURUSD_@[0-9a-f]{16}$/)
        assert.isTrue(Option.isSome(yield* service.rds.find({ ...wanted, record: "run/backup[EURUSD]" })))
        assert.isTrue(Option.isNone(yield* service.rds.find({ ...wanted, record: "run/backup(EURUSD)" })))
      }),
    )

    it.effect("is waited for, and says how far it is", () =>
      Effect.gen(function* () {
        let looks = 0
        const { service, wanted } = yield* begun(async (action, forward) => {
          const answer = await forward()
          if (action !== "DescribeDBSnapshots" || answer.status !== 200 || ++looks > 3) return answer
          const creating = "<Status>creating</Status><PercentProgress>40</PercentProgress>"
          return CloudPlace.rewritten(answer, "<Status>available</Status>", creating)
        })
        const reports: Array<ProgressReport> = []
        const onProgress = (report: ProgressReport) => Effect.sync(() => void reports.push(report))
        const taken = yield* service.rds.take({ ...wanted, onProgress })
        assert.strictEqual(taken.status, "available")
        assert.deepStrictEqual(
          reports.map(({ note }) => note?.replace(wanted.identifier, "it")),
          ["it is creating", "it is creating", "it is available"],
        )
        assert.strictEqual(reports.at(-1)?.done, 100)
        assert.strictEqual(reports[0]?.done, 40)
      }),
    )

    it.effect("that does not become available in time is waited for again by the next attempt", () =>
      Effect.gen(function* () {
        let isSlow = true
        const { actions, service, wanted } = yield* begun(async (_, forward) => {
          const answer = await forward()
          return isSlow ? CloudPlace.rewritten(answer, "<Status>available<", "<Status>creating<") : answer
        })
        const error = yield* failure(service, { ...wanted, deadlineMillis: 300 })
        assert.strictEqual(error._tag, "CloudSnapshotLate")
        assert.include(error.message, `${wanted.identifier} is creating after 300 ms: run this again`)
        assert.isTrue(Option.isNone(yield* service.rds.find(wanted)))
        isSlow = false
        assert.strictEqual((yield* service.rds.take(wanted)).status, "available")
        assert.strictEqual(creations(actions), 1)
      }),
    )

    it.effect("that fails is an error that says what to do, for each later attempt too", () =>
      Effect.gen(function* () {
        const { actions, service, wanted } = yield* begun(async (_, forward) =>
          CloudPlace.rewritten(await forward(), "<Status>available<", "<Status>failed<"),
        )
        for (let attempt = 1; attempt <= 2; attempt++) {
          const error = yield* failure(service, wanted)
          assert.strictEqual(error._tag, "CloudSnapshotFailed")
          assert.include(error.message, `The snapshot ${wanted.identifier} is failed: look at the events`)
          assert.include(error.message, `aws rds delete-db-snapshot --db-snapshot-identifier ${wanted.identifier}`)
        }
        assert.strictEqual(creations(actions), 1)
        assert.isTrue(Option.isNone(yield* service.rds.find(wanted)))
      }),
    )

    it.effect("that somebody deletes meanwhile is an error", () =>
      Effect.gen(function* () {
        let looks = 0
        const { service, wanted } = yield* begun(async (action, forward) => {
          const answer = await forward()
          if (action !== "DescribeDBSnapshots" || answer.status !== 200) return answer
          if (++looks > 2) return CloudPlace.refusing(404, "DBSnapshotNotFound")
          return CloudPlace.rewritten(answer, "<Status>available<", "<Status>creating<")
        })
        const error = yield* failure(service, wanted)
        assert.strictEqual(error._tag, "CloudSnapshotFailed")
        assert.include(error.message, "is gone: somebody deleted it")
      }),
    )

    it.effect("is asked for again after throttling and failures of the server, and after no other refusal", () =>
      Effect.gen(function* () {
        const answers = [
          CloudPlace.refusing(400, "Throttling", "Rate exceeded"),
          CloudPlace.refusing(503, "ServiceUnavailable"),
        ]
        const { actions, service, wanted } = yield* begun((action, forward) => {
          const answer = action === "CreateDBSnapshot" ? answers.shift() : undefined
          return answer === undefined ? forward() : Promise.resolve(answer)
        })
        const from = performance.now()
        assert.strictEqual((yield* service.rds.take(wanted)).status, "available")
        assert.strictEqual(creations(actions), 3)
        assert.isAtLeast(performance.now() - from, 200)
        answers.push(
          CloudPlace.refusing(400, "SnapshotQuotaExceeded"),
          CloudPlace.refusing(400, "InvalidParameterValue"),
        )
        const quota = yield* failure(service, { ...wanted, identifier: newIdentifier() })
        assert.include(quota.message, "the account has as many snapshots as it may: delete old ones")
        const odd = yield* failure(service, { ...wanted, identifier: newIdentifier() })
        assert.include(odd.message, "the server answers 400 no (InvalidParameterValue)")
        assert.deepInclude(odd, { transient: false, notApplied: true })
        assert.strictEqual(creations(actions), 5)
      }),
    )

    it.effect("fails for a passing reason when the server stays throttled, and nothing was made", () =>
      Effect.gen(function* () {
        const { actions, place, service, wanted } = yield* begun((action, forward) =>
          action === "CreateDBSnapshot" ? Promise.resolve(CloudPlace.refusing(400, "Throttling")) : forward(),
        )
        const error = yield* failure(service, wanted)
        assert.deepInclude(error, { _tag: "CloudFailed", transient: true, notApplied: true })
        assert.strictEqual(creations(actions), 4)
        assert.deepStrictEqual(yield* snapshotsOf(place, wanted.instance), [])
      }),
    )

    it.effect("is waited for through failures of the server", () =>
      Effect.gen(function* () {
        let looks = 0
        const { actions, service, wanted } = yield* begun(async (action, forward) => {
          if (action !== "DescribeDBSnapshots" || ++looks <= 2) return forward()
          // The look that begins the waiting shows it at work; the next is refused each of the four times it is sent.
          if (looks > 3) return looks > 7 ? forward() : CloudPlace.refusing(500, "InternalFailure")
          return CloudPlace.rewritten(await forward(), "<Status>available<", "<Status>creating<")
        })
        assert.strictEqual((yield* service.rds.take(wanted)).status, "available")
        assert.strictEqual(looks, 8)
        assert.strictEqual(creations(actions), 1)
      }),
    )

    const withEnvironment = <A, E, R>(values: Record<string, string | undefined>, use: Effect.Effect<A, E, R>) =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          const before = { ...process.env }
          for (const [name, value] of Object.entries(values)) {
            if (value === undefined) delete process.env[name]
            else process.env[name] = value
          }
          return before
        }),
        () => use,
        (before) =>
          Effect.sync(() => {
            for (const name of Object.keys(values)) delete process.env[name]
            Object.assign(process.env, before)
          }),
      )

    it.effect("is refused without credentials and without a region, and says what to set", () =>
      Effect.gen(function* () {
        const place = yield* CloudPlace.CloudPlace
        const wanted = { instance: "db", identifier: newIdentifier(), record }
        const message = (section: Parameters<typeof CloudPlace.opened>[0]) =>
          Effect.scoped(
            Effect.flatMap(CloudPlace.opened(section), (service) =>
              Effect.all([failure(service, wanted), Effect.flip(service.ebs.take({ tag: "none", record }))]),
            ),
          ).pipe(Effect.map((errors) => errors.map((error) => error.message)))
        const home = { AWS_EC2_METADATA_DISABLED: "true", HOME: yield* CloudPlace.folder }
        const { endpoint } = place
        const region = keys.AWS_REGION
        for (const said of yield* withEnvironment(
          { AWS_ACCESS_KEY_ID: undefined, ...home },
          message({ endpoint, region }),
        )) {
          assert.include(said, "there are no credentials: set AWS_ACCESS_KEY_ID")
        }
        const nowhere = { AWS_REGION: undefined, AWS_DEFAULT_REGION: undefined, ...home }
        for (const said of yield* withEnvironment(nowhere, message({ endpoint }))) {
          assert.include(said, "no region is configured: set storage.aws.region or AWS_REGION")
        }
      }),
    )

    it.effect("shows no key, whatever the server says", () =>
      Effect.gen(function* () {
        const { service, wanted } = yield* begun(() =>
          Promise.resolve(CloudPlace.refusing(400, "Odd", "the key testing, Signature=abc0123")),
        )
        const { message } = yield* failure(service, wanted)
        assert.include(message, "answers 400")
        assert.notMatch(message, /testing|abc0123/)
      }),
    )

    it.effect("waits no longer for an answer than it may, and says where there is none", () =>
      Effect.gen(function* () {
        const wanted = { instance: "db", identifier: newIdentifier(), record }
        const { url } = yield* CloudPlace.silent
        const silent = yield* CloudPlace.opened({ endpoint: url, region: keys.AWS_REGION, request_timeout: "100ms" })
        const late = yield* failure(silent, wanted)
        assert.include(
          late.message,
          "no answer within 100 ms; look at the network, or raise storage.aws.request_timeout",
        )
        const closed = yield* CloudPlace.opened({ endpoint: "http://127.0.0.1:1", region: keys.AWS_REGION })
        const error = yield* failure(closed, wanted)
        assert.include(error.message, "look at the network and at storage.aws.endpoint")
        assert.deepInclude(error, { transient: true, notApplied: true })
      }),
    )
  })
})
