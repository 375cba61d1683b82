import type { JsonSchema } from "../domain/json-schema.ts"

const definition = (name: string): JsonSchema => ({ $ref: `#/$defs/${name}` })
const axisName = "^[a-z][a-z0-9_]*$"
const label: JsonSchema = { type: "string", pattern: "^[a-z0-9][a-z0-9_.-]{0,62}$" }
const entries: JsonSchema = { type: "array", items: { type: "object" } }

/** What a task says of how it starts, for editors: how many of it, when, by whose word, where. */
export const taskProperties: Readonly<Record<string, JsonSchema>> = {
  matrix: {
    type: "object",
    description: "one instance for each combination of values; tasks.<id> is the list of their outputs",
    properties: {
      values: {
        type: "object",
        description: "axes by name, each a list or one expression that gives a list; matrix.<axis> in expressions",
        propertyNames: { pattern: axisName },
        additionalProperties: { anyOf: [{ type: "array" }, definition("expression")] },
      },
      include: { ...entries, description: "more keys for combinations that match, or more combinations" },
      exclude: { ...entries, description: "combinations to leave out" },
      "fail-fast": { type: "boolean", description: "stop the others when one fails (default true)" },
      "max-parallel": { type: "integer", minimum: 1, maximum: 10_000, description: "instances that run at once" },
    },
    additionalProperties: false,
  },
  approval: {
    type: "object",
    description: "people who must agree before it starts",
    properties: {
      approvers: { type: "integer", minimum: 1, maximum: 20, description: "distinct people, not the requester" },
      timeout: { ...definition("duration"), description: "how long people may take (default: for ever)" },
      onTimeout: { enum: ["fail", "skip"], description: "what becomes of the task then (default fail)" },
    },
    additionalProperties: false,
  },
  pauseUntil: {
    type: "object",
    description: "a moment before which it does not start",
    properties: {
      reason: { type: "string", description: "shown while it waits" },
      until: { type: "string", description: "like 2026-01-05T22:00:00Z, or one expression" },
    },
    required: ["reason", "until"],
    additionalProperties: false,
  },
  labels: { type: "array", items: label, description: "labels that a worker must have to take it" },
  priority: { type: "integer", minimum: -1_000, maximum: 1_000, description: "higher starts first (default 0)" },
}

/** What a pipeline says of its runs and of its use by others. */
export const pipelineProperties: Readonly<Record<string, JsonSchema>> = {
  concurrency: {
    type: "object",
    description: "how many runs of a group go on at once",
    properties: {
      group: { ...label, description: "runs of all pipelines that name it count together" },
      limit: { type: "integer", minimum: 1, maximum: 1_000, description: "default 1" },
      onConflict: {
        enum: ["queue", "cancel-running", "fail"],
        description:
          "what becomes of one too many: it waits (default), takes the place of a running one, or is refused",
      },
    },
    required: ["group"],
    additionalProperties: false,
  },
  outputs: {
    type: "object",
    description: "what a pipeline that uses this one sees of it",
    propertyNames: { pattern: axisName },
    additionalProperties: definition("expression"),
  },
}
