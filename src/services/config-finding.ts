/**
 * `missing`: something that this environment needs is not there. `error`: something is there and is wrong. `unavailable`:
 * a server does not answer now; the configuration may be right.
 */
export type Level = "ok" | "warning" | "missing" | "error" | "unavailable"

/** One thing that was looked at. `fix` says what to do; it is empty when nothing is to be done. */
export interface Finding {
  /** A section's name, or `configuration` where it belongs to none. */
  readonly section: string
  readonly level: Level
  readonly what: string
  readonly fix: string
}

/** Nothing is to be done. */
export const ok = (section: string, what: string): Finding => ({ section, level: "ok", what, fix: "" })

/** Something is to be done. */
export const bad = (section: string, level: Exclude<Level, "ok">, what: string, fix: string): Finding => ({
  section,
  level,
  what,
  fix,
})
