import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori } from "../../../cli/evidence-project.ts"
import * as S3Place from "../../../support/s3-place.ts"
import * as Install from "../../../support/servers/install.ts"
import * as Place from "../incident/incident-place.ts"
import * as Made from "./made-bundle.ts"

/** An evacuation to a bucket, and a project whose configuration knows its server. */
const evacuated = Effect.gen(function* () {
  const { bucket: newBucket, section, ...place } = yield* S3Place.S3Place
  const bucket = yield* newBucket()
  const made = yield* Made.evacuated({ location: `s3://${bucket}/core/ml`, s3: section })
  const project = join(made.root, "project")
  yield* Effect.promise(() =>
    Fs.cp(join(import.meta.dirname, "../../../../configs"), join(project, "configs"), { recursive: true }),
  )
  yield* Effect.promise(() =>
    Fs.appendFile(
      join(project, "configs/base/storage.yaml"),
      `s3: { endpoint: "${place.endpoint}", path_style: true, region: us-east-1 }\n`,
    ),
  )
  return { ...made, ...place, bucket, project }
})

describe("the bundles of an incident in a bucket", () => {
  layer(S3Place.layer, { excludeTestServices: true })((it) => {
    it.effect("are fetched and checked by hand with the commands of their READMEs", () =>
      Effect.gen(function* () {
        const { bucket, endpoint, root, sdk } = yield* evacuated
        const python = yield* Effect.promise(() => Install.python("awscli-1.45.11", ["awscli==1.45.11"]))
        const aws = `aws() { "${python}/python" "${python}/aws" --endpoint-url ${endpoint} "$@"; }`
        const prefixes = [`core/ml/incidents/${Place.incident.id}/evidence`, "core/ml/snapshots/20261127T031400Z"]
        for (const [at, prefix] of prefixes.entries()) {
          const readme = yield* Effect.promise(() =>
            sdk.getObject({ Bucket: bucket, Key: `${prefix}/README.md` }).then(({ Body }) => Body?.transformToString()),
          )
          const elsewhere = join(root, `elsewhere ${at}`)
          yield* Effect.promise(() => Fs.mkdir(elsewhere))
          const said = yield* Place.byHand(elsewhere, readme ?? "", [aws])
          assert.strictEqual(said.code, 0, said.err)
          assert.strictEqual(said.out.match(/Signature Verified Successfully/g)?.length, 2)
        }
      }),
    )

    it.effect("are verified where they lie, and where somebody has put another version over an object", () =>
      Effect.gen(function* () {
        const { bucket, folder, project, sdk } = yield* evacuated
        const location = `s3://${bucket}/core/ml`
        const verify = (...words: ReadonlyArray<string>) => dandori(project, "evacuate", "verify", ...words)
        const whole = yield* verify(location, "--incident", Place.incident.id)
        assert.strictEqual(whole.code, 0, whole.out + whole.err)
        assert.strictEqual(whole.out.match(/^whole /gm)?.length, 2)
        const evidence = `core/ml/incidents/${Place.incident.id}/evidence`
        yield* Effect.promise(() =>
          sdk.putObject({ Bucket: bucket, Key: `${evidence}/logs/train.log`, Body: "epoch 9\nepoch 2\n" }),
        )
        const altered = yield* verify(`s3://${bucket}/${evidence}`)
        assert.strictEqual(altered.code, 10, altered.out + altered.err)
        assert.match(altered.out, /altered +logs\/train\.log +its SHA-256 is/)
        yield* Effect.promise(() => sdk.deleteObject({ Bucket: bucket, Key: `${evidence}/logs/train.log` }))
        assert.strictEqual((yield* verify(folder.path)).code, 13)
      }),
    )
  })
})
