import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { StorageSection } from "../domain/config/storage.ts"
import { CloudSnapshots } from "./cloud-snapshots.ts"
import { Processes } from "./processes.ts"

/** Snapshots in AWS, or at the endpoint that the storage section names. What it takes is imported with the first one. */
export const layer = ({ aws = {} }: Pick<StorageSection, "aws">): Layer.Layer<CloudSnapshots, never, Processes> =>
  Layer.effect(
    CloudSnapshots,
    Effect.gen(function* () {
      const processes = yield* Processes
      const scope = yield* Effect.scope
      const both = yield* Effect.cached(
        Effect.gen(function* () {
          const [AwsClient, Ebs, Rds] = yield* Effect.promise(() =>
            Promise.all([
              import("./aws-client.ts"),
              import("./cloud-snapshots-ebs.ts"),
              import("./cloud-snapshots-rds.ts"),
            ]),
          )
          return { rds: Rds.make(yield* AwsClient.rds(aws)), ebs: Ebs.make(yield* AwsClient.ec2(aws), processes) }
        }).pipe(Scope.provide(scope), Effect.uninterruptible),
      )
      return CloudSnapshots.of({
        rds: {
          take: (taking) => Effect.flatMap(both, ({ rds }) => rds.take(taking)),
          find: (wanted) => Effect.flatMap(both, ({ rds }) => rds.find(wanted)),
        },
        ebs: {
          take: (taking) => Effect.flatMap(both, ({ ebs }) => ebs.take(taking)),
          find: (wanted) => Effect.flatMap(both, ({ ebs }) => ebs.find(wanted)),
        },
      })
    }),
  )
