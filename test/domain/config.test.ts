import { assert, describe, it } from "@effect/vitest"
import * as Daemon from "../../src/domain/config/daemon.ts"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Fc from "fast-check"
import * as Located from "../../src/domain/config/located.ts"
import { ExportersSection } from "../../src/domain/config/exporters.ts"
import { NamedList } from "../../src/domain/config/named-list.ts"
import { requiredSecrets } from "../../src/domain/config/required-secrets.ts"
import { NotificationsSection, routesOf } from "../../src/domain/config/notifications.ts"
import { parse, SecretReference } from "../../src/domain/config/secret-reference.ts"
import { ResourcesSection } from "../../src/domain/config/resources.ts"
import * as SectionCheck from "../../src/domain/config/section-check.ts"
import { SchedulesSection } from "../../src/domain/config/schedules.ts"
import type { Sections } from "../../src/domain/config/sections.ts"
import { distance, nearest } from "../../src/domain/suggest.ts"

const at = { file: "x.yaml", line: 1, column: 1 }
const Item = Schema.Struct({
  id: Schema.String,
  size: Schema.optionalKey(Schema.Int),
  tags: Schema.optionalKey(Schema.Array(Schema.String)),
})
const Example = Schema.Struct({
  items: NamedList("id", Item),
  level: Schema.Literals(["low", "high"]),
  note: Schema.optionalKey(Schema.String),
})

const problems = (schema: Schema.ConstraintDecoder<unknown>, text: string) => {
  const parsed = Located.fromYaml("x.yaml", text)
  assert.deepStrictEqual(parsed.problems, [])
  const checked = SectionCheck.check(schema, parsed.value ?? Located.fromJson(at, null))
  return Result.isFailure(checked)
    ? checked.failure.map(({ column, line, message, path, suggestion }) => [line, column, path, message, suggestion])
    : []
}

describe("fromYaml", () => {
  const refused = {
    "a second document": "a: 1\n---\nb: 2\n",
    "an anchor": "a: &x 1\n",
    "an alias": "a: &x 1\nb: *x\n",
    "a tag": "a: !secret x\n",
    "a merge key's map": "a: { <<: *b }\n",
    "the same key twice": "a: 1\na: 2\n",
    "a key that is not text": "1: a\n",
    infinity: "a: .inf\n",
    "not a number": "a: .nan\n",
    "an integer beyond 2^53": "a: 9007199254740993\n",
    "a flow that does not end": "a: [1, 2\n",
    "too many levels": `a: ${"[".repeat(40)}${"]".repeat(40)}\n`,
    "a file beyond 2 MiB": `a: ${"x".repeat(2 * 1024 * 1024)}\n`,
  }
  for (const [what, text] of Object.entries(refused)) {
    it(`refuses ${what}`, () => assert.isAbove(Located.fromYaml("x.yaml", text).problems.length, 0))
  }

  it("reads an empty file as nothing, and `no` as text", () => {
    assert.deepStrictEqual(Located.fromYaml("x.yaml", "# nothing\n"), { value: undefined, problems: [] })
    const { value } = Located.fromYaml("x.yaml", "a: no\nb: ~\n__proto__: 1\n")
    assert.deepStrictEqual(JSON.stringify(value && Located.toJson(value)), '{"a":"no","b":null,"__proto__":1}')
  })
})

describe("merge", () => {
  const asts = [Example.ast]
  const merged = (base: unknown, over: unknown) =>
    Located.toJson(Located.merge(Located.fromJson(at, base), Located.fromJson(at, over), asts))

  it("merges named items by name, replaces plain lists, adds new items at the end", () => {
    const base = {
      items: [
        { id: "a", size: 1, tags: ["x"] },
        { id: "b", size: 2 },
      ],
      level: "low",
    }
    const over = { items: [{ id: "c" }, { id: "a", tags: ["y", "z"] }] }
    assert.deepStrictEqual(merged(base, over), {
      items: [{ id: "a", size: 1, tags: ["y", "z"] }, { id: "b", size: 2 }, { id: "c" }],
      level: "low",
    })
  })

  it("takes null as a value, which the Schema then judges", () => {
    assert.deepStrictEqual(merged({ level: "low" }, { level: null }), { level: null })
  })

  it("gives the base over nothing, itself over itself, and keeps every key of the environment", () => {
    const value = Fc.record({
      items: Fc.uniqueArray(Fc.record({ id: Fc.constantFrom("a", "b", "c", "d"), size: Fc.integer() }), {
        selector: ({ id }) => id,
      }),
      level: Fc.constantFrom("low", "high"),
    })
    Fc.assert(
      Fc.property(value, value, (base, over) => {
        assert.deepStrictEqual(merged(base, {}), base)
        assert.deepStrictEqual(merged(base, base), base)
        const both = merged(base, over) as typeof base
        for (const item of over.items) assert.deepInclude(both.items, item)
        const names = new Set([...base.items, ...over.items].map(({ id }) => id))
        assert.deepStrictEqual(new Set(both.items.map(({ id }) => id)), names)
        assert.strictEqual(both.level, over.level)
      }),
    )
  })
})

describe("check", () => {
  it("places each problem and suggests what was meant", () => {
    assert.deepStrictEqual(problems(Example, "itmes: []\nlevel: hihg\nnote: 3\n"), [
      [1, 1, "itmes", "is not a known key", "items"],
      [1, 1, "items", "is missing", undefined],
      [2, 8, "level", "must be low or high", "high"],
      [3, 7, "note", "must be text, got a number", undefined],
    ])
  })

  it("refuses a name that is there twice", () => {
    assert.deepStrictEqual(problems(Example, "items: [{ id: a }, { id: a }]\nlevel: low\n"), [
      [1, 8, "items", "id a is there twice", undefined],
    ])
  })

  it("refuses a cron pattern and a time zone that do not exist", () => {
    const text = (cron: string, zone: string) =>
      `schedules: { x: { cron: "${cron}", timezone: ${zone}, retries: 0, retry_delay: 1m, stop_after_failures: 1 } }\n` +
      'database_backup_window: { from: "03:00", to: "04:00", timezone: UTC }\n'
    assert.deepStrictEqual(problems(SchedulesSection, text("0 3 * * *", "Asia/Tokyo")), [])
    assert.strictEqual(problems(SchedulesSection, text("0 25 * * *", "Asia/Tokio")).length, 2)
    const refused = (cron: string) => problems(SchedulesSection, text(cron, "UTC")).map(([, , , message]) => message)
    assert.deepStrictEqual(refused("0 3 * * MON,"), ["must be a cron pattern: an item of the day of week is empty"])
    assert.deepStrictEqual(refused("@Daily"), ['must be a cron pattern: there is no "@Daily". Did you mean "@daily"?'])
    assert.deepStrictEqual(refused("@reboot"), ["must be a cron pattern of times, like '@daily'"])
    assert.deepStrictEqual(refused("15 0 3 * * MON#1 2027-2030"), [])
    // What a plan does not take, the configuration does not take either.
    const more = text("@daily", "UTC").replace("retries: 0", "retries: 100").replace("failures: 1 ", "failures: 1001 ")
    assert.strictEqual(problems(SchedulesSection, more).length, 2)
  })

  it("says what unit, form or word is wanted, and never repeats a value", () => {
    assert.deepStrictEqual(problems(ResourcesSection, "machine: { cpu: all, memory: 4 }\npools: { a: 0 }\n"), [
      [1, 17, "machine.cpu", 'must be "auto" or a number', undefined],
      [1, 30, "machine.memory", 'must be "auto" or a size with a unit, like 500MB or 2GiB', undefined],
      [2, 13, "pools.a", "must be a value greater than or equal to 1", undefined],
    ])
    assert.deepStrictEqual(problems(Schema.Struct({ secret: SecretReference }), "secret: 12345\n"), [
      [1, 9, "secret", "must be a reference like ${env:NAME} or ${file:path}, got a number", undefined],
    ])
  })
})

describe("nearest", () => {
  it("finds a typo and no stranger", () => {
    const known = ["folds", "purge_bars", "embargo_bars"]
    assert.strictEqual(nearest("fodls", known), "folds")
    assert.strictEqual(nearest("purge", ["purge_bar"]), undefined)
    assert.isUndefined(nearest("zzz", known))
  })

  it("measures a symmetric distance, 0 only between equal words", () => {
    Fc.assert(
      Fc.property(Fc.string({ maxLength: 8 }), Fc.string({ maxLength: 8 }), (a, b) => {
        assert.strictEqual(distance(a, b), distance(b, a))
        assert.strictEqual(distance(a, b) === 0, a === b)
        assert.isAtMost(distance(a, b), Math.max(a.length, b.length))
      }),
    )
  })
})

describe("SecretReference", () => {
  it("names its source, and nothing else is one", () => {
    assert.deepStrictEqual(parse("${env:A_1}"), { kind: "env", name: "A_1" })
    assert.deepStrictEqual(parse("${file:/run/a:b c}"), { kind: "file", path: "/run/a:b c" })
    for (const text of ["hunter2", "${env:}", "${env:A B}", "$A", "x${env:A}", "${env:A}x", "${file:}"]) {
      assert.isUndefined(parse(text), text)
    }
  })
})

describe("notifications", () => {
  const section = (channels: string) =>
    Schema.decodeUnknownSync(NotificationsSection)({
      timeout: "5s",
      channels: JSON.parse(channels),
      severities: { info: [], warning: ["b"], critical: ["a", "b"] },
      slack: { webhook: "${env:S}" },
      pagerduty: {
        routing_key: "${env:P}",
        source: "x",
        component: "y",
        severity: { info: "info", warning: "warning", critical: "critical" },
      },
    })
  const two = '{"a":{"routes":[{"to":"console"}]},"b":{"routes":[{"to":"console"},{"to":"pagerduty"}]}}'

  it("sends a message along its channel's and its severity's routes, each once", () => {
    assert.deepStrictEqual(routesOf(section(two), "a", "info"), [{ to: "console" }])
    assert.deepStrictEqual(routesOf(section(two), "a", "critical"), [{ to: "console" }, { to: "pagerduty" }])
    assert.isUndefined(routesOf(section(two), "toString", "info"))
  })

  it("refuses a severity that names a channel which is not there", () => {
    assert.throws(() => section('{"a":{"routes":[]}}'), /channel b/)
  })

  it("needs the common webhook only where a channel of Slack's has none of its own", () => {
    const slack = (webhooks: object) => {
      const channels = '{"a":{"routes":[{"to":"slack","channel":"#a"}]},"b":{"routes":[{"to":"slack","channel":"#b"}]}}'
      const notifications = section(channels)
      const sections = {
        storage: {},
        database: { backend: "embedded" },
        ledger: { store: "files" },
        messaging: { backend: "embedded" },
        notifications: { ...notifications, slack: { ...notifications.slack, webhooks } },
        exporters: { exporters: [] },
        daemon: Daemon.usual,
      } as unknown as Sections
      return requiredSecrets(sections).map(({ key, reference }) => `${key} ${reference}`)
    }
    assert.deepStrictEqual(slack({}), ["slack.webhook ${env:S}"])
    assert.deepStrictEqual(slack({ "#a": "${env:A}", "#c": "${env:C}" }), [
      "slack.webhook ${env:S}",
      "slack.webhooks.#a ${env:A}",
    ])
    assert.deepStrictEqual(slack({ "#a": "${env:A}", "#b": "${env:B}" }), [
      "slack.webhooks.#a ${env:A}",
      "slack.webhooks.#b ${env:B}",
    ])
  })

  it("needs a secret only for the ways that are used", () => {
    const sections = {
      storage: {},
      database: { backend: "embedded", dsn: "${env:D}" },
      ledger: { store: "files" },
      daemon: { ...Daemon.usual, hooks: { nightly: "${env:W}" } },
      messaging: { backend: "redis", url: "${env:R}" },
      notifications: section(two),
      exporters: {
        timeout: "5s",
        exporters: [
          { name: "a", kind: "otlp", url: "http://a", headers: { Authorization: "${env:H}" } },
          { name: "b", kind: "open-lineage-file", namespace: "n", path: "b.ndjson" },
        ],
      },
    } as unknown as Sections
    assert.deepStrictEqual(
      requiredSecrets(sections).map(({ reference }) => reference),
      ["${env:R}", "${env:P}", "${env:W}", "${env:H}"],
    )
    const inDatabase = { ...sections, ledger: { ...sections.ledger, store: "postgres" as const } }
    assert.strictEqual(requiredSecrets(inDatabase)[0].reference, "${env:D}")
  })
})

describe("exporters", () => {
  it("are told apart by their kind, and what is wrong with one is said at its place", () => {
    const good = `timeout: 5s
exporters:
  - { name: lineage, kind: open-lineage, namespace: n, url: "https://host/api", headers: { Authorization: "\${env:TOKEN}" } }
  - { name: file, kind: open-lineage-file, namespace: n, path: lineage.ndjson }
  - { name: collector, kind: otlp, url: "http://localhost:4318" }
`
    assert.deepStrictEqual(problems(ExportersSection, good), [])
    const refused = {
      "kind: otlp": "kind: oltp",
      "http://localhost:4318": "http://user:word@localhost:4318",
      "${env:TOKEN}": "Bearer word",
      "Authorization:": "'a header':",
      "name: file": "name: lineage",
      "namespace: n, path": "path",
      "path: lineage.ndjson": "url: http://host",
    }
    for (const [from, to] of Object.entries(refused)) {
      const found = problems(ExportersSection, good.replace(from, to))
      assert.isAbove(found.length, 0, to)
      assert.isAbove(Number(found[0][0]), 1, JSON.stringify(found))
    }
    assert.deepStrictEqual(problems(ExportersSection, good.replace("kind: otlp", "kind: oltp")), [
      [5, 30, "exporters[collector].kind", "must be one of open-lineage, open-lineage-file, otlp", "otlp"],
    ])
  })
})
