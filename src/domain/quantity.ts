import * as Schema from "effect/Schema"

const durationUnits: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}
const unitWords: Record<string, string> = {
  millisecond: "ms",
  second: "s",
  minute: "m",
  hour: "h",
  day: "d",
  week: "w",
}
const iso = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,3})?)S)?)?$/
const sizeUnits: Record<string, number> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}

/**
 * Milliseconds of a duration text: `90s`, `1m30s`, `30 minutes`, `2d`, or ISO 8601 (`PT5M`).
 * Undefined when the text is none; a bare number has no unit and is none.
 */
export const parseDuration = (text: string): number | undefined => {
  const match = iso.exec(text)
  if (match && text.length > 2 && !text.endsWith("T")) {
    const [, w, d, h, m, s] = match.map((part) => (part === undefined ? 0 : Number(part)))
    return Math.round(w * 604_800_000 + d * 86_400_000 + h * 3_600_000 + m * 60_000 + s * 1_000)
  }
  const word = /^(\d+)\s+(millisecond|second|minute|hour|day|week)s?$/.exec(text)
  if (word) return Number(word[1]) * durationUnits[unitWords[word[2]]]
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d|w))+$/.test(text)) return undefined
  let total = 0
  for (const part of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g)) total += Number(part[1]) * durationUnits[part[2]]
  return Math.round(total)
}

/** Shortest exact text of a duration: `90000` is `1m30s`. */
export const formatDuration = (millis: number): string => {
  if (millis === 0) return "0s"
  let rest = millis
  let out = ""
  for (const unit of ["d", "h", "m", "s", "ms"]) {
    const count = Math.floor(rest / durationUnits[unit])
    if (count > 0) out += `${count}${unit}`
    rest -= count * durationUnits[unit]
  }
  return out
}

/** Bytes of a size text: `2GiB`, `500MB`. Undefined when the text is none. */
export const parseSize = (text: string): number | undefined => {
  const match = /^(\d+(?:\.\d+)?)\s*([kKMGT]i?B|B)$/.exec(text)
  if (!match || sizeUnits[match[2]] === undefined) return undefined
  return Math.round(Number(match[1]) * sizeUnits[match[2]])
}

/** Short text of a size in binary units: `1536` is `1.5 KiB`. */
export const formatSize = (bytes: number): string => {
  for (const unit of ["TiB", "GiB", "MiB", "KiB"]) {
    if (bytes >= sizeUnits[unit]) return `${Number((bytes / sizeUnits[unit]).toFixed(1))} ${unit}`
  }
  return `${bytes} B`
}

/** A duration with its unit, as text: `90s`, `5m`, `2d`, ISO 8601. */
export const Duration = Schema.String.check(
  Schema.makeFilter(
    (text) => parseDuration(text) !== undefined || "must be a duration with a unit, like 90s, 5m or 2d",
  ),
  Schema.isMinLength(1),
).annotate({ identifier: "Duration" })

/** A size with its unit, as text: `2GiB`, `500MB`. */
export const Size = Schema.String.check(
  Schema.makeFilter((text) => parseSize(text) !== undefined || "must be a size with a unit, like 500MB or 2GiB"),
  Schema.isMinLength(1),
).annotate({ identifier: "Size" })
