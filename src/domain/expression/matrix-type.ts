import type { JsonSchema } from "../json-schema.ts"
import * as Matrices from "../matrix.ts"
import type { Matrix } from "../plan.ts"

const distinct = (schemas: ReadonlyArray<JsonSchema>): ReadonlyArray<JsonSchema> => [
  ...new Map(schemas.map((schema) => [JSON.stringify(schema), schema])).values(),
]

const union = (schemas: ReadonlyArray<JsonSchema>): JsonSchema => {
  const kinds = distinct(schemas)
  return kinds.length === 1 ? kinds[0] : kinds.length === 0 ? {} : { anyOf: kinds }
}

/** The type that literal values have together: scalars are their own enum. */
export const ofLiterals = (values: ReadonlyArray<unknown>): JsonSchema => {
  const scalars = (type: string, own: ReadonlyArray<unknown>): ReadonlyArray<JsonSchema> =>
    own.length === 0 ? [] : [{ type, enum: [...new Set(own)] }]
  const numbers = values.filter((value) => typeof value === "number")
  const lists = values.filter((value) => Array.isArray(value))
  const records = values.filter(
    (value): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value),
  )
  const fields = [...new Set(records.flatMap((record) => Object.keys(record)))]
  return union([
    ...scalars(
      "string",
      values.filter((value) => typeof value === "string"),
    ),
    ...(numbers.length === 0 ? [] : [{ type: numbers.every(Number.isInteger) ? "integer" : "number" }]),
    ...(values.some((value) => typeof value === "boolean") ? [{ type: "boolean" }] : []),
    ...(values.includes(null) ? [{ type: "null" }] : []),
    ...(lists.length === 0 ? [] : [{ type: "array", items: ofLiterals(lists.flat()) }]),
    ...(records.length === 0
      ? []
      : [
          {
            type: "object",
            properties: Object.fromEntries(
              fields.map((key) => [
                key,
                ofLiterals(records.flatMap((record) => (Object.hasOwn(record, key) ? [record[key]] : []))),
              ]),
            ),
            required: fields.filter((key) => records.every((record) => Object.hasOwn(record, key))),
          },
        ]),
  ])
}

/**
 * The type of `matrix` in the expressions of a task. `itemOf` gives the type of the items of an axis that the run
 * fills. A key that `include` adds to some combinations only may be absent.
 */
export const typeOf = (matrix: Matrix, itemOf: (axis: string, text: string) => JsonSchema): JsonSchema => {
  const included = matrix.include ?? []
  const literal = Matrices.literalValues(matrix)
  const open = Matrices.openValues(matrix)
  const axes = Object.keys(matrix.values)
  const keys = [...new Set([...axes, ...included.flatMap((entry) => Object.keys(entry))])]
  const isKnown = Object.keys(open).length === 0
  const all =
    isKnown && Matrices.productSize(literal) + included.length <= 1_000
      ? Matrices.combinations(matrix, literal)
      : undefined
  const always = (key: string) =>
    all === undefined
      ? axes.includes(key) && included.every((entry) => Object.hasOwn(entry, key))
      : all.every((one) => Object.hasOwn(one, key))
  return {
    type: "object",
    properties: Object.fromEntries(
      keys.map((key) => {
        const added = included.flatMap((entry) => (Object.hasOwn(entry, key) ? [entry[key]] : []))
        const text = open[key]
        if (text !== undefined)
          return [key, union([itemOf(key, text), ...(added.length === 0 ? [] : [ofLiterals(added)])])]
        return [key, ofLiterals([...(literal[key] ?? []), ...added])]
      }),
    ),
    required: keys.filter(always),
  }
}
