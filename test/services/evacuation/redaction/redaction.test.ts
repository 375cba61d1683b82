import { execFileSync } from "node:child_process"
import { generateKeyPairSync } from "node:crypto"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Redaction from "../../../../src/services/evacuation/redaction/redaction.ts"
import * as SecretForms from "../../../../src/services/secret-forms.ts"

const root = fileURLToPath(new URL("../../../..", import.meta.url))
const safe = (text: string, known: ReadonlyArray<string> = []) => Redaction.make([], known).text(text)

const digits = "0123456789"
const lower = "abcdefghijklmnopqrstuvwxyz"
const upper = lower.toUpperCase()
const of = (alphabet: string, length: number) =>
  fc.array(fc.constantFrom(...alphabet), { minLength: length, maxLength: length }).map((units) => units.join(""))
const alnum = lower + upper + digits
const base64 = `${alnum}+/`
const base64url = `${alnum}-_`
const segment = (length: number) => of(base64url, length)

/** Secrets that are known by their form. */
const formed: Readonly<Record<string, fc.Arbitrary<string>>> = {
  "aws-access-key-id": of(upper + digits, 16).map((rest) => `AKIA${rest}`),
  "aws-session-token": of(base64, 120).map((rest) => `FwoGZXIvYXdz${rest}`),
  "github-token": fc.oneof(
    of(alnum, 36).map((rest) => `ghp_${rest}`),
    of(alnum, 40).map((rest) => `github_pat_${rest}`),
  ),
  "gitlab-token": of(alnum, 20).map((rest) => `glpat-${rest}`),
  "slack-token": of(alnum, 24).map((rest) => `xoxb-1234567890-${rest}`),
  "pypi-token": of(base64url, 60).map((rest) => `pypi-AgEIcHlwaS5vcmc${rest}a`),
  "npm-token": of(alnum, 36).map((rest) => `npm_${rest}`),
  "llm-token": fc.oneof(
    of(alnum, 40).map((rest) => `sk-proj-${rest}`),
    of(alnum, 40).map((rest) => `sk-ant-api03-${rest}`),
    of(alnum, 48).map((rest) => `sk-${rest}`),
  ),
  "hugging-face-token": of(alnum, 34).map((rest) => `hf_${rest}`),
  "google-key": of(alnum, 35).map((rest) => `AIza${rest}`),
  "stripe-key": of(alnum, 24).map((rest) => `sk_live_${rest}`),
  "sendgrid-key": of(alnum, 65).map((rest) => `SG.${rest.slice(0, 22)}.${rest.slice(22)}`),
  "vault-token": of(alnum, 30).map((rest) => `hvs.${rest}`),
  "databricks-token": of(`${digits}abcdef`, 32).map((rest) => `dapi${rest}`),
  jwt: fc.tuple(segment(20), segment(30), of(alnum, 43)).map(([a, b, c]) => `eyJ${a}.eyJ${b}.${c}`),
}

/** Texts in which a token can stand. */
const contexts: ReadonlyArray<(token: string) => string> = [
  (token) => token,
  (token) => `2026-11-27T07:40:12Z INFO calling with ${token}, attempt 2`,
  (token) => `{"a":1,"value":"${token}"}`,
  (token) => `"{\\"value\\":\\"${token}\\"}"`,
  (token) => `https://example.com/x?k=${token}&y=1`,
  (token) => `SOMETHING=${token}`,
  (token) => `- ${token}`,
  (token) => `(${token})`,
  (token) => `<b>${token}</b>`,
]

/** Texts in which a name gives away a value of one word. */
const namedWords: ReadonlyArray<(value: string) => string> = [
  (value) => `PASSWORD=${value}`,
  (value) => `export POSTGRES_PASSWORD=${value}`,
  (value) => `PGPASSWORD=${value} psql -h db`,
  (value) => `db_password: ${value}`,
  (value) => `  - api_key: ${value} # of the vendor`,
  (value) => `client_secret = ${value}`,
  (value) => `python train.py --password ${value} --epochs 3`,
  (value) => `python train.py --api-key=${value} --epochs 3`,
  (value) => `java -jar x.jar -token ${value}`,
  (value) => `python train.py --auth-token '${value}'`,
  (value) => `mysql -u root -p${value} db`,
  (value) => `sshpass -p ${value} ssh host`,
  (value) => `redis-cli -h x -a ${value} ping`,
  (value) => `curl -s -u admin:${value} http://x`,
  (value) => `user=bob,password=${value},host=db`,
  (value) => `connect(user=bob, password=${value})`,
  (value) => `GET /x?access_token=${value}&page=2 HTTP/1.1`,
  (value) => `X-Api-Key: ${value}`,
  (value) => `curl -H 'X-Api-Key: ${value}' -H "X-Vault-Token: ${value}" http://x`,
  (value) => `Authorization: Bearer ${value}`,
  (value) => `curl -H 'Authorization: Token ${value}' http://x`,
  (value) => `{"headers":[["Authorization","Basic ${value}"]]}`,
  (value) => `postgres://ml:${value}@db:5432/core`,
  (value) => `redis://:${value}@cache:6379/0`,
  (value) => `{"url":"amqp://ml:${value}@mq"}`,
  (value) => `Cookie: a=b; session=${value}`,
  (value) => `set-cookie: sid=${value}; Path=/; HttpOnly`,
  (value) => `<password>${value}</password>`,
  (value) => `machine api.example.com login ml password ${value}`,
  (value) => `{ user: ml, password: ${value} }`,
  (value) => `["train.py","--password","${value}"]`,
  (value) => `routing_key: R${value}${"0123456789abcdef".repeat(2)}`.slice(0, 80),
  (value) => `aws_secret_access_key = ${value}`,
  (value) => `//registry.npmjs.org/:_authToken=${value}`,
  (value) => `ALTER USER ml PASSWORD '${value}'`,
  (value) => `AccountName=ml;AccountKey=${value}==;EndpointSuffix=core.windows.net`,
  (value) => `jdbc:postgresql://db/core?user=ml&password=${value}&ssl=true`,
  (value) =>
    `{"Env":[{"name":"DB_PASSWORD","value":"${value}"},{"name":"PATH","value":"/usr/bin"}],"token":"${value}"}`,
  (value) => `env:\n- name: API_TOKEN\n  value: ${value}\n- name: OTHER`,
  (value) =>
    `{"auths":{"registry":{"auth":"${btoa(`ml:${value}`)}","token":null,"x":"${btoa(`ml:${value}`).slice(0, 2)}"}}}`,
  (value) => `AKIAIOSFODNN7EXAMPLE ${value.repeat(5).slice(0, 40)}`,
  (value) => `https://b.s3.amazonaws.com/k?X-Amz-Signature=${value}${value}&X-Amz-Date=1`,
  (value) => `https://x.blob.core.windows.net/c?sv=1&sig=${value}${value}%3D&se=2`,
  (value) => `https://hooks.slack.com/services/T00000000/B00000000/${value}${value}`,
]

/** Texts in which a name gives away a value that can be any text, as it is written there. */
const namedTexts: ReadonlyArray<(value: string) => string> = [
  (value) => `{"password": ${JSON.stringify(value)}, "n": 1}`,
  (value) => JSON.stringify({ said: JSON.stringify({ db: { secret: value } }) }),
  (value) => `password: ${JSON.stringify(value)}`,
  (value) => `DB_PASSWORD=${JSON.stringify(value)}`,
  (value) => JSON.stringify({ Env: [`DB_PASSWORD=${value}`, "PATH=/usr/bin"] }),
  (value) => `  api_key => ${JSON.stringify(value)},`,
]

describe("redaction", () => {
  for (const [rule, secrets] of Object.entries(formed)) {
    it(`replaces what has the form of a ${rule} wherever it stands`, () => {
      fc.assert(
        fc.property(secrets, fc.constantFrom(...contexts), (secret, context) => {
          const found = safe(context(secret))
          assert.notInclude(found, secret)
          assert.include(found, "[redacted ")
        }),
      )
      const [secret] = fc.sample(secrets, { numRuns: 1, seed: 1 })
      assert.include(safe(`it is ${secret} now`), `[redacted ${rule}]`)
    })
  }

  it("replaces a word that a name, a header, a URL or a program's option gives away", () => {
    // Of letters and digits, as generated passwords are; at least one of both.
    const word = of(alnum, 16).filter((text) => /\d/.test(text) && /[a-z]/.test(text) && /[A-Z]/.test(text))
    fc.assert(
      fc.property(word, fc.constantFrom(...namedWords), (secret, context) => {
        const found = safe(context(secret))
        assert.notInclude(found, secret)
        assert.notInclude(found, btoa(`ml:${secret}`))
        // Nothing that belongs to what is around a secret goes with it.
        for (const mark of ["EndpointSuffix=core.windows.net", '"value":"/usr/bin"', "- name: OTHER", "&ssl=true"])
          if (context(secret).includes(mark)) assert.include(found, mark)
      }),
      { numRuns: 1_000 },
    )
  })

  it("replaces a quoted value with whatever it has in it", () => {
    const text = fc
      .string({ minLength: 8, maxLength: 24, unit: "grapheme" })
      .filter((value) => /[A-Za-z0-9]{4}/.test(value))
    const value = fc.tuple(of(alnum, 6), text, of(alnum, 6)).map((parts) => parts.join(""))
    fc.assert(
      fc.property(value, fc.constantFrom(...namedTexts), (secret, context) => {
        const found = safe(context(secret))
        for (const part of [secret.slice(0, 6), secret.slice(-6)]) assert.notInclude(found, part)
      }),
      { numRuns: 600 },
    )
  })

  it("leaves this project's own texts byte for byte, but for lines that show a place for a password", () => {
    const files = execFileSync(
      "git",
      ["ls-files", "README.md", "configs", "pipelines", "schema", "samples", "package.json", "deploy", "src", "tasks"],
      {
        cwd: root,
        encoding: "utf8",
      },
    ).trim()
    const changed = files.split("\n").flatMap((file) => {
      const text = readFileSync(`${root}/${file}`, "utf8")
      const after = safe(text).split("\n")
      return text.split("\n").filter((line, index) => line !== after[index])
    })
    const places = [
      /:\/\/\w*:password@|token = NextContinuationToken|\(\?:token=/,
      /\.secret=database|secret: dandori,|LoadCredential=secret:|Bearer dandori_…|a secret: `whsec_`/,
    ]
    const expected = changed.filter((line) => places.some((place) => place.test(line)))
    assert.deepStrictEqual(changed, expected)
  })

  it("replaces a plain word where a configuration, an environment or an option has it for a password", () => {
    const lines = [
      "PASSWORD=hunter",
      "export TOKEN=hunter",
      "db_password: hunter",
      "password = hunter",
      "x --password hunter -v",
      "x --token=hunter",
    ]
    for (const line of lines) assert.notInclude(safe(line), "hunter", line)
  })

  it("leaves what only speaks of a secret, or refers to one", () => {
    const lines = [
      "the token: unexpected end of input",
      "password: ${env:DB_PASSWORD}",
      "PASSWORD=$DB_PASSWORD",
      "token: <your token>",
      "secret: null",
      "max_tokens: 4096",
      "token_count=12",
      "readonly token: string",
      "Use --password to set it, and --token or --api-key.",
      "Bearer authentication is required; basic auth is not",
      "Authorization: Bearer <token>",
      "password: *****",
      "POSTGRES_PASSWORD_FILE=/run/secrets/db",
      "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904",
      "id 0191c2e8-7b1a-7c3e-9d3f-0123456789ab at /home/ml/models/v1.2.3-rc.1/model_a.joblib",
      "digest: sha256:4b825dc642cb6eb9a060e54bf8d69288fbee49044b825dc642cb6eb9a060e54b",
      "http://127.0.0.1:8000/users/@me, https://registry.npmjs.org:443/@scope/name",
      "docker.io/library/alpine:3.19@sha256:4b825dc642cb6eb9a060e54bf8d69288fbee4904",
      "-----BEGIN PUBLIC KEY-----",
      "the file begins with -----BEGIN PRIVATE KEY----- and then",
      "the next line stays",
      "cookie: none",
      '{"password":null,"token":null,"secret":false,"name":"DB_HOST","value":"db"}',
      "- name: DB_HOST",
      "  value: db",
    ]
    for (const line of lines) assert.strictEqual(safe(line), line)
    assert.strictEqual(safe(lines.join("\n")), lines.join("\n"))
  })
  describe("private keys", () => {
    const keys = [
      generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }),
      generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs1", format: "pem" }),
      generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
        type: "sec1",
        format: "pem",
        cipher: "aes-128-cbc",
        passphrase: "passphrase",
      }),
    ].map((pem) => pem.toString().trim())
    const written: Readonly<Record<string, (pem: string) => string>> = {
      "as they are": (pem) => pem,
      "with lines of Windows": (pem) => pem.replaceAll("\n", "\r\n"),
      "in YAML": (pem) => `key: |\n${pem.replace(/^/gm, "  ")}\nother: 1`,
      "in JSON": (pem) => JSON.stringify({ key: `${pem}\n`, other: 1 }),
      "in a form": (pem) => new URLSearchParams({ key: pem }).toString(),
      "in JSON in JSON": (pem) => JSON.stringify(JSON.stringify({ key: pem })),
      "in an environment": (pem) => `KEY="${pem.replaceAll("\n", "\\n")}"`,
      "in a log": (pem) => pem.replace(/^/gm, "2026-11-27T07:40:12 INFO "),
      "as strings of a program": (pem) => pem.replace(/^(.*)$/gm, '  "$1\\n" +'),
      "without their end": (pem) => pem.replace(/\n.*$/, "\n\nand so on"),
    }
    for (const [how, write] of Object.entries(written)) {
      it(`go ${how}, and what follows stays`, () => {
        for (const pem of keys) {
          const body = pem.split("\n").filter((line) => /^[A-Za-z0-9+/]{12,}={0,2}$/.test(line))
          assert.isAtLeast(body.length, 1)
          const text = `${write(pem)}\nplain\nmore of it`
          const redactor = Redaction.make([], [])
          const lines = text.split("\n").map((line) => redactor.text(line))
          for (const line of body) {
            assert.notInclude(lines.join("\n"), line.slice(0, 12))
            assert.notInclude(lines.join("\n"), encodeURIComponent(line.slice(0, 12)))
          }
          assert.deepStrictEqual(lines.slice(-2), ["plain", "more of it"])
          assert.strictEqual(safe(text), lines.join("\n"))
          assert.deepStrictEqual(redactor.counts(), [{ rule: "private-key", count: 1 }])
        }
      })
    }
  })

  it("replaces a key right after a line that only speaks of one", () => {
    const [key] = [generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString()]
    const body = key.split("\n")[1]
    const said = "it should begin with -----BEGIN PRIVATE KEY-----"
    assert.notInclude(safe(`${said}\n${key}`), body)
    assert.notInclude(safe(`${said}\n${JSON.stringify({ key })}\nplain`), body)
  })

  it("finds the secret at the end of a long line of what looks like the beginning of one", () => {
    const beginnings = [
      "password",
      "password:",
      "token: ",
      "--token ",
      "curl ",
      "x://y:",
      "cookie:",
      "eyJ",
      "pagerduty",
      "\\",
      "{",
    ]
    for (const beginning of beginnings) {
      const line = `${beginning.repeat(50_000 / beginning.length)} DB_PASSWORD=hunter2hunter2 `
      assert.notInclude(safe(line), "hunter2", beginning)
    }
  })

  it("replaces the value that stands in the next line, of an option in a list or of a YAML block", () => {
    const list = ["args:", "- --password", "- hunter2", "- --epochs", "- '3'"]
    assert.deepStrictEqual(safe(list.join("\n")).split("\n"), list.with(2, "- [redacted named-secret]"))
    const json = ['"--token",', '"abc def",', '"--epochs"']
    assert.include(safe(json.join("\n")), '"--epochs"')
    const block = ["db:", "  password: |", "    line one", "", "    line two", "  host: db"]
    const safeBlock = safe(block.join("\n")).split("\n")
    assert.deepStrictEqual(
      safeBlock,
      block.with(2, "    [redacted named-secret]").with(4, "    [redacted named-secret]"),
    )
  })

  it("replaces the secrets of the configuration in each of their encoded forms", () => {
    const secret = "correct horse/battery?&<staple>"
    const forms = [...SecretForms.formsOf(secret)]
    assert.isAbove(forms.length, 10)
    for (const form of forms) assert.notInclude(safe(`it says ${form}; and then`, [secret]), form)
    const redactor = Redaction.make([], [secret, "other-secret"])
    const encoded = redactor.text(`a ${secret} b other-secret, ${btoa("xx-other-secret-yy")}`)
    assert.match(
      encoded,
      /^a \[redacted known-secret\] b \[redacted known-secret\], \S{1,6}\[redacted known-secret\]\S{1,6}$/,
    )
    assert.deepStrictEqual(redactor.counts(), [{ rule: "known-secret", count: 3 }])
  })

  it("applies rules of the configuration: to all that is matched, or to the first group", () => {
    const rules = [
      { name: "patient", pattern: "P-\\d{4}" },
      { name: "badge", pattern: "badge (\\w+)" },
    ]
    const redactor = Redaction.make(rules, [])
    assert.strictEqual(
      redactor.text("P-1234 and P-2345, badge abc"),
      "[redacted patient] and [redacted patient], badge [redacted badge]",
    )
    assert.deepStrictEqual(redactor.counts(), [
      { rule: "badge", count: 1 },
      { rule: "patient", count: 2 },
    ])
  })

  it("gives for a line that comes in parts what it gives for the whole line", () => {
    const field = fc.oneof(
      { weight: 6, arbitrary: of(alnum, 60).map((text) => `"note":"${text}"`) },
      { weight: 2, arbitrary: of(alnum, 40).map((text) => `"password":"${text}"`) },
      { weight: 1, arbitrary: of(alnum, 36).map((text) => `"x":"ghp_${text}"`) },
      { weight: 1, arbitrary: of(alnum, 30).map((text) => `"y":"postgres://u:${text}@h/d"`) },
      { weight: 1, arbitrary: fc.constant('"z":"known-secret-value"') },
    )
    const line = fc
      .array(field, { minLength: 2_000, maxLength: 3_000, size: "max" })
      .map((fields) => `{${fields.join(",")}}`)
    fc.assert(
      fc.property(line, fc.integer({ min: 1_000, max: 70_000 }), (text, size) => {
        const [whole, parts] = [Redaction.make([], ["known-secret-value"]), Redaction.make([], ["known-secret-value"])]
        const wanted = whole.text(text)
        let found = ""
        let held = 0
        for (let at = 0; at < text.length; at += size) {
          found += parts.part(text.slice(at, at + size), at + size >= text.length)
          held = Math.max(held, Math.min(at + size, text.length) - found.length)
        }
        assert.strictEqual(found, wanted)
        assert.deepStrictEqual(parts.counts(), whole.counts())
        assert.isBelow(held, 160_000)
      }),
      { numRuns: 4 },
    )
  })
})
