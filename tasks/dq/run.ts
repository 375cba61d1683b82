import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import { CheckedDataset } from "../../src/domain/dataset.ts"
import type { GateResult } from "../../src/domain/gate.ts"
import type { Sha256 } from "../../src/domain/sha256.ts"
import * as Digest from "../../src/domain/sha256.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { DuckDb } from "../../src/services/duckdb.ts"
import { type BarFile, type BarMapping, loadBars } from "../../src/services/duckdb-bar-files.ts"
import * as Durable from "../../src/services/durable-files.ts"
import * as InputFiles from "../../src/services/input-files.ts"
import * as Marks from "../../src/services/quarantine-marks.ts"
import { Settings } from "../../src/services/settings.ts"
import { Workspace } from "../../src/services/workspace.ts"
import { isoText, prepare } from "./data.ts"
import { draw } from "./distributions.ts"
import * as Expectations from "./expectations.ts"
import { judge } from "./judge.ts"
import * as Quarantine from "./quarantine.ts"
import { reportPage } from "./report-page.ts"
import type { DqFileInput, DqFileOutput, DqInput, DqOutput } from "./schema.ts"

/** A partition's bytes are not those that the dataset names. Nothing was judged. */
export class DataChanged extends Schema.TaggedError<DataChanged>()("DataChanged", {
  path: Schema.String,
  expected: Schema.String,
  actual: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `${this.path} has changed since the dataset was made (${this.actual.slice(0, 12)}… instead of ${this.expected.slice(0, 12)}…); seed it again`
  }
}

/** A file to judge: where it is, its digest, and where its quarantine mark goes. */
interface Subject extends BarFile {
  readonly sha256: Sha256
  readonly mark: string | undefined
}

interface Order {
  readonly subjects: ReadonlyArray<Subject>
  readonly mapping: BarMapping
  readonly expectations: string
  readonly asOf: string | undefined
  readonly source: string
  readonly synthetic: boolean
}

const ranges = `SELECT _file AS file, ${isoText("min(_ts)")} AS first, ${isoText("max(_ts)")} AS last FROM data GROUP BY _file`

const judged = Effect.fnUntraced(function* (order: Order) {
  const workspace = yield* Workspace
  const settings = yield* Settings
  const path = yield* workspace.resolve(order.expectations)
  const text = yield* InputFiles.readText(path)
  const expectations = yield* Expectations.parse(workspace.display(path), text, order.asOf)
  const policy = {
    name: expectations.name,
    sha256: CanonicalJson.digest({ expectations: Digest.of(text), dq: settings.digest("dq") }),
  }

  const database = yield* (yield* DuckDb).open({ paths: order.subjects.map((subject) => subject.path) })
  const loaded = yield* loadBars(database, order.subjects, order.mapping)
  const data = yield* prepare(
    database,
    loaded,
    expectations,
    order.subjects.map(({ label }) => label),
  )
  const judgement = yield* judge(data, expectations, { section: settings.sections.dq, asOf: order.asOf })
  const { findings, verdict } = judgement

  const against = findings.filter(
    ({ result }) => !result.passed && (result.severity === "error" || settings.sections.dq.strict),
  )
  const bad = new Set(against.flatMap(({ files }) => files))
  const quarantine: Array<string> = []
  const spans = yield* database.rows(ranges)
  for (const { label, mark, sha256 } of order.subjects) {
    if (mark === undefined) continue
    const span = spans.find((row) => row["file"] === label)
    const range = {
      ...(span?.["first"] ? { first: String(span["first"]) } : {}),
      ...(span?.["last"] ? { last: String(span["last"]) } : {}),
    }
    if (bad.has(label)) {
      yield* Quarantine.write(mark, { name: label, sha256, ...range }, against, policy.sha256)
      quarantine.push(workspace.display(mark))
    } else yield* Quarantine.lift(mark, policy.sha256)
  }
  const flags = judgement.flags.map((each) =>
    bad.has(each.file) ? { ...each, flags: ["quarantined" as const, ...each.flags] } : each,
  )
  const subjects = order.subjects.map(({ label, sha256 }) => ({ name: label, sha256 }))
  const checks = findings.map(({ result }) => result)
  const artifacts = yield* Artifacts
  const about = {
    expectations: expectations.name,
    source: order.source,
    synthetic: order.synthetic,
    rows: data.rows,
    policy: policy.sha256,
    subjects,
  }
  const report = yield* artifacts.put(
    "dq_report.json",
    "application/json",
    `${CanonicalJson.encode({ verdict, ...about, checks, flags, quarantine })}\n`,
  )
  const charts = yield* draw(data)
  const page = yield* artifacts.put(
    "dq_report.html",
    "text/html",
    reportPage({ ...judgement, flags }, { ...about, charts }),
  )
  const reasons = checks
    .filter((check) => !check.passed)
    .map((check) => `${check.name}: ${check.observed} (threshold: ${check.threshold})`)
  const gate: GateResult = { verdict, subjects, policy, reasons, reports: [report, page] }
  return { verdict, checks, flags, report, page, quarantine, gate } satisfies DqFileOutput
}, Effect.scoped)

/** Judges all partitions of a dataset, after their digests were compared with the bytes. */
export const run = Effect.fn("dq")(function* ({ asOf, dataset, expectations }: DqInput) {
  const workspace = yield* Workspace
  const subjects = yield* Effect.forEach(dataset.partitions, ({ path, sha256, symbol }) =>
    Effect.gen(function* () {
      const absolute = yield* workspace.resolve(path)
      const { sha256: actual } = yield* Durable.digestFile(absolute)
      if (actual !== sha256) return yield* new DataChanged({ path, expected: sha256, actual })
      return {
        path: absolute,
        label: path,
        symbol,
        sha256,
        mark: Marks.ofPartition(absolute),
      } satisfies Subject
    }),
  )
  const outcome = yield* judged({
    subjects,
    mapping: {},
    expectations,
    asOf,
    source: dataset.source,
    synthetic: dataset.synthetic,
  })
  return { ...outcome, dataset: CheckedDataset.make(dataset) } satisfies DqOutput
})

/** Judges files of any kind. */
export const runFiles = Effect.fn("dq-file")(function* ({
  asOf,
  expectations,
  files,
  quarantine,
  symbols,
  ...mapping
}: DqFileInput) {
  const workspace = yield* Workspace
  const subjects = yield* Effect.forEach(files, (file, index) =>
    Effect.gen(function* () {
      const symbol = symbols?.[index]
      const path = yield* workspace.resolve(file)
      const { sha256 } = yield* Durable.digestFile(path)
      const mark = quarantine === false ? undefined : Marks.ofFile(path)
      return {
        path,
        label: workspace.display(path),
        sha256,
        mark,
        ...(symbol === undefined ? {} : { symbol }),
      } satisfies Subject
    }),
  )
  return yield* judged({ subjects, mapping, expectations, asOf, source: files.join(", "), synthetic: false })
})
