import type { JsonSchema } from "../domain/json-schema.ts"
import { Catchup, DstPolicy, Overlap } from "../domain/schedule.ts"

/** The JSON Schema of `schedule` in YAML. `duration` is that of a duration with its unit. */
export const scheduleSchema = (duration: JsonSchema): JsonSchema => ({
  type: "object",
  description: "when the pipeline runs by itself",
  properties: {
    configured: {
      type: "string",
      description: "a schedule of configs/: it says cron, timezone, pauseAfter and retries",
    },
    cron: { type: "string", description: "minute hour day month weekday (OCPS 1.4), or @daily and its like" },
    timezone: { type: "string", description: "an IANA time zone, like Asia/Tokyo" },
    params: { type: "object", description: "values of params; expressions may name run.tick.time, .date and .month" },
    jitter: { ...duration, description: "the most that a start is put off" },
    overlap: {
      enum: [...Overlap.literals],
      description: "when an earlier run of the schedule still goes on (default: skip)",
    },
    catchup: {
      type: "object",
      description: "ticks that passed while nobody watched (default: none of them)",
      properties: {
        policy: { enum: [...Catchup.fields.policy.literals], description: "which of them still run" },
        window: { ...duration, description: "how old a tick may be" },
      },
      required: ["policy"],
      additionalProperties: false,
    },
    dst: {
      type: "object",
      description: "where the clocks jump: a time of day that does not exist, and one that comes twice",
      properties: {
        gap: { enum: [...DstPolicy.fields.gap.literals], description: "for the time that does not exist" },
        overlap: { enum: [...DstPolicy.fields.overlap.literals], description: "for the time that comes twice" },
      },
      additionalProperties: false,
    },
    pauseAfter: {
      type: "integer",
      minimum: 1,
      maximum: 1000,
      description: "runs in a row that failed after which the schedule pauses (default: never)",
    },
  },
  oneOf: [
    { required: ["cron", "timezone"] },
    { required: ["configured"], not: { anyOf: [{ required: ["timezone"] }, { required: ["pauseAfter"] }] } },
  ],
  additionalProperties: false,
})
