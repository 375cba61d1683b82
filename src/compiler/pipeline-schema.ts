import * as Effect from "effect/Effect"
import { Catalog } from "../domain/catalog.ts"
import * as JsonSchemas from "../domain/json-schema.ts"
import type { JsonSchema } from "../domain/json-schema.ts"
import { Audit } from "../domain/plan.ts"
import type { AnyTaskType } from "../domain/task-type.ts"
import { InputSchemas, definition, nameOf } from "./input-schemas.ts"
import * as Params from "./params.ts"
import * as RetryErrors from "./retry-errors.ts"
import * as StartSchema from "./start-schema.ts"
import { triggersSchema } from "./file-trigger-schema.ts"
import { scheduleSchema } from "./schedule-schema.ts"

const retry: JsonSchema = {
  type: "object",
  description: "How often and after which errors it is tried again",
  properties: {
    attempts: { type: "integer", minimum: 1, maximum: 100, description: "how often in all (default 3)" },
    on: { type: "array", items: { type: "string" }, description: "error tags; default: the errors that are transient" },
    backoff: {
      type: "object",
      description: "the wait before another attempt: initial × factor for each one before, at most max",
      properties: {
        initial: { ...definition("duration"), description: "the first wait (default 1s)" },
        factor: { type: "number", minimum: 1, maximum: 100, description: "default 2" },
        max: { ...definition("duration"), description: "the longest wait (default 1m)" },
        jitter: { enum: ["full", "none"], description: "full (default): a random part of the wait" },
      },
      additionalProperties: false,
    },
  },
  additionalProperties: false,
}

const resources: JsonSchema = {
  type: "object",
  description: "What an attempt holds while it runs",
  properties: {
    cpu: { type: "number", minimum: 0, maximum: 4096, description: "processors, of those of the machine" },
    memory: { ...definition("size"), description: "of the machine's, with a unit: 500MB, 2GiB" },
    gpu: { type: "integer", minimum: 0, maximum: 64, description: "graphics processors" },
    pools: {
      type: "object",
      additionalProperties: { type: "integer", minimum: 1, maximum: 1_000_000 },
      description: "how much of each pool of the resources section of the configuration",
    },
    locks: { type: "array", items: { type: "string" }, description: "names that only one attempt holds at a time" },
  },
  additionalProperties: false,
}

/** One of these names, each with its words. */
const names = (words: Readonly<Record<string, string>>): JsonSchema => ({
  anyOf: Object.entries({ ...words, ...RetryErrors.ofEngine }).map(([name, description]) => ({
    const: name,
    description,
  })),
})

const texts: JsonSchema = { type: "array", items: { type: "string" } }

const task = (types: ReadonlyArray<AnyTaskType>, inputs: ReadonlyMap<string, JsonSchema>): JsonSchema => ({
  type: "object",
  properties: {
    uses: {
      description: "the task type",
      anyOf: [
        ...types.map(({ type, description }) => ({ const: type, description })),
        { type: "string", pattern: "^pipeline/[a-z][a-z0-9_-]{0,63}$", description: "another pipeline of this folder" },
      ],
    },
    with: { type: "object", description: "the task's input" },
    needs: { description: "tasks that must end first, without data from them", anyOf: [{ type: "string" }, texts] },
    if: {
      anyOf: [{ type: "string" }, { type: "boolean" }],
      description: "one expression; the task is skipped where it is false",
    },
    retry: definition("retry"),
    timeout: { ...definition("duration"), description: "of each attempt, with a unit: 90s, 5m, 2d" },
    heartbeat: definition("heartbeat"),
    cache: { type: "boolean", description: "take the output of an equal earlier task; pure task types only" },
    continueOnError: { type: "boolean", description: "a failure is warned, and what needs the task goes on" },
    resources: definition("resources"),
    ...StartSchema.taskProperties,
    description: { type: "string", description: "for people; no part of the plan" },
  },
  required: ["uses"],
  additionalProperties: false,
  allOf: types.map(({ errors, type }) => ({
    if: { properties: { uses: { const: type } }, required: ["uses"] },
    // oxlint-disable-next-line unicorn/no-thenable
    then: {
      properties: {
        with: definition(`with.${nameOf(type)}`),
        ...(errors === undefined ? {} : { retry: { properties: { on: { items: names(errors) } } } }),
      },
      ...((inputs.get(type)?.required ?? []).length > 0 ? { required: ["with"] } : {}),
    },
  })),
})

const param: JsonSchema = {
  type: "object",
  description: "a JSON Schema",
  properties: Object.fromEntries(
    Object.entries(Params.keywords).map(([key, { type, words }]) => [
      key,
      { ...(type === undefined ? {} : type), description: words },
    ]),
  ),
  additionalProperties: false,
  anyOf: [{ required: ["type"] }, { required: ["enum"] }, { required: ["const"] }],
}

/** JSON Schema (2020-12) of the YAML language for these task types. */
export const ofTypes = (types: ReadonlyArray<AnyTaskType>): JsonSchema => {
  const translate = new InputSchemas()
  const inputs = new Map(types.map((type) => [type.type, translate.root(JsonSchemas.ofSchema(type.input))]))
  const block = (description: string): JsonSchema => ({
    type: "object",
    description,
    propertyNames: { pattern: "^[a-z][a-z0-9_]*$" },
    additionalProperties: definition("task"),
  })
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Dandori pipeline",
    type: "object",
    properties: {
      version: { const: 1, description: "of the language" },
      id: { type: "string", pattern: "^[a-z][a-z0-9_-]{0,63}$", description: "names the pipeline in every command" },
      description: { type: "string", description: "for people; no part of the plan" },
      params: {
        type: "object",
        description: "settable with --param",
        propertyNames: { pattern: "^[a-z][a-z0-9_]*$" },
        additionalProperties: definition("param"),
      },
      env: { ...texts, description: "variables of the environment that expressions read" },
      audit: {
        enum: Audit.literals,
        default: "required",
        description:
          "required: no effect without a durable record of its intent. best-effort: the run goes on, and says so, when the ledger cannot be written; for pure and idempotent tasks only",
      },
      timeout: {
        ...definition("duration"),
        description: "of the whole run, or of the sub-pipeline where another one uses it",
      },
      ...StartSchema.pipelineProperties,
      schedule: scheduleSchema(definition("duration")),
      on: triggersSchema(definition("duration")),
      defaults: {
        type: "object",
        description: "what tasks have that do not say it themselves",
        properties: { retry: definition("retry"), heartbeat: definition("heartbeat") },
        additionalProperties: false,
      },
      tasks: { ...block("tasks by id"), minProperties: 1 },
      onFailure: block("tasks that run when the run has failed"),
      onCancel: block("tasks that run when the run was cancelled"),
      finally: block("tasks that run last, however the run ended"),
    },
    required: ["version", "id", "tasks"],
    additionalProperties: false,
    $defs: {
      expression: { type: "string", pattern: "\\$\\{\\{[\\s\\S]*\\}\\}", description: "text with ${{ … }} in it" },
      duration: {
        type: "string",
        pattern:
          "^(?:\\d+\\s+(?:millisecond|second|minute|hour|day|week)s?|(?:\\d+(?:\\.\\d+)?(?:ms|s|m|h|d|w))+|P.+)$",
        description: "with a unit: 90s, 5m, 2d, or ISO 8601",
      },
      size: {
        type: "string",
        pattern: "^\\d+(?:\\.\\d+)?\\s*(?:[kKMGT]i?B|B)$",
        description: "with a unit: 500MB, 2GiB",
      },
      heartbeat: {
        ...definition("duration"),
        description:
          "an attempt that gives no sign of life (log line, progress, output of a child process) for so long is stopped and counts as lost",
      },
      secret: {
        type: "string",
        pattern: "^\\$\\{(env:[A-Za-z_][A-Za-z0-9_]*|file:[^}]+)\\}$",
        description: "where a secret is: ${env:NAME} or ${file:path}; no expression",
      },
      param,
      retry,
      resources,
      task: task(types, inputs),
      ...Object.fromEntries([...inputs].map(([type, input]) => [`with.${nameOf(type)}`, input])),
      ...translate.definitions,
    },
  }
}

/** The schema's text for all task types of the catalog, as `dandori schema` writes it. */
export const generate = Effect.gen(function* () {
  const catalog = yield* Catalog
  const types = yield* Effect.forEach(catalog.names, catalog.load)
  return `${JSON.stringify(ofTypes(types.flatMap((type) => type ?? [])), null, 2)}\n`
})
