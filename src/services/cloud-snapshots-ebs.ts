import type { EC2, Snapshot } from "@aws-sdk/client-ec2"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { AwsClient } from "./aws-client.ts"
import { type CloudFailed, unsaid } from "./cloud-errors.ts"
import { type Look, recordTag, tagOf, tagsOf, tagValue, untilWhole } from "./cloud-snapshot-wait.ts"
import {
  CloudSnapshotFailed,
  CloudSnapshotRefused,
  type CloudSnapshots,
  type EbsSnapshot,
  type Volumes,
} from "./cloud-snapshots.ts"
import type { Processes } from "./processes.ts"
import * as Quiesce from "./quiesce.ts"
import { patiently } from "./s3-client.ts"

/** `held` from the moment that a snapshot is begun with writes held back, `released` when they were let go on. */
const quiesceTag = "dandori:quiesce"
/** A filter of EC2 takes no more values than 200; more volumes than this are a wrong tag. */
const mostVolumes = 100

/** Calls for all pages of a list. */
const allPages = <A>(
  page: (token: string | undefined) => Effect.Effect<readonly [items: Array<A>, next: string | undefined], CloudFailed>,
) =>
  Effect.gen(function* () {
    const all: Array<A> = []
    let token: string | undefined
    do {
      const [items, next] = yield* page(token)
      all.push(...items)
      token = next === "" ? undefined : next
    } while (token !== undefined)
    return all
  })

const after = (token: string | undefined) => (token === undefined ? {} : { NextToken: token })

const described = (snapshot: Snapshot, record: string) => {
  const { Encrypted, SnapshotId, StartTime, VolumeId, VolumeSize } = snapshot
  if (SnapshotId === undefined || VolumeId === undefined || VolumeSize === undefined || StartTime === undefined) {
    return Effect.fail(unsaid("look at a snapshot", "its id, volume, size and time"))
  }
  return Effect.succeed<EbsSnapshot>({
    id: SnapshotId,
    volume: VolumeId,
    status: "completed",
    sizeGiB: VolumeSize,
    encrypted: Encrypted ?? false,
    started: StartTime.toISOString(),
    record,
    quiesced: tagOf(snapshot.Tags, quiesceTag) !== undefined,
  })
}

const isHeld = (snapshot: Snapshot) => tagOf(snapshot.Tags, quiesceTag) === "held"
const percentOf = ({ Progress = "" }: Snapshot) => Number.parseInt(Progress, 10) || 0
const time = ({ StartTime }: Snapshot) => StartTime?.getTime() ?? 0

/** Snapshots of volumes, by EC2. */
export const make = (
  { call, once }: AwsClient<EC2>,
  processes: Processes["Service"],
): CloudSnapshots["Service"]["ebs"] => {
  const idsOf = (wanted: Volumes) =>
    Effect.gen(function* () {
      const byTag = "tag" in wanted
      const tag = byTag ? /^(?:([^=]+)=)?(.*)$/s.exec(wanted.tag) : null
      const what = byTag ? `volumes with the tag ${wanted.tag}` : "no volumes"
      const refuse = (reason: string) => new CloudSnapshotRefused({ what, reason })
      if (!byTag && wanted.volumes.length === 0) return yield* refuse("no volume is named")
      const selected = byTag
        ? {
            Filters: [
              { Name: `tag:${tag?.[1] ?? "Name"}`, Values: [tag?.[2] ?? ""] },
              { Name: "status", Values: ["available", "in-use"] },
            ],
          }
        : { VolumeIds: [...new Set(wanted.volumes)] }
      const volumes = yield* allPages((token) =>
        call("look for volumes", (ec2, http) => ec2.describeVolumes({ ...selected, ...after(token) }, http)).pipe(
          Effect.map(({ NextToken, Volumes = [] }) => [Volumes, NextToken] as const),
        ),
      )
      const ids = volumes.flatMap(({ VolumeId }) => VolumeId ?? []).toSorted()
      if (ids.length === 0) {
        return yield* refuse("there is none in this region: correct storage.offsite.ebs_tag or storage.aws.region")
      }
      if (ids.length > mostVolumes) {
        return yield* refuse(
          `there are ${ids.length}, at most ${mostVolumes} are taken together: choose a narrower tag`,
        )
      }
      return ids
    })

  /** The snapshots that a record has made of volumes, by the volume: the first of each. */
  const made = (volumes: ReadonlyArray<string>, record: string) =>
    allPages((token) =>
      call("look for snapshots", (ec2, http) =>
        ec2.describeSnapshots(
          {
            OwnerIds: ["self"],
            Filters: [
              { Name: `tag:${recordTag}`, Values: [record] },
              { Name: "volume-id", Values: [...volumes] },
            ],
            ...after(token),
          },
          http,
        ),
      ).pipe(Effect.map(({ NextToken, Snapshots = [] }) => [Snapshots, NextToken] as const)),
    ).pipe(
      Effect.map(
        (found) => new Map(found.toSorted((x, y) => time(y) - time(x)).map((each) => [each.VolumeId ?? "", each])),
      ),
    )

  /** Begins one. EC2 takes no identifier of ours, so after a request whose answer was lost it is looked for first. */
  const begin = (volume: string, record: string, tags: Readonly<Record<string, string>>) => {
    let mayExist = false
    const create = once(`create a snapshot of ${volume}`, (ec2, http) =>
      ec2.createSnapshot(
        {
          VolumeId: volume,
          Description: `dandori ${record}`.slice(0, 255),
          TagSpecifications: [{ ResourceType: "snapshot", Tags: tagsOf({ ...tags, [recordTag]: record }) }],
        },
        http,
      ),
    ).pipe(
      Effect.asVoid,
      Effect.tapError((error) => Effect.sync(() => void (mayExist ||= !error.notApplied))),
    )
    return patiently(
      Effect.suspend(() =>
        mayExist
          ? Effect.flatMap(made([volume], record), (found) => (found.has(volume) ? Effect.void : create))
          : create,
      ),
    )
  }

  const markReleased = (snapshots: Iterable<Snapshot>) => {
    const Resources = [...snapshots].filter(isHeld).flatMap(({ SnapshotId }) => SnapshotId ?? [])
    if (Resources.length === 0) return Effect.void
    return Effect.asVoid(
      call("tag snapshots", (ec2, http) =>
        ec2.createTags({ Resources, Tags: tagsOf({ [quiesceTag]: "released" }) }, http),
      ),
    )
  }

  const wholeOf = (volumes: ReadonlyArray<string>, found: ReadonlyMap<string, Snapshot>, record: string) =>
    Effect.gen(function* () {
      const snapshots = volumes.flatMap((volume) => found.get(volume) ?? [])
      if (snapshots.length < volumes.length) return Option.none<Look<ReadonlyArray<EbsSnapshot>>>()
      for (const { SnapshotId = "", State = "", StateMessage = "" } of snapshots) {
        if (State !== "pending" && State !== "completed") {
          const reason = `${StateMessage === "" ? "" : `${StateMessage}; `}delete it (aws ec2 delete-snapshot --snapshot-id ${SnapshotId}), then run this again`
          return yield* new CloudSnapshotFailed({ snapshot: SnapshotId, status: State, reason })
        }
      }
      const open = snapshots.filter(({ State }) => State !== "completed").length
      return Option.some<Look<ReadonlyArray<EbsSnapshot>>>({
        status: open === 0 ? "completed" : "pending",
        percent: snapshots.reduce((sum, each) => sum + percentOf(each), 0) / snapshots.length,
        whole:
          open === 0
            ? Option.some(yield* Effect.forEach(snapshots, (each) => described(each, record)))
            : Option.none<ReadonlyArray<EbsSnapshot>>(),
      })
    })

  const take: CloudSnapshots["Service"]["ebs"]["take"] = ({ quiesce, tags = {}, ...taking }) =>
    Effect.gen(function* () {
      const record = tagValue(taking.record)
      const volumes = yield* idsOf(taking)
      const before = yield* made(volumes, record)
      const missing = volumes.filter((volume) => !before.has(volume))
      const marks = quiesce === undefined ? tags : { ...tags, [quiesceTag]: "held" }
      const beginAll = Effect.forEach(missing, (volume) => begin(volume, record, marks), { concurrency: 8 })
      if (quiesce === undefined) yield* beginAll
      else if (missing.length > 0) yield* Quiesce.holding(processes, quiesce, beginAll)
      else if ([...before.values()].some(isHeld)) yield* Quiesce.release(processes, quiesce)
      const look = Effect.flatMap(made(volumes, record), (found) => wholeOf(volumes, found, record))
      const whole = yield* untilWhole(`of ${volumes.join(", ")}`, look, taking)
      if (quiesce !== undefined) yield* markReleased((yield* made(volumes, record)).values())
      return whole
    }).pipe(Effect.withSpan("CloudSnapshots.ebs.take"))

  const find: CloudSnapshots["Service"]["ebs"]["find"] = (wanted) =>
    Effect.gen(function* () {
      const record = tagValue(wanted.record)
      const volumes = yield* idsOf(wanted)
      const found = yield* made(volumes, record)
      if ([...found.values()].some(isHeld)) return Option.none()
      const look = yield* Effect.catchTag(wholeOf(volumes, found, record), "CloudSnapshotFailed", () =>
        Effect.succeed(Option.none<Look<ReadonlyArray<EbsSnapshot>>>()),
      )
      return Option.flatMap(look, ({ whole }) => whole)
    })
  return { take, find }
}
