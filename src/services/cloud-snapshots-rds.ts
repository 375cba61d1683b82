import type { DBSnapshot, RDS } from "@aws-sdk/client-rds"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { AwsClient } from "./aws-client.ts"
import { unsaid } from "./cloud-errors.ts"
import { type Look, recordTag, tagOf, tagsOf, tagValue, untilWhole } from "./cloud-snapshot-wait.ts"
import {
  CloudSnapshotFailed,
  CloudSnapshotRefused,
  type CloudSnapshots,
  type RdsPlace,
  type RdsSnapshot,
} from "./cloud-snapshots.ts"

const hasFailed = (status: string) => /fail|error|incompatible|delet/.test(status)

const described = (snapshot: DBSnapshot, { identifier, instance }: RdsPlace, record: string) => {
  const { AllocatedStorage, DBSnapshotArn, Encrypted, Engine, EngineVersion, SnapshotCreateTime } = snapshot
  if (DBSnapshotArn === undefined || Engine === undefined || AllocatedStorage === undefined || !SnapshotCreateTime) {
    return Effect.fail(unsaid("look at a DB snapshot", "its ARN, engine, storage and time"))
  }
  return Effect.succeed<RdsSnapshot>({
    identifier,
    arn: DBSnapshotArn,
    instance,
    status: "available",
    engine: Engine,
    engineVersion: EngineVersion ?? "",
    allocatedGiB: AllocatedStorage,
    encrypted: Encrypted ?? false,
    created: SnapshotCreateTime.toISOString(),
    record,
  })
}

/** Why a snapshot that has the identifier is not the one that is meant. */
const strangeness = (snapshot: DBSnapshot, { instance }: RdsPlace, record: string): string | undefined => {
  if (snapshot.DBInstanceIdentifier?.toLowerCase() !== instance.toLowerCase()) {
    return `is of the instance ${snapshot.DBInstanceIdentifier}`
  }
  const found = tagOf(snapshot.TagList, recordTag)
  if (found === record) return undefined
  return found === undefined ? `has no tag ${recordTag}, so others made it` : `is of the record ${found}`
}

/** Snapshots of DB instances, by RDS. */
export const make = ({ call }: AwsClient<RDS>): CloudSnapshots["Service"]["rds"] => {
  const look = (place: RdsPlace) =>
    call(`look at the DB snapshot ${place.identifier}`, (rds, http) =>
      rds.describeDBSnapshots({ DBSnapshotIdentifier: place.identifier }, http),
    ).pipe(
      Effect.map(({ DBSnapshots }) => Option.fromUndefinedOr(DBSnapshots?.[0])),
      Effect.catchIf(
        ({ code }) => code === "DBSnapshotNotFound",
        () => Effect.succeed(Option.none<DBSnapshot>()),
      ),
    )
  const create = (place: RdsPlace, record: string, tags: Readonly<Record<string, string>>) =>
    call(`create a DB snapshot of ${place.instance}`, (rds, http) =>
      rds.createDBSnapshot(
        {
          DBInstanceIdentifier: place.instance,
          DBSnapshotIdentifier: place.identifier,
          Tags: tagsOf({ ...tags, [recordTag]: record }),
        },
        http,
      ),
    ).pipe(
      Effect.asVoid,
      // Made by a request whose answer was lost, or by somebody else: what is there is looked at next.
      Effect.catchIf(
        ({ code }) => code === "DBSnapshotAlreadyExists",
        () => Effect.void,
      ),
    )
  const small = (place: RdsPlace): RdsPlace => ({ ...place, identifier: place.identifier.toLowerCase() })

  const take: CloudSnapshots["Service"]["rds"]["take"] = ({ tags = {}, ...taking }) =>
    Effect.gen(function* () {
      const place = small(taking)
      const record = tagValue(taking.record)
      const { identifier, instance } = place
      const refuse = (snapshot: DBSnapshot) => {
        const problem = strangeness(snapshot, place, record)
        const reason = `the snapshot ${identifier} is there already and ${problem}; choose another identifier (storage.offsite.rds_snapshot_prefix)`
        return problem === undefined
          ? Effect.void
          : Effect.fail(new CloudSnapshotRefused({ what: `the DB instance ${instance}`, reason }))
      }
      const before = yield* look(place)
      if (Option.isNone(before)) yield* create(place, record, tags)
      const now = Option.isSome(before) ? before : yield* look(place)
      if (Option.isSome(now)) yield* refuse(now.value)
      const lookAgain = Effect.gen(function* () {
        const found = yield* look(place)
        if (Option.isNone(found)) return Option.none<Look<RdsSnapshot>>()
        const { Status = "unknown" } = found.value
        const percent = Status === "available" ? 100 : (found.value.PercentProgress ?? 0)
        if (hasFailed(Status)) {
          const reason = `look at the events of ${instance} (aws rds describe-events), delete the snapshot (aws rds delete-db-snapshot --db-snapshot-identifier ${identifier}), then run this again`
          return yield* new CloudSnapshotFailed({ snapshot: identifier, status: Status, reason })
        }
        const whole =
          Status === "available"
            ? Option.some(yield* described(found.value, place, record))
            : Option.none<RdsSnapshot>()
        return Option.some<Look<RdsSnapshot>>({ status: Status, percent, whole })
      })
      return yield* untilWhole(identifier, lookAgain, taking)
    }).pipe(Effect.withSpan("CloudSnapshots.rds.take"))

  const find: CloudSnapshots["Service"]["rds"]["find"] = (wanted) =>
    Effect.gen(function* () {
      const place = small(wanted)
      const record = tagValue(wanted.record)
      const found = yield* look(place)
      if (Option.isNone(found) || found.value.Status !== "available") return Option.none()
      if (strangeness(found.value, place, record) !== undefined) return Option.none()
      return Option.some(yield* described(found.value, place, record))
    })
  return { take, find }
}
