import { type Row, table } from "../../process-table.ts"
import * as Facts from "./process-facts.ts"
import { untouchable } from "./process-match.ts"

/** A process of a pack, and by what it came to be in it. */
export interface Member {
  readonly row: Row
  readonly why: string
}

/** What a pack is made from. */
export interface Seek {
  /** Who is sought, asked anew at the beginning of each look. */
  readonly seeds: () => ReadonlyArray<Member>
  /** Who is left alone whatever he is related to, and the group that he is in. */
  readonly spares: (row: Row) => boolean
  /** Who does not count, although his group may be taken. */
  readonly ignores?: (row: Row) => boolean
}

/**
 * Processes that are stopped together. Who was in it once stays in it by pid and start time, so that one that gets the
 * number later is a stranger.
 */
export interface Pack {
  /** Who lives of it now; whoever is new was added. */
  readonly look: () => ReadonlyArray<Member>
  /** True while somebody of those who were seen lives; cheaper than a look. */
  readonly anyLives: () => boolean
}

/** What names a process for good. */
export const keyOf = ({ pid, started }: Pick<Row, "pid" | "started">): string => `${pid}:${started}`

/**
 * The pack of what is sought: each with its whole group and all that descends from it. A group counts while somebody of
 * the pack lives in it or its number cannot have gone to another one; not where we are in it, or somebody who is spared.
 * Who left the group is found by his parent.
 */
export const make = ({ ignores = () => false, seeds, spares }: Seek): Pack => {
  const known = new Map<string, Member>()
  /** The groups that were taken, each with its leader, where he was still there. */
  const groups = new Map<number, string | undefined>()
  const isIn = (row: Row | undefined): boolean => row !== undefined && known.has(keyOf(row))
  const add = (row: Row, why: string): void => {
    if (!isIn(row)) known.set(keyOf(row), { row, why })
  }

  const look = () => {
    const sought = seeds()
    const rows = table()
    const byPid = new Map(rows.map((row) => [row.pid, row]))
    const never = untouchable(rows)
    const isSpared = (row: Row) => never.has(row.pid) || spares(row)
    const live = rows.filter((row) => !isSpared(row) && !ignores(row) && !Facts.hasEnded(row))
    const take = (group: number) => {
      if (group <= 1 || groups.has(group) || rows.some((row) => row.group === group && isSpared(row))) return
      const leader = byPid.get(group)
      groups.set(group, leader === undefined ? undefined : keyOf(leader))
    }

    for (const [group, leader] of groups) {
      const now = byPid.get(group)
      const members = live.filter((row) => row.group === group)
      const isSame = now === undefined || keyOf(now) === leader || members.some(isIn)
      if (members.length === 0 || !isSame) groups.delete(group)
    }
    for (const { row, why } of sought) {
      const now = byPid.get(row.pid)
      if (now === undefined || now.started !== row.started || isSpared(now)) continue
      add(now, why)
      take(now.group)
    }
    for (let size = -1; size < known.size;) {
      size = known.size
      for (const row of live) {
        if (groups.has(row.group)) add(row, `is in the group ${row.group}`)
        else if (isIn(byPid.get(row.parent))) add(row, `was started by ${row.parent}`)
        // Who leads a group of his own has brought all of it along.
        if (isIn(row) && row.group === row.pid) take(row.group)
      }
    }
    return live.flatMap((row) => known.get(keyOf(row)) ?? [])
  }
  return { look, anyLives: () => [...known.values()].some(({ row }) => Facts.lives(row)) }
}
