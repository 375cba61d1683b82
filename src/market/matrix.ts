/** Samples as columns, the one layout that every trainer and model reads. */

/** A feature matrix: `columns[j][i]` is feature `names[j]` of row i; every column has `rows` values. NaN means missing. */
export interface Matrix {
  readonly rows: number
  readonly columns: ReadonlyArray<Float64Array>
  readonly names: ReadonlyArray<string>
}

/** One label per row, 1 or 0. */
export type LabelValues = ArrayLike<number>

/** A matrix over the given columns (not copied). RangeError when names and columns, or the columns' lengths, differ. */
export const make = (names: ReadonlyArray<string>, columns: ReadonlyArray<Float64Array>): Matrix => {
  if (names.length !== columns.length) throw new RangeError(`${names.length} names for ${columns.length} columns`)
  const rows = columns[0]?.length ?? 0
  const uneven = columns.findIndex((column) => column.length !== rows)
  if (uneven >= 0) {
    throw new RangeError(`Column ${names[uneven]} has ${columns[uneven].length} rows where ${names[0]} has ${rows}`)
  }
  return { rows, columns, names }
}

/** The named rows in the given order, copied. */
export const take = (matrix: Matrix, rows: Int32Array): Matrix => ({
  rows: rows.length,
  columns: matrix.columns.map((column) => takeColumn(column, rows)),
  names: matrix.names,
})

/** The values of one column (or of the labels) at the given rows, copied. */
export const takeColumn = (column: ArrayLike<number>, rows: Int32Array): Float64Array => {
  const taken = new Float64Array(rows.length)
  for (let i = 0; i < rows.length; i++) taken[i] = column[rows[i]]
  return taken
}

/** RangeError unless there is at least one row and every row has a label, 0 or 1. */
export const assertLabelled = (matrix: Matrix, labels: LabelValues): void => {
  if (matrix.rows === 0) throw new RangeError("A model cannot be fitted to no rows")
  if (labels.length !== matrix.rows) throw new RangeError(`${labels.length} labels for ${matrix.rows} rows`)
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] !== 0 && labels[i] !== 1) throw new RangeError(`The label of row ${i} is ${labels[i]}, not 0 or 1`)
  }
}

/** RangeError unless the matrix has exactly the model's features, in the model's order. */
export const assertNames = (matrix: Matrix, names: ReadonlyArray<string>): void => {
  if (matrix.names.length === names.length && matrix.names.every((name, j) => name === names[j])) return
  throw new RangeError(`The model wants the features ${names.join(", ")}; the matrix has ${matrix.names.join(", ")}`)
}
