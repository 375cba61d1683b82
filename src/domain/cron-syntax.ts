import { didYouMean } from "./suggest.ts"

/** A field of a pattern: its values, and its names from the first value on. */
interface Field {
  readonly name: string
  readonly from: number
  readonly to: number
  readonly names: ReadonlyArray<string>
}

const months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
const weekdays = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]

const dayOfMonth: Field = { name: "day of month", from: 1, to: 31, names: [] }
const dayOfWeek: Field = { name: "day of week", from: 0, to: 7, names: weekdays }
/** The years that every implementation of the specification has; `*` is all of them, so that steps begin in 1970. */
const year: Field = { name: "year", from: 1970, to: 2199, names: [] }

const fields: ReadonlyArray<Field> = [
  { name: "second", from: 0, to: 59, names: [] },
  { name: "minute", from: 0, to: 59, names: [] },
  { name: "hour", from: 0, to: 23, names: [] },
  dayOfMonth,
  { name: "month", from: 1, to: 12, names: months },
  dayOfWeek,
  year,
]

const nicknames: ReadonlyMap<string, string> = new Map([
  ["@yearly", "0 0 1 1 *"],
  ["@annually", "0 0 1 1 *"],
  ["@monthly", "0 0 1 * *"],
  ["@weekly", "0 0 * * 0"],
  ["@daily", "0 0 * * *"],
  ["@midnight", "0 0 * * *"],
  ["@hourly", "0 * * * *"],
])

const trimmed = (text: string): string => text.replace(/^[ \t]+|[ \t]+$/g, "")

/** True for the pattern that names no times, but the start of a machine. */
export const isEvent = (text: string): boolean => trimmed(text) === "@reboot"

/** The parts of a pattern, in capitals, with its nickname written out: as many as it has. */
const partsOf = (text: string): ReadonlyArray<string> => {
  const written = nicknames.get(trimmed(text)) ?? trimmed(text)
  return written === "" ? [] : written.toUpperCase().split(/[ \t]+/)
}

/** All seven parts: without a second it is 0, without a year every one. */
const filled = (parts: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (parts.length === 5) return ["0", ...parts, "*"]
  return parts.length === 6 ? [...parts, "*"] : parts
}

const character = (text: string): string => {
  const code = (text.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")
  return /[\s\p{C}]/u.test(text) ? `U+${code}` : `"${text}"`
}

const valueOf = ({ from, names }: Field, text: string): number => {
  const named = names.indexOf(text)
  return named === -1 ? Number(text) : named + from
}

const valueProblem = (field: Field, text: string): string | undefined => {
  const { from, name, names, to } = field
  if (names.includes(text)) return undefined
  if (!/^\d+$/.test(text)) return `there is no ${name} "${text}"`
  const value = valueOf(field, text)
  return value < from || value > to ? `the ${name} ${text} is not in ${from}-${to}` : undefined
}

const rangeProblem = (field: Field, start: string, end: string): string | undefined => {
  const problem = valueProblem(field, start) ?? valueProblem(field, end)
  if (problem !== undefined) return problem
  const last = field === dayOfWeek && end === "SUN" ? 7 : valueOf(field, end)
  if (valueOf(field, start) <= last) return undefined
  const both = `${start}-${field.to},${field.from}-${end}`
  return `the range ${start}-${end} of the ${field.name} ends before it begins: write ${both} if it goes round`
}

const stepProblem = (field: Field, base: string, step: string): string | undefined => {
  const { from, name, to } = field
  const most = (name === "day of week" ? to : to + 1) - from
  if (base === "") return `"/${step}" is a step of nothing: write */${step}`
  if (base !== "*" && !base.includes("-")) {
    return valueProblem(field, base) ?? `"${base}/${step}" is a step of one ${name}: write ${base}-${to}/${step}`
  }
  if (!/^\d+$/.test(step)) return `"${base}/${step}" has no number for its step`
  return Number(step) < 1 || Number(step) > most ? `the step ${step} of the ${name} is not in 1-${most}` : undefined
}

const itemProblem = (field: Field, item: string): string | undefined => {
  if (item === "") return `an item of the ${field.name} is empty`
  if (field === dayOfMonth && item === "L") return undefined
  const [, weekday, nth] = (field === dayOfWeek && /^([A-Z\d]+?)(?:#(.*)|L)$/.exec(item)) || []
  if (weekday !== undefined) {
    if (nth === undefined || /^[1-5L]$/.test(nth)) return valueProblem(field, weekday)
    return `"${item}" names which one by 1 to 5, or L for the last`
  }
  const [, base, step] = /^([^/]*)\/(.*)$/.exec(item) ?? [undefined, item, undefined]
  const wrongStep = step === undefined ? undefined : stepProblem(field, base, step)
  if (wrongStep !== undefined || base === "*") return wrongStep
  const [, start, end] = /^([^-]*)-(.*)$/.exec(base) ?? []
  return start === undefined ? valueProblem(field, base) : rangeProblem(field, start, end)
}

const partProblem = (field: Field, part: string): string | undefined => {
  const list = field === dayOfWeek ? part.replace(/^\+/, "") : part
  if (list.includes("+")) return "+ stands before the whole day of week, and nowhere else"
  if (list.includes("?") && field !== dayOfMonth && field !== dayOfWeek) {
    return `? stands for * in a day of month and a day of week, not in the ${field.name}: write *`
  }
  if (field === dayOfMonth && list.includes("W")) {
    const [, day] = /^(L|\d+)W$/.exec(list) ?? []
    if (day !== undefined) return day === "L" ? undefined : valueProblem(field, day)
    return "W is of one day of month, like 15W: it stands alone"
  }
  for (const item of list.replaceAll("?", "*").split(",")) {
    const problem = itemProblem(field, item)
    if (problem !== undefined) return problem
  }
  return undefined
}

/**
 * Why a text is no cron pattern of the Open Cron Pattern Specification 1.0 to 1.4: five fields, six with a second before
 * them, seven with a year (1970 to 2199) after them, or `@daily` and its like.
 */
export const problem = (text: string): string | undefined => {
  const names = [...nicknames.keys(), "@reboot"]
  if (names.includes(trimmed(text))) return undefined
  if (text.includes("@")) return `there is no "${trimmed(text)}".${didYouMean(trimmed(text), names)}`
  const strange = /[^ \tA-Za-z0-9*,\-/?+#]/u.exec(text)?.[0]
  if (strange !== undefined) return `the character ${character(strange)} has no meaning in a pattern`
  const parts = partsOf(text)
  if (parts.length < 5) {
    return `it has ${parts.length} of the five fields minute, hour, day of month, month and day of week`
  }
  if (parts.length > 7) return `it has ${parts.length} fields; the most are seven, from second to year`
  for (const [i, part] of filled(parts).entries()) {
    const found = partProblem(fields[i], part)
    if (found !== undefined) return found
  }
  return undefined
}

/** The pattern in one form: nicknames written out, single spaces, names in capitals. */
export const normalise = (text: string): string => partsOf(text).join(" ")

/** A field's list as croner takes it in the sense of the specification, of which it has its own where `*` is in a list. */
const plainList = (field: Field, list: string): string => {
  const items = list.replaceAll("?", "*").split(",")
  if (items[0] === "*") return "*"
  if (items.includes("*")) return `${field.from}-${field.to}`
  if (field === year) return items.map((item) => item.replace(/^\*/, `${year.from}-${year.to}`)).join(",")
  return items.map((item) => (field === dayOfWeek ? item.replace(/^SUN-SUN/, "0-0") : item)).join(",")
}

/**
 * The pattern in seven fields and in words that croner takes as the specification means them: a list that begins with `*`
 * restricts nothing, a step over all years begins in 1970, and a week from Sunday to Sunday is a Sunday.
 */
export const plain = (pattern: string): string =>
  filled(partsOf(pattern))
    .map((part, i) => {
      const list = part.replace(/^\+/, "")
      return `${list === part ? "" : "+"}${plainList(fields[i], list)}`
    })
    .join(" ")
