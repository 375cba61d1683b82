/** What the chaos test runs: tasks of every effect class that leave a line per effect in one file. */
import * as Fs from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import type { EffectClass } from "../../src/domain/effect-class.ts"
import { GateResult } from "../../src/domain/gate.ts"
import * as Sha256 from "../../src/domain/sha256.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { AnyValue, Flaky, plan, quick, task, typeOf } from "../support/engine-plan.ts"

/** One effect: who had it, and in which attempt. */
export interface Line {
  readonly key: string
  readonly attempt: number
  readonly effects: EffectClass
}

/** The file of effects of a project: outside of its home. */
export const effectsFile = (project: string): string => join(project, "effects.ndjson")

/** The effects that a project's runs have had. */
export const effectsOf = (project: string): ReadonlyArray<Line> =>
  Fs.existsSync(effectsFile(project))
    ? Fs.readFileSync(effectsFile(project), "utf8")
        .split("\n")
        .flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Line]))
    : []

/** One write of one short line: it is there whole, or not at all. */
const happen = (project: string, line: Line) => Fs.appendFileSync(effectsFile(project), `${JSON.stringify(line)}\n`)

const worker = (project: string, type: string, effects: EffectClass, probed: boolean) =>
  typeOf(
    type,
    effects,
    (input) =>
      Effect.gen(function* () {
        const { idempotencyKey: key, attempt } = yield* Attempt
        yield* Effect.sleep(attempt)
        yield* Effect.sync(() => happen(project, { key, attempt, effects }))
        yield* Effect.sleep(1)
        if (effects === "idempotent" && attempt % 3 === 1) return yield* new Flaky()
        return { value: [key, input.value ?? null] }
      }),
    probed
      ? () =>
          Effect.map(Attempt, ({ idempotencyKey }) =>
            effectsOf(project).some(({ key }) => key === idempotencyKey)
              ? Option.some({ value: [idempotencyKey, "probed"] })
              : Option.none(),
          )
      : undefined,
  )

/** The task types over a project's file of effects. */
export const types = (project: string) => ({
  pure: worker(project, "pure", "pure", false),
  idempotent: worker(project, "idempotent", "idempotent", false),
  probed: worker(project, "probed", "once", true),
  unprobed: worker(project, "unprobed", "once", false),
  gate: taskType({
    type: "gate",
    version: 1,
    description: "gate",
    input: AnyValue,
    output: Schema.Struct({ gate: GateResult }),
    effects: "pure",
    gate: (output) => output.gate,
    run: () =>
      Effect.succeed({
        gate: {
          verdict: "PASSED" as const,
          subjects: [{ name: "model", sha256: Sha256.of("model") }],
          policy: { name: "policy", sha256: Sha256.of("policy") },
          reasons: [],
          reports: [],
        },
      }),
  }),
})

/** A plan in which every effect class runs beside and after the others. */
export const pipeline = ({ pure, idempotent, probed, unprobed, gate }: ReturnType<typeof types>) => {
  const retry = quick(90)
  return plan([
    task("a_pure", pure, { retry }),
    task("a_idem", idempotent, { retry }),
    task("a_probed", probed, { retry }),
    task("a_unprobed", unprobed, { retry, continueOnError: true }),
    task("b_gate", gate, { retry, needs: ["a_pure"] }),
    task("b_probed", probed, { retry, needs: ["a_probed"], with: { value: "${{ tasks.a_probed.value }}" } }),
    task("b_pure", pure, { retry, needs: ["a_idem"], with: { value: "${{ tasks.a_idem.value }}" } }),
    task("b_unprobed", unprobed, { retry, needs: ["a_unprobed"], continueOnError: true }),
    task("c_idem", idempotent, { retry, needs: ["b_gate", "b_probed"] }),
    task("c_probed", probed, { retry, needs: ["b_pure", "b_unprobed"], resources: { locks: ["one"] } }),
    task("c_pure", pure, { retry, needs: ["b_probed"], resources: { locks: ["one"] } }),
    task("report", idempotent, { retry, block: "finally", with: { value: "${{ run.status }}" } }),
    task("seal", probed, { retry, block: "finally", needs: ["report"] }),
  ])
}
