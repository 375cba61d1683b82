// Processes that tests of stopping start: small scripts under a shell that is called python, so that their words are those
// of the programs that are meant.
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { commandLine, isAlive, lookUp, type Row, table } from "../../../../src/services/process-table.ts"
import { eventually } from "../../processes-machine.fixture.ts"

const server = `
const [port, file] = process.argv.slice(2)
const answer = async () => new Response(await Bun.file(file).text())
Bun.serve({ hostname: "127.0.0.1", port: Number(port), fetch: answer })
console.log("up")
`
/** A script's wait: one program, no loop, which ends by itself where nobody has stopped it. */
export const loop = "sleep 200; :"
const deaf = `trap '' INT TERM; ${loop}`

/** An API: its shell is the program, the listener another process of its group. `-m` would give each child its own group. */
const uvicorn = `set +m
while [ $# -gt 0 ]; do if [ "$1" = --port ]; then port=$2; fi; shift; done
"${process.execPath}" "$(dirname "$0")/server.ts" "$port" "$(dirname "$0")/health.json" &
trap 'kill $!; exit 0' INT
wait
`

/** A training that hears no signal but SIGKILL, with a child in its group and one in a session of its own. */
const train = `trap '' INT TERM
sh -c '${deaf.replaceAll("'", `'"'"'`)}' &
setsid sh -c '${deaf.replaceAll("'", `'"'"'`)}' &
echo up
wait
`

/** A project with \`uvicorn\`, \`src/train.py\` and \`venv/bin/python\` (a shell). */
export const newProject = (): string => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "dandori-stop-")))
  mkdirSync(join(root, "src"))
  mkdirSync(join(root, "venv/bin"), { recursive: true })
  symlinkSync("/bin/sh", join(root, "venv/bin/python"))
  for (const folder of [root, join(root, "venv/bin")]) {
    writeFileSync(join(folder, "uvicorn"), uvicorn)
    writeFileSync(join(folder, "server.ts"), server)
    writeFileSync(join(folder, "health.json"), "{}")
  }
  writeFileSync(join(root, "src/train.py"), train)
  chmodSync(root, 0o755)
  return root
}

/** A started process of a test. */
export interface Started {
  readonly pid: number
  readonly started: string
  readonly isAlive: () => boolean
}

/** A process as it is now in the table. */
export const rowOf = (pid: number): Row => {
  const row = lookUp(pid)
  if (row === undefined) throw new Error(`${pid} does not run`)
  return row
}

/** What lives of a session. */
export const living = (session: number): ReadonlyArray<number> =>
  table()
    .filter((row) => row.session === session && !row.zombie)
    .map((row) => row.pid)

/** Children and their children, whatever their sessions. */
export const family = (pid: number): ReadonlyArray<Row> => {
  const rows = table()
  const found = new Set([pid])
  for (let size = 0; size < found.size;) {
    size = found.size
    for (const row of rows) if (found.has(row.parent)) found.add(row.pid)
  }
  return rows.filter((row) => found.has(row.pid))
}

/** Waits until a shell's children have begun their own programs: until then they have its words. */
export const settled = (pid: number): Effect.Effect<void> => {
  const words = commandLine(pid)
  return eventually("its children have their own words", () =>
    family(pid).every((row) => row.pid === pid || commandLine(row.pid) !== words),
  )
}

/**
 * Starts a process as the leader of a session and waits for its first line; everything that descends from it is killed
 * with the scope.
 */
export const start = (
  argv: ReadonlyArray<string>,
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Effect.Effect<Started, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async () => {
        const child = Bun.spawn([...argv], {
          cwd: options.cwd,
          env: { ...process.env, ...options.env },
          detached: true,
          stdio: ["ignore", "pipe", "ignore"],
        })
        await child.stdout.getReader().read()
        return { child, family: family(child.pid) }
      }),
      ({ child, family: first }) =>
        Effect.promise(async () => {
          const doomed = new Map([...first, ...family(child.pid)].map((row) => [row.pid, row]))
          for (const row of doomed.values()) if (isAlive(row.pid, row.started)) process.kill(row.pid, "SIGKILL")
          await child.exited
        }),
    ),
    ({ child: { pid } }) => {
      const { started } = rowOf(pid)
      return { pid, started, isAlive: () => isAlive(pid, started) }
    },
  )
