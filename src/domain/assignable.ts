import { type JsonSchema, branches, describe, field, isAny } from "./json-schema.ts"

const gates: ReadonlyArray<{ readonly prefix: string; readonly hint: string }> = [
  { prefix: "Checked<", hint: "only a data-quality gate gives one: pass the output of a dq task" },
  { prefix: "Gated<", hint: "only a gate gives one: pass the output of a backtest task" },
]

/** For a type that only a gate's output has: how to come by one. */
export const gateHint = ({ "x-name": name }: JsonSchema): string | undefined =>
  name === undefined ? undefined : gates.find(({ prefix }) => name.startsWith(prefix))?.hint

const mismatch = (from: JsonSchema, to: JsonSchema) => `expected ${describe(to)}, got ${describe(from)}`

const values = (schema: JsonSchema): ReadonlyArray<unknown> | undefined =>
  schema.enum ?? (schema.const === undefined ? undefined : [schema.const])

const single = (from: JsonSchema, to: JsonSchema): string | undefined => {
  if (isAny(to)) return undefined
  const hint = gateHint(to)
  if (hint !== undefined) return from["x-name"] === to["x-name"] ? undefined : `${mismatch(from, to)}; ${hint}`
  if (isAny(from)) return undefined
  const allowed = values(to)
  if (allowed !== undefined) {
    const given = values(from)
    if (given === undefined) return `${mismatch(from, to)}; give the value an enum in its schema`
    const other = given.find((value) => !allowed.includes(value))
    return other === undefined ? undefined : `${JSON.stringify(other)} is none of ${describe(to)}`
  }
  if (to.type === from.type || (to.type === "number" && from.type === "integer")) {
    if (to.type === "array") {
      const reason = assignable(from.items ?? {}, to.items ?? {})
      return reason === undefined ? undefined : `in the list: ${reason}`
    }
    return to.type === "object" ? fields(from, to) : undefined
  }
  return mismatch(from, to)
}

const fields = (from: JsonSchema, to: JsonSchema): string | undefined => {
  for (const [key, target] of Object.entries(to.properties ?? {})) {
    const source = field(from, key)
    const needed = to.required?.includes(key) === true
    if (source === undefined) {
      if (needed && from.properties !== undefined) return `${mismatch(from, to)}: ${key} is missing`
      continue
    }
    if (needed && from.required?.includes(key) !== true) return `${mismatch(from, to)}: ${key} may be absent`
    const reason = assignable(source, target)
    if (reason !== undefined) return `${key}: ${reason}`
  }
  if (typeof to.additionalProperties === "object") {
    for (const [key, source] of Object.entries(from.properties ?? {})) {
      if (field(to, key) !== undefined) continue
      const reason = assignable(source, to.additionalProperties)
      if (reason !== undefined) return `${key}: ${reason}`
    }
  }
  return undefined
}

/** Why a value of one type does not fit another; undefined when every such value does, as far as types tell. */
export const assignable = (from: JsonSchema, to: JsonSchema): string | undefined => {
  for (const source of branches(from)) {
    const reasons = branches(to).map((target) => single(source, target))
    if (!reasons.includes(undefined)) return reasons.length === 1 ? reasons[0] : mismatch(source, to)
  }
  return undefined
}
