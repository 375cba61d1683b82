import type * as Schema from "effect/Schema"

const shown = (value: unknown): string => {
  const text = JSON.stringify(value)
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}

const isMap = (value: unknown): value is Readonly<Record<string, Schema.Json>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/**
 * Where a JSON value does not contain another: each key of a map must be there and contain its value, lists have equal
 * length and contain each other item by item, all else is equal. Empty when it does. Places are like `$.model.files[0]`.
 */
export const differences = (expected: Schema.Json, actual: Schema.Json, path = "$"): ReadonlyArray<string> => {
  if (isMap(expected)) {
    if (!isMap(actual)) return [`${path} is ${shown(actual)}, not a map`]
    return Object.entries(expected).flatMap(([key, value]) =>
      Object.hasOwn(actual, key) ? differences(value, actual[key], `${path}.${key}`) : [`${path}.${key} is missing`],
    )
  }
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return [`${path} is ${shown(actual)}, not a list`]
    if (actual.length !== expected.length) return [`${path} has ${actual.length} items, not ${expected.length}`]
    return expected.flatMap((value, index) => differences(value, actual[index], `${path}[${index}]`))
  }
  return expected === actual ? [] : [`${path} is ${shown(actual)}, not ${shown(expected)}`]
}
