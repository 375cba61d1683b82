import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { Database } from "bun:sqlite"
import * as Effect from "effect/Effect"
import type { Resources } from "../../src/domain/plan.ts"
import type { LeaseRequest, Waiting } from "../../src/services/leases.ts"

/** What a process of leases is told: to wait for a lease and keep it (while a child works), to try one, to let it go. */
export type Order =
  | {
      readonly do: "acquire"
      readonly id: string
      readonly request: LeaseRequest
      readonly child?: readonly [string, ...Array<string>]
    }
  | { readonly do: "try"; readonly id: string; readonly request: LeaseRequest }
  | { readonly do: "release"; readonly id: string }

/** What it answers. */
export type Word =
  | { readonly id: string; readonly is: "waiting"; readonly waiting: Waiting }
  | { readonly id: string; readonly is: "refused"; readonly message: string }
  | { readonly id: string; readonly is: "held" }
  | { readonly id: string; readonly is: "lost"; readonly message: string }
  | { readonly id: string; readonly is: "released" }
  | { readonly id: string; readonly is: "at work" }

const fixture = resolve(import.meta.dirname, "../services/leases-owner.fixture.ts")
const bun = resolve(import.meta.dirname, "../../node_modules/.bin/bun")

/** A home of leases, with a space in its path; gone with the scope. */
export const home = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori leases "))),
  (folder) => Effect.promise(() => Fs.rm(folder, { recursive: true, force: true })),
)

/** A request as the tests make it: the id is its run and its task. */
export const request = (id: string, resources: Resources, more: Partial<LeaseRequest> = {}): LeaseRequest => ({
  run: id,
  attempt: { task: id, attempt: 1 },
  resources,
  capacity: { cpu: 2, memory: 100, gpu: 0, pools: { pool: 3 } },
  priority: 0,
  ...more,
})

/** A database that holds leases, and the term of their owners. */
export interface Shared {
  readonly url: string
  readonly termMillis: number
}

/** Starts a process that takes leases in a home, or in a database. It is killed with the scope. */
export const start = (folder: string, shared?: Shared) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const store = shared === undefined ? [] : [shared.url, String(shared.termMillis)]
      const child = Bun.spawn([bun, fixture, folder, ...store], { stdin: "pipe", stdout: "pipe", stderr: "inherit" })
      const words: Array<Word> = []
      let heard = Promise.withResolvers<void>()
      let over = false
      const listen = async () => {
        const decoder = new TextDecoder()
        let rest = ""
        for await (const bytes of child.stdout) {
          const lines = `${rest}${decoder.decode(bytes, { stream: true })}`.split("\n")
          rest = lines.pop() ?? ""
          words.push(...lines.map((line) => JSON.parse(line) as Word))
          heard.resolve()
          heard = Promise.withResolvers()
        }
        over = true
        heard.resolve()
      }
      const ended = listen()
      const tell = (order: Order) => void child.stdin.write(`${JSON.stringify(order)}\n`)
      /** The first word about an id that is this one; each is heard once. */
      const hear = <K extends Word["is"]>(id: string, is: K) =>
        Effect.promise(async (): Promise<Extract<Word, { is: K }>> => {
          for (;;) {
            const at = words.findIndex((word) => word.id === id && word.is === is)
            if (at >= 0) return words.splice(at, 1)[0] as Extract<Word, { is: K }>
            if (over) throw new Error(`it ended before ${id} was ${is}`)
            await heard.promise
          }
        })
      return {
        child,
        words,
        tell,
        hear,
        acquire: (id: string, resources: Resources, more: Partial<LeaseRequest> = {}) =>
          tell({ do: "acquire", id, request: request(id, resources, more) }),
        /** Tries to take it, and says what stood in the way; undefined when nothing did. */
        refusal: (id: string, resources: Resources) =>
          Effect.gen(function* () {
            tell({ do: "try", id, request: request(id, resources) })
            const word = yield* Effect.raceFirst(hear(id, "refused"), hear(id, "held"))
            return word.is === "refused" ? word.message : undefined
          }),
        release: (id: string) =>
          Effect.suspend(() => {
            tell({ do: "release", id })
            return hear(id, "released")
          }),
        kill: Effect.promise(() => {
          child.kill("SIGKILL")
          return child.exited
        }),
        /** Lets it end by itself. */
        end: Effect.promise(async () => {
          await child.stdin.end()
          await ended
          return child.exited
        }),
      }
    }),
    ({ child }) =>
      Effect.promise(() => {
        child.kill("SIGKILL")
        return child.exited
      }),
  )

/** A process of leases that was started. */
export type Started = Effect.Success<ReturnType<typeof start>>

/** How many rows the tables of leases have. */
export const rowsLeft = (folder: string): Readonly<Record<string, number>> => {
  using database = new Database(join(folder, "state.db"))
  const count = (table: string) =>
    database.query<{ readonly n: number }, []>(`SELECT count(*) AS n FROM ${table}`).get()?.n ?? -1
  return { owners: count("lease_owners"), requests: count("lease_requests"), wants: count("lease_wants") }
}
