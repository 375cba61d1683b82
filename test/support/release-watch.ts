import * as Fs from "node:fs/promises"
import { join } from "node:path"
import postgres from "postgres"
import { differences, objection, sha256 } from "./release-bytes.ts"
import type { Place } from "./release-place.ts"
import { filesBelow } from "./sample-project.ts"

/** A version as the registry's table has it. */
export interface Version {
  readonly version: string
  readonly slot: string
  readonly status: string
  readonly digest: string
  readonly path: string
}

/** A row of the alias history. */
export interface Move {
  readonly sequence: number
  readonly slot: string
  readonly version: string | null
  readonly digest: string | null
  readonly from_version: string | null
  readonly receipt: string | null
  readonly reason: string
  readonly run: string
  readonly task: string
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly hash: string
  readonly previous_hash: string
}

/** One committed moment: both tables in one statement. */
interface Moment {
  readonly versions: ReadonlyArray<Version>
  readonly moves: ReadonlyArray<Move>
}

/** What is wrong, and where to look. */
export type Fault = (what: string) => void

const noTable = "42P01"
/** Of a server that is stopping, starting, or takes no more connections. */
const isAway = (code: string) => /^(08|57P|53)/.test(code)

/** Asks PostgreSQL over a connection of one's own, which is made anew after it was lost. */
export const asker = (url: string) => {
  const open = () => postgres(url, { max: 1, connect_timeout: 5, onnotice: () => {}, max_lifetime: null })
  let sql = open()
  /** Undefined when the server does not answer. */
  const ask = async (
    query: string,
    args: ReadonlyArray<string | number> = [],
  ): Promise<ReadonlyArray<any> | undefined> => {
    const asked = sql
    return asked.unsafe(query, [...args]).catch(async (cause: unknown) => {
      if (cause instanceof postgres.PostgresError && cause.code === noTable) return []
      if (cause instanceof postgres.PostgresError && !isAway(cause.code)) throw cause
      if (sql === asked) sql = open()
      await asked.end({ timeout: 0 }).catch(() => {})
      return undefined
    })
  }
  /** Asks until there is an answer. */
  const insist = async (query: string, args: ReadonlyArray<string | number> = []): Promise<ReadonlyArray<any>> => {
    for (const began = performance.now(); ;) {
      const rows = await ask(query, args)
      if (rows !== undefined) return rows
      if (performance.now() - began > 60_000) throw new Error("PostgreSQL does not answer for a minute")
      await Bun.sleep(50)
    }
  }
  return { ask, insist, end: () => sql.end({ timeout: 0 }) }
}

/** An event as the ledger's table has it, with the run of its stream. */
export interface Told {
  readonly run: string
  readonly sequence: number
  readonly type: string
  readonly data: any
}

const question = `SELECT
  coalesce((SELECT json_agg(json_build_object('version', version, 'slot', slot, 'status', status, 'digest', digest,
    'path', path) ORDER BY id) FROM core.model_registry), '[]') AS versions,
  coalesce((SELECT json_agg(json_build_object('sequence', sequence, 'slot', slot, 'version', version, 'digest', digest,
    'from_version', from_version, 'receipt', receipt, 'reason', reason, 'run', run, 'task', task, 'at',
    round(extract(epoch FROM at) * 1000), 'hash', hash, 'previous_hash', previous_hash) ORDER BY sequence)
    FROM core.alias_history WHERE sequence >= $1), '[]') AS moves`

/** A reader that knows the tables and the files alone. */
export const make = (place: Place, fault: Fault) => {
  const { ask, end, insist } = asker(place.postgres)
  const { folder: project, home } = place.project
  const seen = { looks: 0, hashed: 0, away: 0 }
  const moves: Array<Move> = []
  const known = new Map<string, Version>()
  const reads = new Map<string, string>()
  let last: Moment = { versions: [], moves: [] }

  const grow = (found: ReadonlyArray<Move>) => {
    const before = moves.at(-1)
    const [first, ...rest] = before === undefined ? [undefined, ...found] : found
    if (before !== undefined && JSON.stringify(first) !== JSON.stringify(before)) {
      return fault(
        `row ${before.sequence} of core.alias_history was ${JSON.stringify(before)}, is ${JSON.stringify(first)}`,
      )
    }
    for (const move of rest as ReadonlyArray<Move>) {
      const previous = moves.at(-1)
      const isNext =
        move.sequence === moves.length + 1 &&
        move.previous_hash === (previous?.hash ?? "0".repeat(64)) &&
        move.from_version === (previous?.version ?? null) &&
        move.version !== move.from_version
      if (!isNext)
        fault(`core.alias_history does not go on from ${JSON.stringify(previous)} by ${JSON.stringify(move)}`)
      moves.push(move)
    }
  }

  /** Whether the bytes of the champion are whole, and its move's receipt is for them. Read again when a file has changed. */
  const readChampion = async (champion: Version, move: Move, anew: boolean) => {
    const folder = join(project, champion.path)
    const names = await filesBelow(folder).catch(() => [])
    const stats = await Promise.all(names.map((name) => Fs.stat(join(folder, name), { bigint: true })))
    const state = JSON.stringify([
      champion,
      move.receipt,
      stats.map(({ ctimeNs, ino, size }) => `${ino} ${size} ${ctimeNs}`),
    ])
    if (!anew && reads.get(champion.version) === state) return
    reads.set(champion.version, state)
    seen.hashed++
    const found = names.length === 0 ? ["it is not there"] : await differences(folder, champion.digest)
    for (const each of found) fault(`the champion's folder ${folder}: ${each}`)
    const receipt = move.receipt ?? ""
    const envelope = await Fs.readFile(join(home, "artifacts/sha256", receipt.slice(0, 2), receipt.slice(2)), "utf8")
    const why = sha256(envelope) === receipt ? await objection(home, envelope, champion.digest) : "it is another file"
    if (why !== undefined) fault(`receipt ${receipt} of move ${move.sequence} for ${champion.version}: ${why}`)
  }

  /** Looks once. False when the database did not answer. */
  const look = async (anew = false): Promise<boolean> => {
    const rows = await ask(question, [moves.length])
    if (rows === undefined) {
      seen.away++
      return false
    }
    const moment: Moment = rows[0] ?? { versions: [], moves: [] }
    seen.looks++
    grow(moment.moves)
    for (const old of known.values()) {
      const now = moment.versions.find(({ version }) => version === old.version)
      if (now?.digest !== old.digest) fault(`${old.version} had the digest ${old.digest}, has ${now?.digest}`)
    }
    for (const each of moment.versions) known.set(each.version, each)
    const move = moves.at(-1)
    const deployed = moment.versions.filter(({ status }) => status === "deployed")
    const [champion] = deployed
    if (deployed.length !== (move === undefined ? 0 : 1) || champion?.version !== move?.version) {
      fault(`deployed are ${JSON.stringify(deployed)}, the last move is ${JSON.stringify(move)}`)
    } else if (champion !== undefined && move !== undefined) {
      if (champion.digest !== move.digest) fault(`${champion.version} has another digest than move ${move.sequence}`)
      await readChampion(champion, move, anew)
    }
    last = moment
    return true
  }

  /** One look at a time. */
  let queue: Promise<unknown> = Promise.resolve()
  const turn = <A>(work: () => Promise<A>): Promise<A> => {
    const result = queue.then(work)
    queue = result.catch((cause: unknown) =>
      fault(`the reader: ${cause instanceof Error ? cause.stack : String(cause)}`),
    )
    return result
  }
  let over = false
  const watching = (async () => {
    while (!over) {
      await turn(() => look()).catch(() => {})
      await Bun.sleep(50)
    }
  })()
  return {
    ask: insist,
    /** Events of runs that a condition on `ledger.events` chooses, in order. */
    told: async (where: string, args: ReadonlyArray<string> = []): Promise<ReadonlyArray<Told>> => {
      const query = `SELECT stream, sequence::int AS sequence, line FROM ledger.events
        WHERE stream LIKE 'runs/%' AND ${where} ORDER BY stream, sequence`
      return (await insist(query, args)).map(({ line, sequence, stream }) => {
        const { data, type } = JSON.parse(line)
        return {
          run: stream.slice("runs/".length),
          sequence,
          type: /^dev\.dandori\.(.*)\.v1$/.exec(type)?.[1] ?? type,
          data,
        }
      })
    },
    seen,
    moves: moves as ReadonlyArray<Move>,
    /** The versions and the champion's move as they are now, with all bytes read again. */
    now: async () => {
      while (!(await turn(() => look(true)))) await Bun.sleep(50)
      return { versions: last.versions, move: moves.at(-1) }
    },
    stop: async () => {
      over = true
      await watching.catch(() => {})
      await end()
    },
  }
}

export type Watch = ReturnType<typeof make>
