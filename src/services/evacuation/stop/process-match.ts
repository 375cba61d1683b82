import * as Effect from "effect/Effect"
import { resolve } from "node:path"
import type { ProcessMatch } from "../../../domain/config/evacuation.ts"
import { argvFits } from "../../../domain/process-pattern.ts"
import { type Row, table } from "../../process-table.ts"
import * as Users from "../../users.ts"
import * as Facts from "./process-facts.ts"

/** A process that a `ProcessMatch` means, and by what it was found. */
export interface Match {
  readonly row: Row
  readonly why: string
}

/** A process with the same words that is not meant, and the condition that it does not meet. */
export interface Near {
  readonly row: Row
  readonly reason: string
}

/** What was found of a `ProcessMatch`. */
export interface Found {
  readonly found: ReadonlyArray<Match>
  readonly near: ReadonlyArray<Near>
}

/**
 * The processes that are never stopped, whatever matches them: this one, those that it descends from, the machine's first
 * process, the kernel's threads.
 */
export const untouchable = (rows: ReadonlyArray<Row>): ReadonlySet<number> => {
  const byPid = new Map(rows.map((row) => [row.pid, row]))
  const pids = new Set([0, 1])
  for (let pid = process.pid; !pids.has(pid); pid = byPid.get(pid)?.parent ?? 0) pids.add(pid)
  // In a container 2 may be any process; the kernel's own has no arguments.
  if (!byPid.has(2) || Facts.argvOf(2).length > 0) return pids
  for (const { parent, pid } of rows) if (pid === 2 || parent === 2) pids.add(pid)
  return pids
}

/** What a process answers to one condition: why it holds, or why not. */
type Answer = { readonly holds: string } | { readonly fails: string }

const inFolder = (pid: number, folder: string): Answer => {
  if (Facts.worksIn(pid, folder)) return { holds: `works in ${folder}` }
  const cwd = Facts.cwdOf(pid)
  if (cwd === folder) return { fails: `it works in another ${folder}, that of a container` }
  return { fails: cwd === undefined ? "its working folder may not be read" : `it works in ${cwd}, not in ${folder}` }
}

const ofUser = (pid: number, user: string): Answer => {
  const wanted = Facts.userNumber(user)
  if (wanted === undefined) return { fails: `there is no user ${user} here` }
  const own = Facts.userOf(pid)
  if (own === wanted) return { holds: `is of user ${user}` }
  return { fails: own === undefined ? "its user cannot be told" : `it is of user ${Users.nameOf(own)}, not ${user}` }
}

const atPort = (row: Row, rows: ReadonlyArray<Row>, port: number): Answer => {
  const group = row.group === 0 ? [] : rows.filter((other) => other.group === row.group && other.pid !== row.pid)
  const by = Facts.listening([row.pid, ...group.map(({ pid }) => pid)], port)
  if (by === "nobody") return { fails: `it does not listen on port ${port}` }
  if (by === "unreadable") return { fails: `who listens on port ${port} may not be seen by this user` }
  return { holds: by === row.pid ? `listens on port ${port}` : `${by} of its group listens on port ${port}` }
}

const answersOf = (match: ProcessMatch, row: Row, rows: ReadonlyArray<Row>, project: string): ReadonlyArray<Answer> => [
  ...(match.cwd === undefined ? [] : [inFolder(row.pid, Facts.realFolder(resolve(project, match.cwd)))]),
  ...(match.user === undefined ? [] : [ofUser(row.pid, match.user)]),
  ...(match.port === undefined ? [] : [atPort(row, rows, match.port)]),
]

/** Finds the processes of this machine that are meant, and those that only have the same words. */
export const find = (match: ProcessMatch, project: string): Effect.Effect<Found> =>
  Effect.sync(() => {
    const rows = table()
    const never = untouchable(rows)
    const found: Array<Match> = []
    const near: Array<Near> = []
    for (const row of rows) {
      if (never.has(row.pid) || Facts.hasEnded(row) || !argvFits(match.argv, Facts.argvOf(row.pid))) continue
      const answers = answersOf(match, row, rows, project)
      const fails = answers.flatMap((answer) => ("fails" in answer ? [answer.fails] : []))
      const holds = answers.flatMap((answer) => ("holds" in answer ? [answer.holds] : []))
      if (fails.length > 0) near.push({ row, reason: fails.join("; ") })
      else found.push({ row, why: ["has the words", ...holds].join(", ") })
    }
    return { found, near }
  })
