import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori, project } from "./evidence-project.ts"

// A machine without credentials of AWS, wherever the tests run.
for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"]) delete process.env[name]
process.env.AWS_EC2_METADATA_DISABLED = "true"
process.env.AWS_SHARED_CREDENTIALS_FILE = "/dev/null"
process.env.AWS_CONFIG_FILE = "/dev/null"

/** A project whose environment has servers, and on this machine none of the secrets to reach them. */
const withoutSecrets = (files: Readonly<Record<string, string>>) =>
  Effect.tap(project, (folder) =>
    Effect.promise(async () => {
      for (const [name, text] of Object.entries(files)) {
        await Fs.writeFile(join(folder, `configs/envs/dev/${name}.yaml`), text)
      }
    }),
  )

const database = { database: "backend: postgres\ndsn: ${env:DANDORI_NO_DSN}\n" }
const offsite = `s3: { endpoint: 'http://127.0.0.1:1', region: us-east-1, path_style: true }
offsite:
  bucket: \${env:DANDORI_NO_BUCKET}
  worm_location: s3://audit/worm
  storage_class: STANDARD
  rds_instance: none
  rds_snapshot_prefix: none
  ebs_tag: none
`

const cases: ReadonlyArray<
  readonly [files: Readonly<Record<string, string>>, says: string, ...calls: ReadonlyArray<ReadonlyArray<string>>]
> = [
  [
    { messaging: "backend: redis\nurl: ${env:DANDORI_NO_REDIS}\n" },
    "DANDORI_NO_REDIS",
    ["ops", "status"],
    ["ops", "halt", "--reason", "no"],
    ["ops", "halt-pairs", "EURUSD-GBPUSD", "--reason", "no"],
    ["ops", "resume", "--reason", "no"],
  ],
  [database, "DANDORI_NO_DSN", ["model", "list"], ["model", "show", "v1"]],
  [
    { ...database, ledger: "store: postgres\n" },
    "DANDORI_NO_DSN",
    ["ledger", "show", "system"],
    ["runs", "list"],
    ["ops", "set-leverage", "0.5", "--reason", "no", "--yes"],
    ["run", "nothing.yaml"],
  ],
  [{ storage: offsite }, "AWS_ACCESS_KEY_ID", ["worm", "probe"], ["worm", "verify", "s3://audit/worm"]],
  [
    {
      exporters:
        "exporters:\n  - { name: away, kind: otlp, url: 'http://127.0.0.1:1', headers: { Authorization: '${env:DANDORI_NO_HEADER}' } }\n",
    },
    "DANDORI_NO_HEADER",
    ["ledger", "send"],
  ],
]

const nothing = "version: 1\nid: nothing\ntasks:\n  a: { uses: command, with: { argv: ['true'] } }\n"

describe("a command that needs a secret which is not there", () => {
  for (const [files, says, ...calls] of cases) {
    it.live(`ends with 78 and names ${says}: ${calls.map((words) => words.slice(0, 2).join(" ")).join(", ")}`, () =>
      Effect.gen(function* () {
        const folder = yield* withoutSecrets(files)
        yield* Effect.promise(() => Fs.writeFile(join(folder, "nothing.yaml"), nothing))
        // Something to send.
        if (says === "DANDORI_NO_HEADER") yield* dandori(folder, "run", "nothing.yaml")
        for (const words of calls) {
          const { code, err, out } = yield* dandori(folder, ...words)
          assert.strictEqual(code, 78, `${words.join(" ")}: ${out}${err}`)
          assert.include(err, says, words.join(" "))
        }
      }).pipe(Effect.scoped),
    )
  }
})
