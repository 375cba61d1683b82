import * as Effect from "effect/Effect"
import { parseDuration } from "../../src/domain/quantity.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { CloudSnapshots, type Quiesce } from "../../src/services/cloud-snapshots.ts"
import { Progress } from "../../src/services/progress.ts"
import { Settings } from "../../src/services/settings.ts"
import { ServiceMissing } from "../../src/services/snapshot-databases.ts"
import type { LeftOut, Resources } from "../../src/services/snapshot-manifest.ts"
import type { Input, Target } from "./schema.ts"

type CloudTarget = Extract<Target, { readonly kind: "rds" | "ebs" }>

/** A target whose bytes stay in the cloud. */
export const isCloud = (target: Target): target is CloudTarget => target.kind === "rds" || target.kind === "ebs"

/** What is asked of the cloud. */
export interface Chosen {
  readonly rds: ReadonlyArray<{ readonly instance: string; readonly prefix: string }>
  readonly ebs: ReadonlyArray<{ readonly tag: string; readonly quiesce?: Quiesce }>
  readonly left: ReadonlyArray<LeftOut>
}

const quiesceOf = (target: Extract<CloudTarget, { readonly kind: "ebs" }>): { readonly quiesce?: Quiesce } => {
  if (target.quiesce === undefined) return {}
  const { after, before, timeout } = target.quiesce
  const timeoutMillis = timeout === undefined ? undefined : parseDuration(timeout)
  return { quiesce: { before, after, ...(timeoutMillis === undefined ? {} : { timeoutMillis }) } }
}

/** The instances and volumes that an input means, and what this environment has none of. */
export const choose = Effect.fnUntraced(function* (input: Input) {
  const offsite = (yield* Settings).sections.storage.offsite
  const left: Array<LeftOut> = []
  const rds: Array<Chosen["rds"][number]> = []
  const ebs: Array<Chosen["ebs"][number]> = []
  for (const target of input.targets.filter(isCloud)) {
    const what = target.kind === "rds" ? (target.instance ?? offsite?.rds_instance) : (target.tag ?? offsite?.ebs_tag)
    if (what === undefined) {
      const setting = `storage.offsite.${target.kind === "rds" ? "rds_instance" : "ebs_tag"} is not set`
      if (target.ifThere !== true) return yield* new ServiceMissing({ kind: target.kind, setting })
      left.push({ kind: target.kind, reason: setting })
    } else if (target.kind === "rds") rds.push({ instance: what, prefix: offsite?.rds_snapshot_prefix ?? what })
    else ebs.push({ tag: what, ...quiesceOf(target) })
  }
  return { rds, ebs, left }
})

/** An identifier as RDS wants it: small letters, digits and single hyphens. */
const identifierOf = (prefix: string, snapshot: string) =>
  `${prefix}-${snapshot}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")

/** Takes them all and waits until they are whole; what an earlier attempt has begun is waited for. */
export const take = Effect.fnUntraced(function* ({ ebs, rds }: Chosen, snapshot: string) {
  if (rds.length + ebs.length === 0) return undefined
  const cloud = yield* CloudSnapshots
  const progress = yield* Progress
  const { idempotencyKey: record } = yield* Attempt
  const taking = { record, tags: { "dandori:snapshot": snapshot }, onProgress: progress.report }
  const instances = Effect.forEach(rds, ({ instance, prefix }) =>
    cloud.rds.take({ instance, identifier: identifierOf(prefix, snapshot), ...taking }),
  )
  const volumes = Effect.forEach(ebs, (asked) => cloud.ebs.take({ ...asked, ...taking }))
  const [made, groups] = yield* Effect.all([instances, volumes], { concurrency: "unbounded" })
  const resources: Resources = { rds: made, ebs: groups.flat() }
  return resources
})
