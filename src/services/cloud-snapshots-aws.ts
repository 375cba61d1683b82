import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { StorageSection } from "../domain/config/storage.ts"
import * as AwsClient from "./aws-client.ts"
import { CloudSnapshots } from "./cloud-snapshots.ts"
import * as Ebs from "./cloud-snapshots-ebs.ts"
import * as Rds from "./cloud-snapshots-rds.ts"
import { Processes } from "./processes.ts"

/** Snapshots in AWS, or at the endpoint that the storage section names. */
export const layer = ({ aws = {} }: Pick<StorageSection, "aws">): Layer.Layer<CloudSnapshots, never, Processes> =>
  Layer.effect(
    CloudSnapshots,
    Effect.gen(function* () {
      const processes = yield* Processes
      return CloudSnapshots.of({
        rds: Rds.make(yield* AwsClient.rds(aws)),
        ebs: Ebs.make(yield* AwsClient.ec2(aws), processes),
      })
    }),
  )
