import { existsSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { ServerMissing } from "./missing.ts"

const cache = fileURLToPath(new URL("../../../.cache", import.meta.url))

const isRoot = () => process.getuid?.() === 0

/** Runs a shell script while no other process of this checkout holds the lock; its standard error where it fails. */
const alone = async (lock: string, script: string, ...words: ReadonlyArray<string>): Promise<string | undefined> => {
  mkdirSync(cache, { recursive: true })
  const argv = ["flock", join(cache, lock), "sh", "-c", script, "sh", ...words]
  const child = Bun.spawn(argv, { stdin: "ignore", stdout: "ignore", stderr: "pipe" })
  const said = await new Response(child.stderr).text()
  return (await child.exited) === 0 ? undefined : said.trim().split("\n").slice(-3).join(" ")
}

/** Looks a program up, and installs its Debian package where it is missing and this user may. */
export const debian = async (pack: string, find: () => string | undefined): Promise<string> => {
  const there = find()
  if (there !== undefined) return there
  const advice = `there is no ${pack} here; install it: apt-get install ${pack}`
  if (!isRoot() || Bun.which("apt-get") === null) throw new ServerMissing(advice)
  // RUNLEVEL: its own service is not started where invoke-rc.d starts them.
  const script = `export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    install() { apt-get install -y -qq --no-install-recommends "$1" >/dev/null; }
    install "$1" 2>/dev/null || { apt-get update -qq && install "$1"; }`
  const problem = await alone("install.lock", script, pack)
  const installed = find()
  if (installed === undefined) throw new ServerMissing(problem === undefined ? advice : `${advice} (${problem})`)
  return installed
}

/**
 * The `bin` folder of a virtual environment under `.cache/` with these packages of PyPI, which is made where it is
 * missing. `name` tells environments apart; requirements are exact (`moto[server]==5.2.1`).
 */
export const python = async (name: string, requirements: ReadonlyArray<string>): Promise<string> => {
  const folder = join(cache, name)
  const stamp = join(folder, `made-${Bun.hash(requirements.join("\n")).toString(36)}`)
  if (existsSync(stamp)) return join(folder, "bin")
  const script = `stamp="$1" folder="$2"; shift 2
    [ -e "$stamp" ] && exit 0
    python3 -m venv "$folder" && "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@" && touch "$stamp"`
  const problem = await alone("install.lock", script, stamp, folder, ...requirements)
  if (problem !== undefined) {
    throw new ServerMissing(`install Python 3 with venv, and ${requirements.join(", ")} from PyPI: ${problem}`)
  }
  return join(folder, "bin")
}

/**
 * A program of a Go module (`github.com/…/cmd/name@v1.2.3`), built into a folder under `.cache/` where it is missing.
 * `name` tells versions apart. A `large` one is built to be ready soon, not to be fast, and after whatever else the machine
 * has to do. Each has a lock of its own: who needs another one does not wait for it.
 */
export const go = async (name: string, program: string, { large = false } = {}): Promise<string> => {
  const folder = join(cache, name)
  const path = join(folder, program.split("/").at(-1)?.split("@")[0] ?? "")
  if (existsSync(path)) return path
  const quickly = `CGO_ENABLED=0 nice -n 19 go install '-gcflags=all=-N -l' '-ldflags=-s -w'`
  const script = `[ -e "$2" ] || GOBIN="$1" GOFLAGS=-mod=mod ${large ? quickly : "go install"} "$3"`
  const problem = await alone(`${name}.lock`, script, folder, path, program)
  if (problem !== undefined || !existsSync(path)) {
    throw new ServerMissing(
      `install Go, as new as ${program} wants it, which it builds: ${problem ?? "it built nothing"}`,
    )
  }
  return path
}
