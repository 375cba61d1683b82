import type { JsonSchema } from "../domain/json-schema.ts"

/** The JSON Schema of `on` in YAML. `duration` is that of a duration with its unit. */
export const triggersSchema = (duration: JsonSchema): JsonSchema => ({
  type: "object",
  description: "what starts the pipeline beside its schedule and people",
  properties: {
    files: {
      type: "object",
      description: "files that arrive: one run for each",
      properties: {
        path: { type: "string", minLength: 1, description: "a pattern, relative to the project: incoming/*.csv" },
        complete: {
          description: "when a file is complete",
          anyOf: [
            { const: "rename", description: "at once: it gets its name when it is whole" },
            { ...duration, description: "when its size and time have not changed for so long" },
            {
              type: "object",
              description: "when a file of its name and this end was made after it",
              properties: { marker: { type: "string", minLength: 1, description: "like .done" } },
              required: ["marker"],
              additionalProperties: false,
            },
          ],
        },
        params: {
          type: "object",
          description: "values of params; expressions may name run.file.path, .name and .size",
        },
      },
      required: ["path", "complete"],
      additionalProperties: false,
    },
  },
  required: ["files"],
  additionalProperties: false,
})
