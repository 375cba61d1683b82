import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Owner } from "./lease-owner.ts"
import type { Entry, Want } from "./lease-queue.ts"
import type { Holder, LeaseRequest } from "./leases.ts"
import type { Migration } from "./sql-migrations.ts"

/** The channel on which a change is told. */
export const channel = "dandori_leases"

/**
 * The tables: owners with the end of their term by the clock of the database, their requests (waiting or held), and what
 * each wants. All can be deleted while nobody runs; under somebody who runs, his leases end with it.
 */
export const migrations: ReadonlyArray<Migration> = [
  {
    name: "owners, requests and wants",
    statements: [
      `CREATE TABLE core.lease_owners (
        id text PRIMARY KEY,
        host text NOT NULL,
        pid integer NOT NULL,
        started text NOT NULL,
        boot text NOT NULL,
        file text NOT NULL,
        expires timestamptz NOT NULL
      )`,
      `CREATE TABLE core.lease_requests (
        ticket bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id text NOT NULL UNIQUE,
        owner text NOT NULL REFERENCES core.lease_owners (id) ON DELETE CASCADE,
        run text NOT NULL,
        task text,
        attempt integer,
        priority double precision NOT NULL,
        held boolean NOT NULL
      )`,
      "CREATE INDEX lease_requests_owner ON core.lease_requests (owner)",
      `CREATE TABLE core.lease_wants (
        name text NOT NULL,
        ticket bigint NOT NULL REFERENCES core.lease_requests (ticket) ON DELETE CASCADE,
        amount double precision NOT NULL,
        size double precision NOT NULL,
        PRIMARY KEY (name, ticket)
      )`,
      "CREATE INDEX lease_wants_ticket ON core.lease_wants (ticket)",
      `CREATE FUNCTION core.lease_gone() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM pg_notify('${channel}', '');
        RETURN NULL;
      END $$`,
      `CREATE TRIGGER lease_requests_gone AFTER DELETE ON core.lease_requests
        FOR EACH ROW EXECUTE FUNCTION core.lease_gone()`,
    ],
  },
]

/** An owner on any machine. */
export interface TermOwner extends Owner {
  readonly host: string
  /** Device and inode of its lock. */
  readonly file: string
  /** Whether its term was over when this was read. */
  readonly expired: boolean
}

/** A want of somebody's request, and whose it is. */
export interface TermEntry extends Entry {
  /** The request's own id. */
  readonly id: string
  readonly owner: TermOwner
  readonly holder: Holder
}

interface EntryRow extends Omit<TermOwner, "id">, Want {
  readonly ticket: number
  readonly id: string
  readonly owner: string
  readonly run: string
  readonly task: string | null
  readonly attempt: number | null
  readonly priority: number
  readonly held: boolean
}

const attemptOf = ({ attempt, task }: Pick<EntryRow, "attempt" | "task">) =>
  task === null || attempt === null ? {} : { task, attempt }

const entryOf = (row: EntryRow): TermEntry => {
  const { boot, expired, file, host, pid, run, started } = row
  return {
    ticket: row.ticket,
    id: row.id,
    priority: row.priority,
    held: row.held,
    name: row.name,
    amount: row.amount,
    size: row.size,
    owner: { id: row.owner, pid, started, boot, host, file, expired },
    holder: { run, ...attemptOf(row), pid, host },
  }
}

const entries = `SELECT r.ticket, r.id, r.owner, r.run, r.task, r.attempt, r.priority, r.held, w.name, w.amount, w.size,
    o.host, o.pid, o.started, o.boot, o.file, o.expires <= clock_timestamp() AS expired
  FROM core.lease_wants w
  JOIN core.lease_requests r ON r.ticket = w.ticket
  JOIN core.lease_owners o ON o.id = r.owner`

/** The statements on the tables of leases. */
export const make = (sql: SqlClient) => {
  const anew = (termMillis: number) => sql`clock_timestamp() + ${termMillis}::integer * interval '1 millisecond'`
  return {
    /** Adds an owner, or renews the term of one that was added by a statement whose answer was lost. */
    addOwner: ({ boot, file, host, id, pid, started }: Omit<TermOwner, "expired">, termMillis: number) =>
      sql`INSERT INTO core.lease_owners (id, host, pid, started, boot, file, expires)
        VALUES (${id}, ${host}, ${pid}, ${started}, ${boot}, ${file}, ${anew(termMillis)})
        ON CONFLICT (id) DO UPDATE SET expires = excluded.expires`,
    /** Renews an owner's term; false where it is there no more. */
    renew: (id: string, termMillis: number) =>
      Effect.map(
        sql`UPDATE core.lease_owners SET expires = ${anew(termMillis)} WHERE id = ${id} RETURNING id`,
        (rows) => rows.length > 0,
      ),
    /** Removes an owner: whose process is known to be dead, or whose term is over. */
    removeOwner: (id: string, isDead: boolean) =>
      sql`DELETE FROM core.lease_owners WHERE id = ${id} AND (${isDead}::boolean OR expires <= clock_timestamp())`,
    /** Removes owners whose term is over and who left nothing. */
    removeIdle: sql`DELETE FROM core.lease_owners o WHERE expires <= clock_timestamp()
      AND NOT EXISTS (SELECT FROM core.lease_requests r WHERE r.owner = o.id)`,
    /** The runs and attempts for which an owner holds leases. */
    heldBy: (id: string) =>
      Effect.map(
        sql<EntryRow>`SELECT run, task, attempt FROM core.lease_requests WHERE owner = ${id} AND held`,
        (rows) => rows.map((row) => ({ run: row.run, ...attemptOf(row) })),
      ),
    /**
     * Lets nobody else take any of these until the transaction ends, which is durable before it is told. A process that is
     * stopped in the middle of it is cut off: others wait for it.
     */
    alone: (names: ReadonlyArray<string>) =>
      sql`SELECT pg_advisory_xact_lock(key), set_config('idle_in_transaction_session_timeout', '5s', true),
          CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END
        FROM (SELECT DISTINCT hashtextextended('dandori lease ' || name, 0) AS key
          FROM jsonb_array_elements_text(${JSON.stringify(names)}::jsonb) AS name ORDER BY key) AS keys`,
    entries: (names: ReadonlyArray<string>) =>
      Effect.map(sql<EntryRow>`${sql.literal(entries)} WHERE ${sql.in("w.name", names)} ORDER BY r.ticket`, (rows) =>
        rows.map(entryOf),
      ),
    /** What the requests of a run want that it does not hold yet, in the order of their names. */
    waitingOf: (run: string) =>
      Effect.map(sql<EntryRow>`${sql.literal(entries)} WHERE r.run = ${run} AND NOT r.held ORDER BY w.name`, (rows) =>
        rows.map(entryOf),
      ),
    /** Puts a request into the queue, once; its ticket. */
    ask: Effect.fnUntraced(function* (id: string, owner: string, request: LeaseRequest, wants: ReadonlyArray<Want>) {
      const { attempt, priority, run } = request
      const [{ ticket }] = yield* sql<{ readonly ticket: number }>`
        INSERT INTO core.lease_requests (id, owner, run, task, attempt, priority, held)
        VALUES (${id}, ${owner}, ${run}, ${attempt?.task ?? null}, ${attempt?.attempt ?? null}, ${priority}, false)
        ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING ticket`
      const [first, ...rest] = wants.map(({ amount, name, size }) => ({ name, ticket, amount, size }))
      yield* sql`INSERT INTO core.lease_wants ${sql.insert([first, ...rest])} ON CONFLICT DO NOTHING`
      return ticket
    }),
    /** Holds what a request wants; false where its owner's term is over, or it is there no more. */
    hold: (id: string) =>
      Effect.map(
        sql`UPDATE core.lease_requests r SET held = true FROM core.lease_owners o
          WHERE r.id = ${id} AND o.id = r.owner AND o.expires > clock_timestamp() RETURNING r.id`,
        (rows) => rows.length > 0,
      ),
    removeAll: (ids: ReadonlyArray<string>) => sql`DELETE FROM core.lease_requests WHERE ${sql.in("id", ids)}`,
  }
}
export type TermRows = ReturnType<typeof make>
