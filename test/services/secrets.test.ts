import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Fc from "fast-check"
import * as Run from "../../src/engine/run.ts"
import { runStatus, taskOf } from "../../src/engine/run-state.ts"
import * as Secrets from "../../src/services/secrets.ts"
import { echo, plan, task, typeOf } from "../support/engine-plan.ts"
import * as Project from "../support/engine-project.ts"

const project = mkdtempSync(join(tmpdir(), "dandori-secrets-"))
writeFileSync(join(project, "token"), "from-a-file\n")
writeFileSync(join(project, "empty"), "\n")
writeFileSync(join(project, "pin"), "12345\n")
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

  it.effect("leaves the address of a bucket readable: it opens nothing, and people look for what is there", () =>
    withSecrets({ BUCKET: "s3://backups/dandori", ODD: "s3://key:secret@backups/dandori" }, (secrets) =>
      Effect.gen(function* () {
        assert.strictEqual(Redacted.value(yield* secrets.resolve("${env:BUCKET}")), "s3://backups/dandori")
        yield* secrets.resolve("${env:ODD}")
        assert.strictEqual(secrets.redact("at s3://backups/dandori"), "at s3://backups/dandori")
        assert.strictEqual(secrets.redact("at s3://key:secret@backups/dandori"), "at [secret ODD]")
      }),
    ),
  )

  for (const [reference, advice] of [
    ["${env:NOT_SET}", "set the environment variable NOT_SET"],
    ["${env:EMPTY}", "set the environment variable EMPTY"],
    ["${file:absent}", "it does not exist"],
    ["${file:empty}", "write the secret into it"],
    ["hunter2", "${env:NAME}"],
    ["${env:PIN}", "too short to be kept out of records; use a longer one"],
    ["${file:pin}", "too short to be kept out of records; use a longer one"],
  ]) {
    it.effect(`says what to do when ${reference} gives nothing`, () =>
      withSecrets({ EMPTY: "", PIN: "12345" }, (secrets) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(secrets.resolve(reference))
          assert.instanceOf(error, Secrets.SecretMissing)
          assert.include(error.message, advice)
          assert.notInclude(error.message, "hunter2")
          assert.notInclude(error.message, "12345")
          assert.strictEqual(secrets.redact("12345"), "12345")
        }),
      ),
    )
  }
})

describe("Secrets.redact", () => {
  it.effect("names each secret that was resolved, and leaves others alone", () =>
    withSecrets({ A: "alpha-1", B: "beta-2" }, (secrets) =>
      Effect.gen(function* () {
        yield* secrets.resolve("${env:A}")
        assert.strictEqual(secrets.redact("alpha-1 beta-2 alpha-1"), "[secret A] beta-2 [secret A]")
        yield* secrets.resolve("${env:B}")
        assert.strictEqual(secrets.redact("alpha-1 beta-2"), "[secret A] [secret B]")
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

  it.effect("finds a secret in JSON within JSON, in JSON of ASCII, in HTML, in a form, and in base64 of JSON", () =>
    withSecrets({ S: `p"q\\r/s&<t>'é ☃%` }, (secrets) =>
      Effect.gen(function* () {
        const value = Redacted.value(yield* secrets.resolve("${env:S}"))
        const json = JSON.stringify({ value })
        const escaped = (text: string) =>
          text.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
        const html = (text: string) =>
          text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;").replaceAll("'", "&#39;")
        const texts = [
          [json, '{"value":"[secret S]"}'],
          [JSON.stringify({ json }), '{"json":"{\\"value\\":\\"[secret S]\\"}"}'],
          [escaped(json), '{"value":"[secret S]"}'],
          [json.replaceAll("/", "\\/"), '{"value":"[secret S]"}'],
          [new URLSearchParams({ value }).toString(), "value=[secret S]"],
          [html(value), "[secret S]"],
          [html(value).replaceAll(">", "&gt;"), "[secret S]"],
          [html(json), "{&quot;value&quot;:&quot;[secret S]&quot;}"],
        ]
        for (const [text, expected] of texts) assert.strictEqual(secrets.redact(text), expected)
        assert.include(secrets.redact(Buffer.from(json).toString("base64")), "[secret S]")
      }),
    ),
  )

  it.effect("finds the path of a webhook, and what it is known by, and leaves the name of a database", () =>
    withSecrets(
      { HOOK: "https://hooks.slack.com/services/T0/B0/abcdefghijklmnop1", DSN: "postgres://u:password1@db/records" },
      (secrets) =>
        Effect.gen(function* () {
          yield* secrets.resolve("${env:HOOK}")
          yield* secrets.resolve("${env:DSN}")
          assert.strictEqual(secrets.redact("POST /services/T0/B0/abcdefghijklmnop1"), "POST [secret HOOK]")
          assert.strictEqual(
            secrets.redact("no abcdefghijklmnop1 at hooks.slack.com"),
            "no [secret HOOK] at hooks.slack.com",
          )
          assert.strictEqual(secrets.redact("db/records: password1"), "db/records: [secret DSN]")
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

  it.effect("reads a URL whose password is no percent-encoded UTF-8", () =>
    withSecrets({ DSN: "postgres://user:%ff%fe%fd@db/x" }, (secrets) =>
      Effect.gen(function* () {
        yield* secrets.resolve("${env:DSN}")
        assert.strictEqual(secrets.redact("<%ff%fe%fd>"), "<[secret DSN]>")
      }),
    ),
  )

  it("leaves nothing of base64 that depends on the secret alone, and nothing of hex, wherever it stands in what is encoded", async () => {
    const secret = "hunter2?>correct~horse"
    await Fc.assert(
      Fc.asyncProperty(Fc.string({ unit: "binary" }), Fc.string({ unit: "binary" }), async (before, after) => {
        const bytes = Buffer.from(before + secret + after)
        const from = Buffer.from(before).length
        const to = from + Buffer.from(secret).length
        await Effect.runPromise(
          withSecrets({ S: secret }, (secrets) =>
            Effect.map(secrets.resolve("${env:S}"), () => {
              for (const encoding of ["base64", "base64url"] as const) {
                const text = bytes.toString(encoding)
                const own = text.slice(Math.ceil((from * 4) / 3), Math.floor((to * 4) / 3))
                const left = secrets.redact(text).split("[secret S]")
                assert.strictEqual(left.length, 2)
                assert.isAtMost(left.join("").length, text.length - own.length)
              }
              const hex = bytes.toString("hex")
              for (const text of [hex, hex.toUpperCase()]) {
                const redacted = `${text.slice(0, from * 2)}[secret S]${text.slice(to * 2)}`
                assert.strictEqual(secrets.redact(text), redacted)
              }
            }),
          ),
        )
      }),
      { numRuns: 100 },
    )
  })

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

describe("Secrets.redactValue", () => {
  it.effect("redacts strings and keys, never the text of a number", () =>
    withSecrets({ PIN: "123456", PASSWORD: "true:null" }, (secrets) =>
      Effect.gen(function* () {
        const value = {
          amount: 123456,
          longer: [91234567, true, null, "pin 123456"],
          "123456": { deep: '{"pin":"123456"}' },
        }
        assert.strictEqual(secrets.redactValue(value), value)
        yield* secrets.resolve("${env:PIN}")
        yield* secrets.resolve("${env:PASSWORD}")
        assert.deepStrictEqual(secrets.redactValue(value), {
          amount: 123456,
          longer: [91234567, true, null, "pin [secret PIN]"],
          "[secret PIN]": { deep: '{"pin":"[secret PIN]"}' },
        })
      }),
    ),
  )

  it.effect("loses no field when keys become equal, and none that is called __proto__", () =>
    withSecrets({ A: "abcdef" }, (secrets) =>
      Effect.gen(function* () {
        yield* secrets.resolve("${env:A}")
        const value: unknown = JSON.parse('{"abcdef": 1, "616263646566": 2, "__proto__": "abcdef"}')
        assert.strictEqual(
          JSON.stringify(secrets.redactValue(value)),
          '{"[secret A]":1,"[secret A] (2)":2,"__proto__":"[secret A]"}',
        )
      }),
    ),
  )

  it("gives back what holds no secret as it was, and JSON of the same shape in any case", async () => {
    await Fc.assert(
      Fc.asyncProperty(
        Fc.jsonValue(),
        Fc.string({ minLength: 6, maxLength: 8, unit: "grapheme-ascii" }),
        (value, secret) =>
          Effect.runPromise(
            withSecrets({ S: secret }, (secrets) =>
              Effect.map(secrets.resolve("${env:S}"), () => {
                const safe = secrets.redactValue({ value, secret, number: 123456 })
                assert.deepInclude(safe, { secret: "[secret S]", number: 123456 })
                if (secrets.redact(JSON.stringify(value)) === JSON.stringify(value)) {
                  assert.strictEqual(secrets.redactValue(value), value)
                }
              }),
            ),
          ),
      ),
      { numRuns: 100 },
    )
  })
})

describe("Secrets.prime", () => {
  it.effect("makes the secrets that a value refers to known, and passes over those that are not there", () =>
    withSecrets({ TOKEN: "abc def", PIN: "123", OTHER: "other-secret" }, (secrets) =>
      Effect.gen(function* () {
        yield* secrets.prime([
          { with: { secrets: { A: "${env:TOKEN}", B: "${env:NOT_SET}", C: "${env:PIN}" } } },
          { list: ["${file:token}", "${file:absent}", "${run.id}", 5, null] },
        ])
        assert.strictEqual(
          secrets.redact("abc def, from-a-file, other-secret, 123"),
          "[secret TOKEN], [secret token], other-secret, 123",
        )
      }),
    ),
  )
})

describe("Secrets.around", () => {
  it.effect("says where a text can be cut without cutting a secret", () =>
    withSecrets({ A: "secretone", B: "onetwo" }, (secrets) =>
      Effect.gen(function* () {
        assert.strictEqual(secrets.longest(), 0)
        assert.deepStrictEqual(secrets.around("secretone", 3), { from: 3, to: 3 })
        yield* Effect.all([secrets.resolve("${env:A}"), secrets.resolve("${env:B}")])
        assert.isAtLeast(secrets.longest(), 18)
        const text = `${"x".repeat(50)}secretonetwo${"y".repeat(50)}`
        for (const at of [51, 55, 58, 61]) assert.deepStrictEqual(secrets.around(text, at), { from: 50, to: 62 })
        for (const at of [0, 49, 50, 62, 63]) assert.deepStrictEqual(secrets.around(text, at), { from: at, to: at })
      }),
    ),
  )
})

describe("a run with a secret that is a number", () => {
  it.live("records inputs and outputs that hold the number, and ends", () =>
    Effect.gen(function* () {
      const place = yield* Project.temporary
      const knows = typeOf("knows", "pure", () =>
        Effect.gen(function* () {
          const pin = yield* (yield* Secrets.Secrets).resolve("${env:PIN}")
          return { value: { pin: Redacted.value(pin), number: 1234567 } }
        }).pipe(Effect.orDie),
      )
      yield* Effect.gen(function* () {
        const next = task("next", echo, { needs: ["knows"], with: { value: { number: 1234567, text: "1234567" } } })
        const { state } = yield* Run.start(Project.request(plan([task("knows", knows), next])))
        assert.strictEqual(runStatus(state), "succeeded")
        assert.deepStrictEqual(taskOf(state, "knows").output, { value: { pin: "[secret PIN]", number: 1234567 } })
        assert.deepStrictEqual(taskOf(state, "next").output, { value: { number: 1234567, text: "[secret PIN]" } })
      }).pipe(Effect.provide(Project.services(place, { types: [knows, echo], environment: { PIN: "1234567" } })))
    }),
  )
})
