import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Fc from "fast-check"
import * as Secrets from "../../src/services/secrets.ts"

const project = mkdtempSync(join(tmpdir(), "dandori-secrets-"))
writeFileSync(join(project, "token"), "from-a-file\n")
writeFileSync(join(project, "empty"), "\n")
writeFileSync(
  join(project, "key.pem"),
  "-----BEGIN KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\nsecondlineofkey\n-----END KEY-----\n",
)

const withSecrets = <A, E>(
  environment: Record<string, string>,
  use: (secrets: Secrets.Secrets["Service"]) => Effect.Effect<A, E>,
) =>
  Effect.gen(function* () {
    return yield* use(yield* Secrets.Secrets)
  }).pipe(Effect.provide(Secrets.layer({ project, environment })))

describe("Secrets.resolve", () => {
  it.effect("reads the environment and files, without the file's last line break", () =>
    withSecrets({ TOKEN: "abc def" }, (secrets) =>
      Effect.gen(function* () {
        const fromEnv = yield* secrets.resolve("${env:TOKEN}")
        const fromFile = yield* secrets.resolve("${file:token}")
        assert.strictEqual(Redacted.value(fromEnv), "abc def")
        assert.strictEqual(Redacted.value(fromFile), "from-a-file")
        assert.notInclude(`${String(fromEnv)} ${JSON.stringify(fromFile)}`, "abc")
      }),
    ),
  )

  for (const [reference, advice] of [
    ["${env:NOT_SET}", "set the environment variable NOT_SET"],
    ["${env:EMPTY}", "set the environment variable EMPTY"],
    ["${file:absent}", "it does not exist"],
    ["${file:empty}", "write the secret into it"],
    ["hunter2", "${env:NAME}"],
  ]) {
    it.effect(`says what to do when ${reference} gives nothing`, () =>
      withSecrets({ EMPTY: "" }, (secrets) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(secrets.resolve(reference))
          assert.instanceOf(error, Secrets.SecretMissing)
          assert.include(error.message, advice)
          assert.notInclude(error.message, "hunter2")
        }),
      ),
    )
  }
})

describe("Secrets.redact", () => {
  it.effect("names each secret that was resolved, and leaves others alone", () =>
    withSecrets({ A: "alpha", B: "beta" }, (secrets) =>
      Effect.gen(function* () {
        yield* secrets.resolve("${env:A}")
        assert.strictEqual(secrets.redact("alpha beta alpha"), "[secret A] beta [secret A]")
        yield* secrets.resolve("${env:B}")
        assert.strictEqual(secrets.redact("alpha beta"), "[secret A] [secret B]")
      }),
    ),
  )

  it.effect("finds the password of a URL, encodings, and the lines of a key", () =>
    withSecrets({ DSN: "postgres://user:p%40ss/word@db:5432/x".replace("/word", "word") }, (secrets) =>
      Effect.gen(function* () {
        yield* secrets.resolve("${env:DSN}")
        yield* secrets.resolve("${file:key.pem}")
        assert.strictEqual(secrets.redact("password p@ssword failed"), "password [secret DSN] failed")
        assert.strictEqual(secrets.redact("line secondlineofkey"), "line [secret key.pem]")
        assert.notInclude(secrets.redact(btoa("p@ssword")), "cEBzc3")
        assert.strictEqual(secrets.redact("-----BEGIN KEY-----"), "-----BEGIN KEY-----")
      }),
    ),
  )

  it.effect("leaves nothing of secrets that overlap in the text", () =>
    withSecrets({ A: "secretone", B: "onetwo" }, (secrets) =>
      Effect.gen(function* () {
        yield* Effect.all([secrets.resolve("${env:A}"), secrets.resolve("${env:B}")])
        assert.strictEqual(secrets.redact("<secretonetwo>"), "<[secret A][secret B]>")
      }),
    ),
  )

  it("never lets a value through, whatever text surrounds it", async () => {
    const value = Fc.string({ minLength: 8, maxLength: 20, unit: "binary" })
    await Fc.assert(
      Fc.asyncProperty(value, Fc.string(), Fc.string(), async (secret, before, after) => {
        const text = await Effect.runPromise(
          withSecrets({ S: secret }, (secrets) =>
            Effect.map(secrets.resolve("${env:S}"), () =>
              secrets.redact(before + secret + after + JSON.stringify({ secret })),
            ),
          ),
        )
        assert.notInclude(text, secret)
      }),
      { numRuns: 200 },
    )
  })
})
