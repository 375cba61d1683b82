import { readFileSync, readdirSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { data } from "../../src/domain/event.ts"
import { Plan } from "../../src/domain/plan.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import * as Chain from "../../src/ledger/chain.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import { verify } from "../../src/ledger/verify.ts"
import { version as current } from "../../package.json"
import { cases } from "./cases.ts"
import { replay } from "./replay.ts"

const here = import.meta.dirname
const versions = readdirSync(here, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
)
const read = (...path: ReadonlyArray<string>) => readFileSync(join(here, ...path), "utf8")
const decodePlan = Schema.decodeSync(Schema.fromJsonString(Plan))
const schemas = data as Readonly<Record<string, Schema.Codec<unknown>>>

const namesIn = (version: string) => readdirSync(join(here, version, "states")).map((file) => file.replace(".json", ""))

describe.each(versions)("the golden ledgers of %s", (version) => {
  it.effect("verify as they stand, covered by their checkpoint", () =>
    Effect.gen(function* () {
      const report = yield* verify(join(here, version))
      assert.strictEqual(report.verdict, "intact", JSON.stringify(report.faults))
      assert.isAbove(report.coverage.checkpoint, namesIn(version).length)
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  it.each(namesIn(version))("replay to the state that they led to: %s", (name) => {
    const { run, ...recorded } = JSON.parse(read(version, "states", `${name}.json`)) as { readonly run: string }
    const stream = StreamName.ofRun(run)
    const segment = readFileSync(join(here, version, "ledger", StreamName.segmentPath(stream)))
    const { entries, fault } = Chain.read(stream, segment)
    assert.isUndefined(fault)
    for (const entry of entries) {
      assert.isTrue(Schema.is(schemas[entry.type])(entry.data), `line ${entry.sequence}: ${entry.type} is no event now`)
    }
    const text = read(version, "plans", `${name}.json`)
    assert.deepInclude(entries[0]?.data, { plan: Sha256.of(text) })
    assert.deepStrictEqual(JSON.parse(JSON.stringify(replay(decodePlan(text), entries))), recorded)
  })
})

describe("the recorder", () => {
  it("has recorded this version, with every case", () => {
    assert.include(versions, current, "record the set of this version: bun test/golden/record.ts")
    assert.includeMembers(namesIn(current), Object.keys(cases))
  })

  it("refuses to record a version again", () => {
    const again = Bun.spawnSync([process.execPath, join(here, "record.ts")], { stdout: "pipe", stderr: "pipe" })
    assert.strictEqual(again.exitCode, 73)
    assert.include(again.stderr.toString(), "is there already")
  })
})
