import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Ec2 from "@aws-sdk/client-ec2"
import * as Rds from "@aws-sdk/client-rds"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { AwsSection } from "../../src/domain/config/storage.ts"
import * as CloudSnapshotsAws from "../../src/services/cloud-snapshots-aws.ts"
import { CloudSnapshots } from "../../src/services/cloud-snapshots.ts"
import * as Processes from "../../src/services/processes-local.ts"
import * as HttpProxy from "./http-proxy.ts"
import { keys } from "./servers/aws.ts"
import { awsEndpoint } from "./servers/scoped.ts"

/** RDS and EC2 for a test, and clients of them that know nothing of ours. */
export class CloudPlace extends Context.Service<
  CloudPlace,
  {
    readonly endpoint: string
    readonly rds: Rds.RDS
    readonly ec2: Ec2.EC2
    /** A new DB instance. */
    readonly instance: Effect.Effect<string>
    /** A new volume with a tag `Name`. */
    readonly volume: (name: string) => Effect.Effect<string>
  }
>()("test/CloudPlace") {}

/** One server for all tests of a layer. */
export const layer = Layer.effect(
  CloudPlace,
  Effect.map(awsEndpoint, (endpoint) => {
    for (const [name, value] of Object.entries(keys)) process.env[name] = value
    const rds = new Rds.RDS({ endpoint, region: keys.AWS_REGION })
    const ec2 = new Ec2.EC2({ endpoint, region: keys.AWS_REGION })
    return {
      endpoint,
      rds,
      ec2,
      instance: Effect.promise(async () => {
        const DBInstanceIdentifier = `db-${crypto.randomUUID()}`
        await rds.createDBInstance({
          DBInstanceIdentifier,
          DBInstanceClass: "db.t3.micro",
          Engine: "postgres",
          AllocatedStorage: 20,
          MasterUsername: "owner",
          MasterUserPassword: "not-a-secret",
        })
        return DBInstanceIdentifier
      }),
      volume: (name) =>
        Effect.promise(async () => {
          const { VolumeId = "" } = await ec2.createVolume({
            AvailabilityZone: `${keys.AWS_REGION}a`,
            Size: 8,
            TagSpecifications: [{ ResourceType: "volume", Tags: [{ Key: "Name", Value: name }] }],
          })
          return VolumeId
        }),
    }
  }),
)

/** A folder as long as the scope. */
export const folder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori-cloud-"))),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true, force: true })),
)

/** The service by a configuration. */
export const opened = (section: AwsSection) =>
  Effect.gen(function* () {
    const processes = Processes.layer({ folder: yield* folder })
    const made = yield* Layer.build(
      Layer.fresh(CloudSnapshotsAws.layer({ aws: section }).pipe(Layer.provide(processes))),
    )
    return Context.get(made, CloudSnapshots)
  })

/** The service, with a proxy between that does so with each request. `actions` are those that came. */
export const through = (
  handle: (action: string, forward: () => Promise<HttpProxy.Answer>) => Promise<HttpProxy.Answer | undefined>,
) =>
  Effect.gen(function* () {
    const place = yield* CloudPlace
    const actions: Array<string> = []
    const { url } = yield* HttpProxy.start(place.endpoint, ({ body }, forward) => {
      const action = new URLSearchParams(body.toString()).get("Action") ?? ""
      actions.push(action)
      return handle(action, forward)
    })
    return {
      place,
      actions,
      service: yield* opened({ endpoint: url, region: keys.AWS_REGION, request_timeout: "20s" }),
    }
  })

/** Requests go on as they are. */
export const plain = (_: string, forward: () => Promise<HttpProxy.Answer>) => forward()

/** An answer of RDS that refuses. */
export const refusing = (status: number, code: string, message = "no"): HttpProxy.Answer => ({
  status,
  headers: { "content-type": "text/xml" },
  body: Buffer.from(
    `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>1</RequestId></ErrorResponse>`,
  ),
})

/** An answer of EC2 that refuses. */
export const refusingEc2 = (status: number, code: string, message = "no"): HttpProxy.Answer => ({
  status,
  headers: { "content-type": "text/xml" },
  body: Buffer.from(
    `<Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>1</RequestID></Response>`,
  ),
})

/** An answer of the server with words in it replaced. */
export const rewritten = (answer: HttpProxy.Answer, from: string, to: string): HttpProxy.Answer => {
  const body = Buffer.from(answer.body.toString().replaceAll(from, to))
  return { ...answer, body, headers: { ...answer.headers, "content-length": String(body.length) } }
}

/** A server that never answers. */
export const silent = HttpProxy.start("http://127.0.0.1:1", () => new Promise(() => {}))
