/** A duration for people: `340 ms`, `8.1 s`, `2 min 03 s`, `1 h 05 min`. */
export const duration = (millis: number): string => {
  if (millis < 1_000) return `${Math.max(0, Math.round(millis))} ms`
  if (millis < 59_950) return `${(millis / 1_000).toFixed(1)} s`
  const seconds = Math.round(millis / 1_000)
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${pad(seconds % 60)} s`
  const minutes = Math.round(seconds / 60)
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`
}

const pad = (value: number): string => String(value).padStart(2, "0")

/** The time of day on this machine's clock, `12:00:01`. */
export const timeOfDay = (time: number): string => {
  const at = new Date(time)
  return `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`
}

/** Date and time of day on this machine's clock, `2026-03-04 12:00:01`. */
export const dateTime = (time: number): string => {
  const at = new Date(time)
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${timeOfDay(time)}`
}
