import * as Schema from "effect/Schema"
import { Size } from "../quantity.ts"
import { Count, Name, Positive } from "./measure.ts"

const Auto = Schema.Literal("auto")

/**
 * What this machine gives to tasks: `cpu` in cores, `memory` a size, `auto` is what the machine has. `pools` are counted
 * resources by name.
 */
export const ResourcesSection = Schema.Struct({
  machine: Schema.Struct({ cpu: Schema.Union([Auto, Positive]), memory: Schema.Union([Auto, Size]) }),
  pools: Schema.Record(Name, Count),
})
export type ResourcesSection = typeof ResourcesSection.Type
