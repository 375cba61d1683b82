import * as Effect from "effect/Effect"
import * as CanonicalJson from "../domain/canonical-json.ts"
import type { ErrorData } from "../domain/event.ts"
import { validate } from "../domain/json-value.ts"
import * as Moment from "../domain/moment.ts"
import type { JsonSchema } from "../domain/json-schema.ts"
import * as Matrices from "../domain/matrix.ts"
import { maxInstances } from "../domain/plan.ts"
import type { Sha256 } from "../domain/sha256.ts"
import { type ArtifactError, Artifacts } from "../services/artifacts.ts"
import { Secrets } from "../services/secrets.ts"
import type { Command } from "./decide.ts"
import type { Inputs } from "./inputs.ts"
import { largestValue } from "./kept-value.ts"
import type { Prepared } from "./prepared.ts"
import type { Recorder } from "./recorder.ts"

/** Commands about a task that is not started yet: until when it pauses, who agrees, what it consists of. */
export type Question = Extract<Command, { readonly _tag: "Open" | "Pause" | "RequestApproval" | "ExpireApproval" }>

/** True for a command that asks something about a task before it starts. */
export const isQuestion = (command: Command): command is Question =>
  command._tag === "Open" ||
  command._tag === "Pause" ||
  command._tag === "RequestApproval" ||
  command._tag === "ExpireApproval"

/** Digest of the input that an approval is about. */
export const inputDigest = (value: unknown): Sha256 => CanonicalJson.digest(value)

const invalid = (message: string): ErrorData => ({ tag: "InputInvalid", message, settled: true })

/** Answers what a task is asked before it starts, by an event. A task whose expressions fail has failed. */
export const make = (options: {
  readonly prepared: Prepared
  readonly inputs: Inputs
  readonly recorder: Recorder
  readonly large: Map<string, unknown>
  readonly now: () => number
}) => {
  const { inputs, large, now, prepared, recorder } = options
  const { plan } = prepared

  const fail = Effect.fnUntraced(function* (id: string, error: ErrorData) {
    const message = (yield* Secrets).redact(error.message)
    const data = { task: id, attempt: 1, error: { ...error, message } }
    recorder.record({ type: "dev.dandori.attempt.failed.v1", data }, id)
  })

  const expand = Effect.fnUntraced(function* (
    index: number,
  ): Effect.fn.Return<void, ArtifactError, Artifacts | Secrets> {
    const { id, matrix } = plan.tasks[index]
    if (matrix === undefined) return
    const given = inputs.axes(recorder.state(), index)
    if ("tag" in given) return yield* fail(id, given)
    const values = Matrices.filledValues(matrix, given.value)
    const size = Matrices.productSize(values)
    const most = `${id} has a matrix of ${size} instances; at most ${maxInstances} are possible`
    if (size > maxInstances) return yield* fail(id, invalid(most))
    const count = Matrices.combinations(matrix, values).length
    if (count > maxInstances) return yield* fail(id, invalid(most))
    const type = "dev.dandori.matrix.expanded.v1"
    const text = JSON.stringify(given.value)
    if (text === "{}") return void recorder.record({ type, data: { task: id, count } }, id)
    if (text.length <= largestValue) {
      return void recorder.record({ type, data: { task: id, count, values: given.value } }, id)
    }
    const artifacts = yield* Artifacts
    const valuesArtifact = yield* artifacts.put("matrix.json", "application/json", text)
    large.set(valuesArtifact.sha256, given.value)
    recorder.record({ type, data: { task: id, count, valuesArtifact } }, id)
  })

  const enter = Effect.fnUntraced(function* (index: number) {
    const { id, pipeline } = plan.tasks[index]
    const given = inputs.input(recorder.state(), index)
    if ("tag" in given) return yield* fail(id, given)
    const schemas = (pipeline?.params ?? {}) as Readonly<Record<string, JsonSchema>>
    const params: Record<string, unknown> = {}
    for (const [name, schema] of Object.entries(schemas)) {
      const value = Object.hasOwn(given.value, name) ? given.value[name] : schema.default
      const [fault] = value === undefined ? ["it has no value"] : validate(value, schema)
      if (fault !== undefined) return yield* fail(id, invalid(`The param ${name} of ${id}: ${fault}`))
      params[name] = value
    }
    const due = pipeline?.timeout === undefined ? {} : { due: Math.round(now() + pipeline.timeout) }
    recorder.record({ type: "dev.dandori.pipeline.entered.v1", data: { task: id, params, ...due } }, id)
  })

  const pause = Effect.fnUntraced(function* (index: number) {
    const { id, pauseUntil } = plan.tasks[index]
    const value = inputs.until(recorder.state(), index)
    if ("tag" in value) return yield* fail(id, value)
    const until = Moment.parse(String(value.value))
    if (until === undefined) {
      const wanted = "it must be one with its offset, like 2026-01-05T22:00:00Z"
      return yield* fail(id, invalid(`pauseUntil of ${id} is no moment: ${JSON.stringify(value.value)}; ${wanted}`))
    }
    const data = { task: id, until, reason: pauseUntil?.reason ?? "" }
    recorder.record({ type: "dev.dandori.task.paused.v1", data }, id)
  })

  const requestApproval = Effect.fnUntraced(function* (index: number) {
    const { approval, id } = plan.tasks[index]
    const input = inputs.input(recorder.state(), index)
    if ("tag" in input) return yield* fail(id, input)
    const due = approval?.timeout === undefined ? {} : { due: Math.round(now() + approval.timeout) }
    const shown =
      JSON.stringify(input.value).length <= largestValue ? { shown: (yield* Secrets).redactValue(input.value) } : {}
    const data = { task: id, input: inputDigest(input.value), approvers: approval?.approvers ?? 1, ...due, ...shown }
    recorder.record({ type: "dev.dandori.approval.requested.v1", data }, id)
  })

  return Effect.fnUntraced(function* (command: Question) {
    const { id, if: text } = plan.tasks[command.task]
    if (command._tag === "ExpireApproval") {
      return void recorder.record({ type: "dev.dandori.approval.expired.v1", data: { task: id } }, id)
    }
    const condition = inputs.condition(recorder.state(), command.task)
    if (typeof condition === "object") return yield* fail(id, condition)
    if (!condition) {
      const reason = `if: ${text} is false`
      return void recorder.record({ type: "dev.dandori.task.skipped.v1", data: { task: id, reason } }, id)
    }
    if (command._tag === "Pause") return yield* pause(command.task)
    if (command._tag === "RequestApproval") return yield* requestApproval(command.task)
    if (plan.tasks[command.task].pipeline !== undefined) return yield* enter(command.task)
    yield* expand(command.task).pipe(
      Effect.catch((error) => fail(id, { tag: error._tag, message: error.message, transient: true })),
    )
  })
}
