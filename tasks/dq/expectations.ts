import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Json } from "../../src/domain/canonical-json.ts"
import * as Located from "../../src/domain/config/located.ts"
import { line, Problem } from "../../src/domain/config/problem.ts"
import * as SectionCheck from "../../src/domain/config/section-check.ts"
import { Duration } from "../../src/domain/quantity.ts"

const Column = Schema.String.check(Schema.isMinLength(1))
const Rate = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
const Positive = Schema.Finite.check(Schema.isGreaterThan(0))
const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))

const each = {
  name: Schema.optionalKey(Schema.String.check(Schema.isMinLength(1))),
  severity: Schema.optionalKey(Schema.Literals(["error", "warn"])),
}
const columns = { columns: Schema.optionalKey(Schema.Array(Column).check(Schema.isMinLength(1))) }
const rate = { max_rate: Schema.optionalKey(Rate).annotate({ description: "share of rows that may fail; default 0" }) }

/** SQL whose answer is another one tomorrow, or each time. */
const fleeting =
  /\b(?:current_(?:date|time|timestamp)|localtime(?:stamp)?|tablesample|using\s+sample|(?:now|today|age|random|setseed|uuid(?:v[47])?|gen_random_uuid|get_current_time(?:stamp)?|transaction_timestamp|txid_current|nextval)\s*\()/i

/** One entry of `checks:`. Without columns a check looks at a bar's own: the timestamp, the prices and the volume. */
export const Check = Schema.Union([
  Schema.Struct({ check: Schema.Literal("unique"), ...columns, ...each }),
  Schema.Struct({ check: Schema.Literal("ordered"), column: Schema.optionalKey(Column), ...each }),
  Schema.Struct({ check: Schema.Literal("max_gap"), max: Schema.optionalKey(Duration), ...each }),
  Schema.Struct({ check: Schema.Literal("ohlc_consistent"), ...each }),
  Schema.Struct({ check: Schema.Literal("finite"), ...columns, ...each }),
  Schema.Struct({
    check: Schema.Literal("type"),
    ...columns,
    type: Schema.optionalKey(Schema.Literals(["number", "integer", "boolean", "timestamp"])),
    ...each,
  }),
  Schema.Struct({
    check: Schema.Literal("allowed_values"),
    column: Column,
    values: Schema.Array(Schema.Union([Schema.String, Schema.Finite])).check(Schema.isMinLength(1)),
    ...each,
  }),
  Schema.Struct({ check: Schema.Literal("regex"), column: Column, pattern: Column, ...each }),
  Schema.Struct({
    check: Schema.Literal("freshness"),
    max: Duration,
    as_of: Schema.optionalKey(Schema.String).annotate({
      description: "a time in UTC; default: the input's asOf, and one of the two must be there",
    }),
    ...each,
  }),
  Schema.Struct({
    check: Schema.Literal("spike"),
    factor: Schema.optionalKey(Positive),
    window: Schema.optionalKey(Count),
    ...rate,
    ...each,
  }),
  Schema.Struct({ check: Schema.Literal("outlier"), sigma: Schema.optionalKey(Positive), ...rate, ...each }),
  Schema.Struct({
    check: Schema.Literal("stale"),
    repeats: Schema.optionalKey(Count).annotate({
      description: "equal bars in a row after the first that fail; default 1",
    }),
    ...rate,
    ...each,
  }),
  Schema.Struct({ check: Schema.Literal("conflict"), ...columns, ...each }),
  Schema.Struct({
    check: Schema.Literal("sql"),
    name: Schema.String.check(Schema.isMinLength(1)),
    query: Schema.String.check(
      Schema.isMinLength(1),
      Schema.makeFilter(
        (query) => !fleeting.test(query) || "must not ask for the time or for chance: the same bytes have one verdict",
      ),
    ).annotate({
      description: "a SELECT on the table `data`; each row that it returns fails; _file and _row say where",
    }),
    severity: each.severity,
  }),
])
export type Check = typeof Check.Type

/**
 * What data must be: the runbook's format, and `checks`. Without the key `checks` the usual ones of bars apply (`usual`);
 * with it exactly those that it lists.
 */
export const Expectations = Schema.Struct({
  name: Schema.String,
  required_columns: Schema.optionalKey(Schema.Array(Column)),
  min_rows: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))),
  max_missing_rate: Schema.optionalKey(Rate),
  column_ranges: Schema.optionalKey(
    Schema.Record(Schema.String, Schema.Tuple([Schema.NullOr(Schema.Finite), Schema.NullOr(Schema.Finite)])),
  ),
  checks: Schema.optionalKey(Schema.Array(Check)),
}).annotate({ identifier: "DqExpectations" })
export type Expectations = typeof Expectations.Type

/** The checks of bars where the file lists none: what is certainly wrong fails, what is only odd warns. */
export const usual: ReadonlyArray<Check> = [
  { check: "type" },
  { check: "finite" },
  { check: "unique" },
  { check: "ordered" },
  { check: "max_gap" },
  { check: "ohlc_consistent" },
  { check: "spike", severity: "warn" },
  { check: "outlier", severity: "warn" },
  { check: "stale", severity: "warn" },
]

/** The expectations file cannot be used; all that is wrong with it, with places. */
export class ExpectationsInvalid extends Schema.TaggedError<ExpectationsInvalid>()("ExpectationsInvalid", {
  file: Schema.String,
  problems: Schema.Array(Problem),
}) {
  readonly notApplied = true
  override get message() {
    return `The expectations cannot be used:\n${this.problems.map((problem) => `  ${line(problem)}`).join("\n")}`
  }
}

/** Freshness with no time to measure it at: a verdict that follows the clock would be wrong once it is remembered. */
const timeless = (value: Located.Located): ReadonlyArray<Problem> => {
  const checks = value.kind === "map" ? value.entries.get("checks") : undefined
  const items = checks?.kind === "list" ? checks.items : []
  return items.flatMap((item, index) => {
    const { as_of, check } = Located.toJson(item) as { readonly as_of?: Json; readonly check?: Json }
    if (check !== "freshness" || as_of !== undefined) return []
    const message = "needs a time to measure at: give as_of here, or asOf in the task's input"
    return [{ ...item.at, path: `checks[${index}]`, message }]
  })
}

/**
 * Reads expectations in YAML (or JSON). Unknown keys and checks are errors with line, column and the name that was meant.
 * `asOf` is the time that the input gives to freshness checks without one of their own.
 */
export const parse = (
  file: string,
  text: string,
  asOf: string | undefined,
): Effect.Effect<Expectations, ExpectationsInvalid> => {
  const { problems, value } = Located.fromYaml(file, text)
  if (problems.length > 0) return Effect.fail(new ExpectationsInvalid({ file, problems }))
  if (value === undefined) {
    const problem = { file, line: 1, column: 1, path: "", message: "is empty; it needs at least a name" }
    return Effect.fail(new ExpectationsInvalid({ file, problems: [problem] }))
  }
  return Result.match(SectionCheck.check(Expectations, value), {
    onFailure: (found) => Effect.fail(new ExpectationsInvalid({ file, problems: found })),
    onSuccess: (expectations) => {
      const found = asOf === undefined ? timeless(value) : []
      return found.length > 0
        ? Effect.fail(new ExpectationsInvalid({ file, problems: found }))
        : Effect.succeed(expectations)
    },
  })
}
