import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Outcome } from "../../src/domain/occurrence.ts"
import { ndjson, start } from "./evidence-project.ts"

/** A daemon that runs as a process of its own. */
export interface Daemon {
  readonly pid: number
  /** All that it has said so far. */
  readonly said: () => string
  /** What of that came by standard output. */
  readonly out: () => string
  readonly signal: (signal: NodeJS.Signals) => void
  /** Its exit code; 137 and the like where a signal ended it. */
  readonly ended: Effect.Effect<number>
}

/** Starts a daemon in a project, on a free port where none is named; it is ended with the scope. */
export const daemon = (folder: string, ...args: ReadonlyArray<string>) => daemonWith({}, folder, ...args)

/** Starts a daemon in a project, with these variables in its environment. */
export const daemonWith = (
  env: Readonly<Record<string, string>>,
  folder: string,
  ...args: ReadonlyArray<string>
): Effect.Effect<Daemon, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync((): Daemon => {
      const argv = ["daemon", ...(args.includes("--port") ? [] : ["--port", "0"]), ...args]
      const child = start(folder, argv, undefined, env)
      let said = ""
      let out = ""
      const read = async (stream: ReadableStream<Uint8Array>) => {
        const decoder = new TextDecoder()
        for await (const chunk of stream) {
          const text = decoder.decode(chunk, { stream: true })
          said += text
          if (stream === child.stdout) out += text
        }
      }
      const all = Promise.all([read(child.stdout), read(child.stderr)])
      return {
        pid: child.pid,
        said: () => said,
        out: () => out,
        signal: (signal) => child.kill(signal),
        ended: Effect.promise(() => all.then(() => child.exited)),
      }
    }),
    ({ ended, signal }) =>
      Effect.andThen(
        Effect.sync(() => signal("SIGKILL")),
        ended,
      ),
  )

/** Waits until a look finds what it looks for. */
export const until = <A, E, R>(look: Effect.Effect<A | undefined, E, R>): Effect.Effect<A, E, R> =>
  Effect.repeat(look, { schedule: Schedule.spaced(20), until: (found) => found !== undefined }) as Effect.Effect<
    A,
    E,
    R
  >

/** Waits until the daemon has said it. */
export const says = ({ said }: Daemon, pattern: RegExp) => until(Effect.sync(() => pattern.exec(said()) ?? undefined))

const linesOf = (path: string) =>
  Effect.promise(() => Fs.readFile(path, "utf8").catch(() => "")).pipe(
    Effect.map((text) => {
      const whole = text.slice(0, text.lastIndexOf("\n") + 1)
      return whole === "" ? [] : ndjson(whole)
    }),
  )

/** The entries about a pipeline's schedule, oldest first. */
export const entries = (folder: string, pipeline: string) =>
  Effect.map(linesOf(join(folder, ".dandori/ledger/schedules/dev.ndjson")), (all) =>
    all.filter(({ data }) => (data as { readonly pipeline?: string }).pipeline === pipeline),
  )

/** A tick and what became of it, in the order in which they were closed. */
export interface ClosedTick {
  readonly tick: string
  readonly through?: string
  readonly ticks?: number
  readonly outcome: Outcome
  /** When it was written, milliseconds since the epoch. */
  readonly time: number
}

/** The ticks of a schedule that are closed. */
export const ticks = (folder: string, pipeline: string) =>
  Effect.map(entries(folder, pipeline), (all) =>
    all.flatMap(({ data, time, type }) =>
      type === "dev.dandori.schedule.tick.closed.v1"
        ? [{ ...(data as Omit<ClosedTick, "time">), time: Date.parse(String(time)) } satisfies ClosedTick]
        : [],
    ),
  )

/** The runs of a schedule that have ended, with their status. */
export const ended = (folder: string, pipeline: string) =>
  Effect.map(
    entries(folder, pipeline),
    (all) =>
      new Map(
        all.flatMap(({ data, type }) => {
          const { run, status } = data as { readonly run: string; readonly status: string }
          return type === "dev.dandori.schedule.run.ended.v1" ? [[run, status] as const] : []
        }),
      ),
  )

/** A pipeline of one command that ticks at these times. */
export const ticking = (id: string, cron: string, argv: ReadonlyArray<string>, more: ReadonlyArray<string> = []) =>
  [
    "version: 1",
    `id: ${id}`,
    "schedule:",
    `  cron: "${cron}"`,
    "  timezone: UTC",
    ...more.map((line) => `  ${line}`),
    "tasks:",
    `  work: { uses: command, with: { effects: idempotent, argv: ${JSON.stringify(argv)} } }`,
    "",
  ].join("\n")
