import { closeSync, mkdirSync, openSync, writeSync } from "node:fs"
import { join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { RecoverTarget } from "../../../domain/config/evacuation.ts"
import { childEnvironment } from "../../child-environment.ts"
import type { FileFailed } from "../../durable-files.ts"
import { findProgram } from "../../process-launch.ts"
import { bootId } from "../../process-records.ts"
import { lookUp, type Row } from "../../process-table.ts"
import { Workspace } from "../../workspace.ts"
import type { IncidentFolder } from "../incident/incidents.ts"
import * as Facts from "../stop/process-facts.ts"

/** A program that is to be brought up does not start. */
export class RecoveryNotStarted extends Schema.TaggedError<RecoveryNotStarted>()("RecoveryNotStarted", {
  name: Schema.String,
  reason: Schema.String,
}) {
  override get message() {
    return `${this.name} was not started: ${this.reason}`
  }
}

/*
 * The program takes the shell's place once its number is written down; where we end before that, the line never comes, and
 * nothing was started. Nothing of the shell's own goes along in the environment.
 */
const shim = 'IFS= read -r dandori_line <&3 || exit 125; unset dandori_line PWD OLDPWD SHLVL; exec "$@" 3<&-'

/** A program that was started and left running: how it is named, and how it ended where it has. */
export interface Running {
  readonly row: Row
  readonly lives: () => boolean
  /** Its exit code, or the signal that ended it; undefined where it runs, or nobody saw how it ended (yet). */
  readonly ended: () => string | undefined
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** What a start's program says goes there, relative to the incident's folder. */
export const logOf = ({ name }: Pick<RecoverTarget, "name">): string => `recovered/${name}.log`

const foundOf = (target: RecoverTarget, project: string) => {
  const { argv, cwd = ".", env } = target.start
  const environment = childEnvironment(process.env, env)
  const folder = resolve(project, cwd)
  return { environment, folder, found: findProgram(argv, folder, environment) }
}

/** Why a target's program cannot be started here; undefined where it can. */
export const problemOf = (target: RecoverTarget, project: string): string | undefined => {
  const { found } = foundOf(target, project)
  return "reason" in found ? found.reason : undefined
}

/**
 * Starts a target's program in a session of its own, which outlives this process. `learn` writes its number down before
 * it begins.
 */
export const start = Effect.fn("Evacuation.start")(function* (
  folder: IncidentFolder,
  target: RecoverTarget,
  learn: (facts: {
    readonly pid: number
    readonly started: string
    readonly boot: string
  }) => Effect.Effect<void, FileFailed>,
) {
  const { project } = yield* Workspace
  const refuse = (reason: string) => new RecoveryNotStarted({ name: target.name, reason })
  const { environment, folder: cwd, found } = foundOf(target, project)
  if ("reason" in found) return yield* refuse(found.reason)
  const { child, lifeline } = yield* Effect.try({
    try: () => {
      mkdirSync(join(folder.path, "recovered"), { recursive: true, mode: 0o700 })
      const log = openSync(join(folder.path, logOf(target)), "a", 0o600)
      try {
        const argv = ["/bin/sh", "-c", shim, "dandori-recover", found.program, ...target.start.argv.slice(1)]
        const stdio: ["ignore", number, number, "pipe"] = ["ignore", log, log, "pipe"]
        const child = Bun.spawn(argv, { cwd, env: environment, detached: true, stdio })
        child.unref()
        return { child, lifeline: Number(child.stdio[3]) }
      } finally {
        closeSync(log)
      }
    },
    catch: (cause) => refuse(reasonOf(cause)),
  })
  const row = lookUp(child.pid)
  const begin = Effect.gen(function* () {
    if (row === undefined) return yield* refuse("its start time cannot be read")
    yield* learn({ pid: row.pid, started: row.started, boot: bootId() })
    return yield* Effect.try({
      try: (): Running => {
        writeSync(lifeline, "go\n")
        return {
          row,
          lives: () => Facts.lives(row),
          ended: () => {
            if (child.signalCode !== null) return `signal ${child.signalCode}`
            return child.exitCode === null ? undefined : `exit code ${child.exitCode}`
          },
        }
      },
      catch: (cause) => refuse(reasonOf(cause)),
    })
  })
  // Without the line the shell ends, and with it everything that was started.
  return yield* Effect.ensuring(
    begin,
    Effect.sync(() => closeSync(lifeline)),
  )
}, Effect.uninterruptible)
