import { existsSync } from "node:fs"
import { hostname, machine, release, type, version as kernelVersion } from "node:os"
import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { Workspace } from "../../workspace.ts"
import { type Capture, word } from "./capture.ts"
import * as GitFiles from "./git-files.ts"
import * as Program from "./program.ts"

/** Versions without importing the packages, which may hang or be broken. */
const asked = `
import sys
print("python=" + sys.version.split()[0])
print("python_program=" + sys.executable)
try:
    from importlib.metadata import version
except ImportError:
    from importlib_metadata import version
for name, package in (("sklearn", "scikit-learn"), ("pandas", "pandas"), ("numpy", "numpy"), ("joblib", "joblib")):
    try:
        print(name + "=" + version(package))
    except Exception:
        print(name + "=")
`

/** Pythons that a project may use, the likeliest first. */
const pythons = (project: string): ReadonlyArray<string> => [
  ...[".venv", "venv", "env"].map((name) => join(project, name, "bin", "python")).filter((path) => existsSync(path)),
  "python3",
  "python",
]

const pythonLines = Effect.fnUntraced(function* (project: string) {
  for (const python of pythons(project)) {
    const said = yield* Program.runIfThere({ argv: [python, "-I", "-c", asked], cwd: project, maxBytes: 16_384 }).pipe(
      Effect.timeout("5 seconds"),
      Effect.orElseSucceed(() => undefined),
    )
    if (said?.exitCode === 0) return said.stdout
  }
  return "python="
})

/**
 * Where and with what this was: the incident, the time, the machine, the versions, and this process's environment. A
 * value with more in it than words have is quoted as in JSON.
 */
export const capture: Capture = (lines, { folder, version }) =>
  Effect.gen(function* () {
    const { project } = yield* Workspace
    const now = yield* Clock.currentTimeMillis
    lines.add(`incident_id=${folder.incident.id}`)
    lines.add(`ts_utc=${new Date(now).toISOString()}`)
    lines.add(`host=${hostname()}`)
    lines.add(`uname=${[type(), hostname(), release(), kernelVersion(), machine()].join(" ")}`)
    lines.add(`dandori=${version}`)
    lines.add(`bun=${Bun.version}`)
    lines.add(`project=${word(project)}`)
    lines.add(`git_commit=${GitFiles.read(project)?.commit ?? ""}`)
    lines.add(yield* pythonLines(project))
    lines.add("")
    lines.add("# environment of this process")
    for (const [name, value] of Object.entries(process.env).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      lines.add(`${name}=${word(value ?? "")}`)
  })
