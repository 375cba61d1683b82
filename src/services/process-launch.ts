import { accessSync, constants, statSync } from "node:fs"
import * as path from "node:path"
import * as Context from "effect/Context"

/** The attempt that child processes are started for. */
export interface Mark {
  readonly run: string
  readonly task: string
  readonly attempt: number
  /** Resident memory that the attempt's children may use together with theirs, bytes: `resources.memory` of its task. */
  readonly memoryBytes?: number
}

/** The attempt whose children are started here; the engine provides it around each attempt. */
export const ProcessMark = Context.Reference<Mark | undefined>("dandori/services/ProcessMark", {
  defaultValue: () => undefined,
})

/** Text of a mark, as it stands in `DANDORI_ATTEMPT`: `<run>/<task>/<attempt>`. */
export const markText = (mark: Mark): string => `${mark.run}/${mark.task}/${mark.attempt}`

/** Name of the variable that carries the attempt's mark. */
export const attemptVariable = "DANDORI_ATTEMPT"
/** Name of the variable that carries the id of one child: two children of an attempt are told apart by it. */
export const childVariable = "DANDORI_CHILD"

const shell = "/bin/sh"
const shimName = "dandori-launch"

/*
 * Positional arguments: child id, attempt's mark, grace in tenths of a second, program, its arguments.
 * The program takes the shim's place (exec), so its pid is the recorded one and its exit status is its own.
 * The watcher is an orphan in the program's group: it keeps the group's number from being used again, does not
 * appear among the program's children, and blocks on fd 3 until the owner's end of it closes. The marks are
 * exported after it was forked, so it does not carry them itself; no other variable is set outside of it, so that
 * none of the program's is overwritten. SIGINT is ignored in it, as POSIX says of an
 * asynchronous list; the program runs in the foreground and has SIGINT's default.
 */
const shim = `
IFS= read -r dandori_line <&3 || exit 125
unset dandori_line PWD OLDPWD SHLVL
( (
  child=$1 grace=$3
  exec </dev/null >/dev/null 2>&1
  trap '' INT TERM HUP QUIT
  cd /
  while IFS= read -r line <&3; do :; done
  PATH=/usr/bin:/bin:$PATH
  self=
  if [ -r /proc/self/stat ]; then read -r self rest </proc/self/stat; fi
  group() {
    if [ -n "$self" ]; then
      sed -nE "/^$self /d; /\\) [A-Za-z] $self /d; s/^([0-9]+) \\(.*\\) [^ZX] [0-9]+ $$ .*/\\1/p" /proc/[0-9]*/stat
    else
      kill -0 $$ && echo $$
    fi
  }
  strays() {
    if [ -z "$self" ]; then return; fi
    grep -lszxF "${childVariable}=$child" /proc/[0-9]*/environ | while IFS=/ read -r a b pid c; do
      case $(sed -nE 's/.*\\) . [0-9]+ ([0-9]+) .*/\\1/p' "/proc/$pid/stat") in $$) ;; *) echo "$pid" ;; esac
    done
  }
  ask() {
    kill -s "$1" -- -$$
    for pid in $(strays); do kill -s "$1" "$pid"; done
    n=0
    while [ "$n" -lt "$grace" ] && [ -n "$(group)$(strays)" ]; do n=$((n + 1)); sleep 0.1; done
  }
  if [ -n "$(group)$(strays)" ]; then ask INT; fi
  if [ -n "$(group)$(strays)" ]; then ask TERM; fi
  n=0
  while [ "$n" -lt 50 ]; do
    left="$(group) $(strays)"
    if [ "$left" = " " ]; then exit 0; fi
    for pid in $left; do kill -s KILL "$pid"; done
    n=$((n + 1))
    sleep 0.1
  done
) & )
export ${childVariable}="$1"
if [ -n "$2" ]; then export ${attemptVariable}="$2"; fi
shift 3
exec "$@" 3<&-
`

/**
 * The command line that starts `argv` under the shim: it waits for a line on file descriptor 3, and when that
 * descriptor's other end closes it stops the whole group. `argv[0]` must be an absolute path. No part of `argv`
 * is read by the shell; it travels as arguments.
 */
export const shimCommand = (options: {
  readonly child: string
  readonly mark: Mark | undefined
  readonly graceMillis: number
  readonly argv: ReadonlyArray<string>
}): Array<string> => [
  shell,
  "-c",
  shim,
  shimName,
  options.child,
  options.mark === undefined ? "" : markText(options.mark),
  String(Math.ceil(options.graceMillis / 100)),
  ...options.argv,
]

/** True for the command line (NUL-separated, as in /proc/<pid>/cmdline) of the shim or the watcher of this child. */
export const isShim = (commandLine: string, child: string): boolean =>
  commandLine.includes(`${shimName}\0${child}\0`) || commandLine.includes(`${shimName} ${child} `)

const isRunnable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

const isFolder = (file: string): boolean => statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false

/** A program's absolute path, or why it cannot be started. */
export type Found = { readonly program: string } | { readonly reason: string }

/** Finds `argv[0]` as execvp would: as a path from `cwd` when it has a slash, else on the child's PATH. */
export const findProgram = (
  argv: ReadonlyArray<string>,
  cwd: string,
  environment: Readonly<Record<string, string>>,
): Found => {
  const name = argv[0]
  if (name === undefined || name === "") return { reason: "argv is empty; name a program" }
  if ([...argv, ...Object.values(environment)].some((text) => text.includes("\0"))) {
    return { reason: "an argument or a variable contains a NUL character" }
  }
  const bad = Object.keys(environment).find((key) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(key))
  if (bad !== undefined) return { reason: `${JSON.stringify(bad)} is no name of an environment variable` }
  if (!isFolder(cwd)) return { reason: `its working folder ${cwd} does not exist` }
  if (name.includes("/")) {
    const program = path.resolve(cwd, name)
    return isRunnable(program) ? { program } : { reason: `${program} does not exist or is not executable` }
  }
  for (const folder of (environment["PATH"] ?? "").split(":")) {
    const program = path.resolve(cwd, folder, name)
    if (isRunnable(program)) return { program }
  }
  return { reason: "it was not found on PATH" }
}
