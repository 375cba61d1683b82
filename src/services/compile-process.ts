import { type ChildProcess, spawn } from "node:child_process"
import type { Socket } from "node:net"
import { childEnvironment } from "./child-environment.ts"
import { thisProgram } from "./this-program.ts"

/** The file descriptor in the process on which it is told its file and answers. */
export const channel = 3

/** The argv prefix of the program that evaluates pipeline files: this program's hidden command. */
export const thisCompiler = (): ReadonlyArray<string> => [...thisProgram(), "__compile"]

/**
 * Bun would fetch a package that an import names and nobody installed, and run it. What the process makes it keeps to
 * its end, so that looking for garbage before there are 256 MiB finds little (and was a sixth of its processor time).
 */
const variables = { BUN_OPTIONS: "--no-install", BUN_JSC_largeHeapSize: String(256 * 1024 * 1024) }

const launch = ([program, ...argv]: ReadonlyArray<string>): ChildProcess =>
  spawn(program, argv, {
    detached: true,
    env: childEnvironment(process.env, variables),
    stdio: ["ignore", 2, 2, "pipe"],
  })

/** What the process is told its file by, and answers on. There is none where the program could not be started. */
export const pipeOf = (child: ChildProcess): Socket | undefined =>
  (child.stdio[channel] as Socket | null | undefined) ?? undefined

/** How long a process waits that nobody takes: the word that ended with .ts was none of a pipeline file. */
const longestWaitMillis = 5_000

let prepared: { readonly argv: ReadonlyArray<string>; readonly child: ChildProcess } | undefined

/**
 * Starts a process before it is known whether one will be needed: it gets ready while this program imports its own
 * parts. One that is not told a file ends before long, and with this program, which does not wait for it. Gives its pid.
 */
export const prepare = (argv: ReadonlyArray<string>): number | undefined => {
  const child = launch(argv)
  child.on("error", () => {})
  child.unref()
  const pipe = pipeOf(child)?.unref()
  const mine = { argv, child }
  prepared = mine
  setTimeout(() => {
    if (prepared !== mine) return
    prepared = undefined
    pipe?.end()
  }, longestWaitMillis).unref()
  return child.pid
}

const isThere = ({ exitCode, pid, signalCode }: ChildProcess): boolean =>
  pid !== undefined && exitCode === null && signalCode === null

/** A process in a group of its own that waits to be told its file: the prepared one if there is one, else a new one. */
export const take = (argv: ReadonlyArray<string>): ChildProcess => {
  if (prepared === undefined || prepared.argv.join("\0") !== argv.join("\0")) return launch(argv)
  const { child } = prepared
  prepared = undefined
  if (!isThere(child)) return launch(argv)
  child.ref()
  pipeOf(child)?.ref()
  return child
}
