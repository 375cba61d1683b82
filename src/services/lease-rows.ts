import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Owner } from "./lease-owner.ts"
import type { Entry, Lack, Want } from "./lease-queue.ts"
import type { Holder, LeaseRequest, Waiting } from "./leases.ts"
import type { Migration } from "./sql-migrations.ts"

/** The tables: owners, their requests (waiting or held), and what each wants. All can be deleted while nobody runs. */
export const migrations: ReadonlyArray<Migration> = [
  {
    name: "owners, requests and wants",
    statements: [
      `CREATE TABLE lease_owners (
        id TEXT PRIMARY KEY,
        pid INTEGER NOT NULL,
        started TEXT NOT NULL,
        boot TEXT NOT NULL
      ) STRICT`,
      `CREATE TABLE lease_requests (
        ticket INTEGER PRIMARY KEY AUTOINCREMENT,
        owner TEXT NOT NULL REFERENCES lease_owners (id) ON DELETE CASCADE,
        run TEXT NOT NULL,
        task TEXT,
        attempt INTEGER,
        priority REAL NOT NULL,
        held INTEGER NOT NULL
      ) STRICT`,
      "CREATE INDEX lease_requests_owner ON lease_requests (owner)",
      `CREATE TABLE lease_wants (
        name TEXT NOT NULL,
        ticket INTEGER NOT NULL REFERENCES lease_requests (ticket) ON DELETE CASCADE,
        amount REAL NOT NULL,
        size REAL NOT NULL,
        PRIMARY KEY (name, ticket)
      ) STRICT, WITHOUT ROWID`,
      "CREATE INDEX lease_wants_ticket ON lease_wants (ticket)",
    ],
  },
]

interface RequestRow {
  readonly ticket: number
  readonly owner: string
  readonly run: string
  readonly task: string | null
  readonly attempt: number | null
  readonly held: number
}

interface EntryRow extends RequestRow, Want {
  readonly priority: number
  readonly pid: number
  readonly started: string
  readonly boot: string
}

/** A want of somebody's request, and whose it is. */
export interface OwnedEntry extends Entry {
  readonly owner: Owner
  readonly holder: Holder
}

const attemptOf = ({ attempt, task }: Pick<RequestRow, "attempt" | "task">) =>
  task === null || attempt === null ? {} : { task, attempt }

const entryOf = (row: EntryRow): OwnedEntry => ({
  ticket: row.ticket,
  priority: row.priority,
  held: row.held === 1,
  name: row.name,
  amount: row.amount,
  size: row.size,
  owner: { id: row.owner, pid: row.pid, started: row.started, boot: row.boot },
  holder: { run: row.run, ...attemptOf(row), pid: row.pid },
})

/** The first thing that a request lacks, and because of whom. */
export const waitingOf = ([{ earlier, holders, name }]: ReadonlyArray<Lack<OwnedEntry>>): Waiting => ({
  name,
  holders: holders.map(({ holder }) => holder),
  earlier: earlier.map(({ holder }) => holder),
})

const columns = `r.ticket, r.owner, r.run, r.task, r.attempt, r.priority, r.held, w.name, w.amount, w.size,
  o.pid, o.started, o.boot`
const tables = "lease_wants w JOIN lease_requests r ON r.ticket = w.ticket JOIN lease_owners o ON o.id = r.owner"

/** The statements on the tables of leases. */
export const make = (sql: SqlClient) => ({
  addOwner: ({ boot, id, pid, started }: Owner) =>
    sql`INSERT INTO lease_owners ${sql.insert({ id, pid, started, boot })}`,
  removeOwner: (id: string) => sql`DELETE FROM lease_owners WHERE id = ${id}`,
  owners: Effect.map(sql<Owner>`SELECT * FROM lease_owners`, (rows): ReadonlyArray<Owner> => rows),
  /** The runs and attempts for which an owner holds leases. */
  heldBy: (id: string) =>
    Effect.map(sql<RequestRow>`SELECT * FROM lease_requests WHERE owner = ${id} AND held = 1`, (rows) =>
      rows.map((row) => ({ run: row.run, ...attemptOf(row) })),
    ),
  entries: (names: ReadonlyArray<string>) =>
    Effect.map(
      sql<EntryRow>`SELECT ${sql.literal(columns)} FROM ${sql.literal(tables)}
        WHERE ${sql.in("w.name", names)} ORDER BY r.ticket`,
      (rows) => rows.map(entryOf),
    ),
  /** What the requests of a run want that it does not hold yet, in the order of their names. */
  waitingOf: (run: string) =>
    Effect.map(
      sql<EntryRow>`SELECT ${sql.literal(columns)} FROM ${sql.literal(tables)}
        WHERE r.run = ${run} AND r.held = 0 ORDER BY w.name`,
      (rows) => rows.map(entryOf),
    ),
  ask: Effect.fnUntraced(function* (owner: string, request: LeaseRequest, wants: ReadonlyArray<Want>) {
    const { attempt, priority, run } = request
    const row = { owner, run, task: attempt?.task ?? null, attempt: attempt?.attempt ?? null, priority, held: 0 }
    const [{ ticket }] = yield* sql<{ readonly ticket: number }>`
      INSERT INTO lease_requests ${sql.insert(row)} RETURNING ticket`
    for (const { amount, name, size } of wants) {
      yield* sql`INSERT INTO lease_wants ${sql.insert({ name, ticket, amount, size })}`
    }
    return ticket
  }),
  hold: (ticket: number) => sql`UPDATE lease_requests SET held = 1 WHERE ticket = ${ticket}`,
  remove: (ticket: number) => sql`DELETE FROM lease_requests WHERE ticket = ${ticket}`,
  /** Changes whenever another connection has committed. */
  version: Effect.map(
    sql<{ readonly data_version: number }>`PRAGMA data_version`,
    ([{ data_version }]) => data_version,
  ),
})
export type LeaseRows = ReturnType<typeof make>
