import * as Template from "../domain/expression/template.ts"
import * as Matrices from "../domain/matrix.ts"
import { type Matrix, maxInstances } from "../domain/plan.ts"
import type { FieldReader } from "./field-reader.ts"
import { type Located, get, kindOf, toJson } from "./located.ts"
import type { Span } from "./source.ts"

/** A matrix as the author wrote it; `open` are the axes that the run gives, with their places. */
export interface MatrixDefinition {
  readonly matrix: Matrix
  readonly at: Span
  readonly open: ReadonlyMap<string, Span>
  /** Whether something in it is wrong, so that what it gives is not known. */
  readonly broken: boolean
}

const keys = ["values", "include", "exclude", "fail-fast", "max-parallel"]
const axisPattern = /^(?!constructor$)[a-z][a-z0-9_]*$/

const hasExpression = (node: Located): boolean => Template.hasExpression(JSON.stringify(toJson(node)))

const readValues = (reader: FieldReader, node: Located, path: string) => {
  const values: Record<string, ReadonlyArray<unknown> | string> = {}
  const open = new Map<string, Span>()
  if (node.kind !== "map") {
    reader.report(
      node.at,
      path,
      `values must be a map of axes, like { symbol: [EURUSD, GBPUSD] }, not ${kindOf(node)}.`,
    )
    return { values, open }
  }
  for (const { key, keyAt, value } of node.entries) {
    const here = `${path}.${key}`
    if (!axisPattern.test(key)) reader.report(keyAt, here, `"${key}" is no axis: small letters, digits and _.`)
    if (value.kind === "scalar" && typeof value.value === "string" && Template.hasExpression(value.value)) {
      values[key] = value.value
      open.set(key, value.at)
    } else if (value.kind !== "list") {
      reader.report(
        value.at,
        here,
        `An axis must be a list, or one expression that gives a list, not ${kindOf(value)}.`,
      )
    } else if (hasExpression(value)) {
      reader.report(value.at, here, "A list of an axis holds no expressions. Let one expression give the whole list.")
    } else values[key] = value.items.map(toJson)
  }
  return { values, open }
}

const readEntries = (
  reader: FieldReader,
  parent: Located,
  key: "include" | "exclude",
  path: string,
  axes: ReadonlyArray<string>,
) => {
  const node = get(parent, key)
  if (node === undefined) return []
  const here = `${path}.${key}`
  if (node.kind !== "list") {
    reader.report(node.at, here, `${key} must be a list of maps, not ${kindOf(node)}.`)
    return []
  }
  return node.items.flatMap((item, i) => {
    if (item.kind !== "map" || hasExpression(item)) {
      reader.report(item.at, `${here}[${i}]`, `Each of ${key} must be a map of plain values.`)
      return []
    }
    for (const { key: name, keyAt } of item.entries) {
      const known = key === "include" ? axisPattern.test(name) : axes.includes(name)
      const why =
        key === "include" ? "is no name: small letters, digits and _" : `is no axis; the axes are ${axes.join(", ")}`
      if (!known) reader.report(keyAt, `${here}[${i}].${name}`, `"${name}" ${why}.`)
    }
    return [toJson(item) as Record<string, unknown>]
  })
}

/** The `matrix` of a task. Where all values are literal, their number is checked too. */
export const readMatrix = (reader: FieldReader, parent: Located, parentPath: string): MatrixDefinition | undefined => {
  const node = get(parent, "matrix")
  if (node === undefined) return undefined
  const path = `${parentPath}.matrix`
  const before = reader.diagnostics.length
  if (reader.map(node, path, "matrix", keys) === undefined) return undefined
  const valuesNode = get(node, "values")
  const { open, values } =
    valuesNode === undefined
      ? { values: {}, open: new Map<string, Span>() }
      : readValues(reader, valuesNode, `${path}.values`)
  const axes = Object.keys(values)
  const include = readEntries(reader, node, "include", path, axes)
  const exclude = readEntries(reader, node, "exclude", path, axes)
  if (axes.length === 0 && include.length === 0 && reader.diagnostics.length === before) {
    reader.report(node.at, path, "A matrix needs values, like values: { symbol: [EURUSD, GBPUSD] }, or include.")
  }
  const failFast = reader.flag(node, "fail-fast", path)
  const maxParallel = reader.number(node, "max-parallel", path, { min: 1, max: maxInstances, whole: true })
  const matrix: Matrix = {
    values,
    ...(include.length === 0 ? {} : { include }),
    ...(exclude.length === 0 ? {} : { exclude }),
    ...(failFast === false ? { failFast } : {}),
    ...(maxParallel === undefined ? {} : { maxParallel }),
  }
  const size = Matrices.productSize(Matrices.literalValues(matrix))
  if (open.size === 0 && size > maxInstances) {
    reader.report(node.at, path, `This matrix has ${size} instances; at most ${maxInstances} are possible.`)
  }
  return { matrix, at: node.at, open, broken: reader.diagnostics.length > before }
}
