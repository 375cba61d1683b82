import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import type { GateResult, Verdict } from "../../src/domain/gate.ts"
import { formatDuration, parseDuration } from "../../src/domain/quantity.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { tailOf } from "../../src/services/process-output.ts"
import { type Ended, Processes } from "../../src/services/processes.ts"
import { Progress } from "../../src/services/progress.ts"
import * as ProjectCode from "../../src/services/project-code.ts"
import { Secrets } from "../../src/services/secrets.ts"
import { Workspace } from "../../src/services/workspace.ts"
import {
  type Check,
  type CheckOutcome,
  CodeChanged,
  type ReleaseGateInput,
  type ReleaseGateOutput,
  usualMillis,
} from "./schema.ts"

const keptLines = 20
const keptCharacters = 2_000
const namedPaths = 10
const threshold = "exit code 0"

/** How a check ended, in words, and its exit code where it ended by itself. */
const observedOf = ({ exitCode, signal }: Ended): { readonly observed: string; readonly exitCode?: number } =>
  signal === undefined ? { observed: `exit code ${exitCode}`, exitCode } : { observed: `signal ${signal}` }

/** Runs a check to its end, or to its timeout, when its whole process group is stopped. Whatever happens is an outcome. */
const perform = Effect.fn("release-gate.check")(function* ({ argv, name, severity = "error", timeout }: Check) {
  const attempt = yield* Attempt
  const processes = yield* Processes
  const secrets = yield* Secrets
  const workspace = yield* Workspace
  const millis = (timeout === undefined ? undefined : parseDuration(timeout)) ?? usualMillis
  const lines: Array<string> = []
  const onLine = (line: string) =>
    Effect.suspend(() => {
      lines.push(secrets.redact(line))
      if (lines.length > keptLines) lines.shift()
      return attempt.log(`${name}: ${line}`)
    })
  const [took, end] = yield* processes
    .run({ argv, cwd: workspace.project, keep: 0, onStdout: onLine, onStderr: onLine })
    .pipe(
      Effect.map(observedOf),
      Effect.timeoutOption(millis),
      Effect.map(Option.getOrElse(() => ({ observed: `no end within ${formatDuration(millis)}; it was stopped` }))),
      Effect.catch(({ message }) => Effect.succeed({ observed: message })),
      Effect.timed,
    )
  const passed = "exitCode" in end && end.exitCode === 0
  yield* attempt.log(`${name}: ${passed ? "passed" : `FAILED (${end.observed})`}`)
  const tail = tailOf(lines.join("\n"), keptCharacters)
  const outcome: CheckOutcome = {
    name,
    severity,
    passed,
    ...end,
    threshold,
    millis: Math.round(Duration.toMillis(took)),
    tail,
  }
  return outcome
})

const verdictOf = (failed: ReadonlyArray<CheckOutcome>): Verdict => {
  if (failed.length === 0) return "PASSED"
  return failed.some(({ severity }) => severity === "error") ? "FAILED" : "WARNED"
}

/** Runs all checks on the project's code and judges it: the code as it was before and after them. */
export const run = Effect.fn("release-gate")(function* ({ checks, parallel = 1 }: ReleaseGateInput) {
  const progress = yield* Progress
  const before = yield* ProjectCode.read()
  let done = 0
  const outcomes = yield* Effect.forEach(
    checks,
    (check) =>
      Effect.tap(perform(check), () => progress.report({ done: ++done, total: checks.length, unit: "checks" })),
    { concurrency: parallel },
  )
  const failed = outcomes.filter(({ passed }) => !passed)
  const changed = ProjectCode.changes(before, yield* ProjectCode.read())
  if (changed.length > 0) {
    const names = failed.map(({ name }) => name)
    return yield* new CodeChanged({ paths: changed.slice(0, namedPaths), count: changed.length, failed: names })
  }
  const verdict = verdictOf(failed)
  const about = { verdict, code: before.sha256, files: before.files.size, checks: outcomes }
  const report = yield* Effect.flatMap(Artifacts, (artifacts) =>
    artifacts.put("release_gate_report.json", "application/json", `${CanonicalJson.encode(about)}\n`),
  )
  const gate: GateResult = {
    verdict,
    subjects: [{ name: "code", sha256: before.sha256 }],
    policy: { name: "release-gate", sha256: CanonicalJson.digest({ checks }) },
    reasons: failed.map(({ name, observed }) => `${name}: ${observed}`),
    reports: [report],
  }
  const output: ReleaseGateOutput = { ...about, gate }
  return output
})
