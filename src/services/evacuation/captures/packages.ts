import { homeFolder } from "../../home-folder.ts"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Workspace } from "../../workspace.ts"
import { type Capture, type Lines, NothingToTake } from "./capture.ts"
import * as Machine from "./machine-files.ts"
import * as Program from "./program.ts"

const field = (text: string, name: string): string | undefined => new RegExp(`^${name}: *(.*)$`, "m").exec(text)?.[1]

/** Debian's list of packages (deb822(5)): those that are installed. */
const addDebian = Effect.fnUntraced(function* (lines: Lines) {
  const text = yield* Machine.read("/var/lib/dpkg/status")
  const entries = (text ?? "").split("\n\n").filter((entry) => / installed$/m.test(field(entry, "Status") ?? ""))
  for (const entry of entries)
    lines.add(`dpkg ${field(entry, "Package")} ${field(entry, "Version")} ${field(entry, "Architecture")}`)
  return entries.length
})

/** Alpine's list (apk's installed database): `P:` name, `V:` version. */
const addAlpine = Effect.fnUntraced(function* (lines: Lines) {
  const text = yield* Machine.read("/lib/apk/db/installed")
  const entries = (text ?? "").split("\n\n").filter((entry) => entry.startsWith("C:"))
  for (const entry of entries) lines.add(`apk ${field(entry, "P")} ${field(entry, "V")} ${field(entry, "A")}`)
  return entries.length
})

const below = (folder: string, pattern: RegExp): ReadonlyArray<string> =>
  (Machine.namesIn(folder) ?? []).filter((name) => pattern.test(name)).map((name) => join(folder, name))

/** Folders in which Python packages are installed: of the project's environments, of this one, of the machine, of the user. */
const pythonFolders = (project: string): ReadonlyArray<string> => {
  const prefixes = [
    ...[".venv", "venv", "env"].map((name) => join(project, name)),
    ...[process.env["VIRTUAL_ENV"], process.env["CONDA_PREFIX"]].filter((path) => path !== undefined && path !== ""),
    "/opt/conda",
    "/usr/local",
    "/usr",
    join(homeFolder(), ".local"),
  ].filter((path) => path !== undefined)
  const found = prefixes.flatMap((prefix) =>
    ["lib", "lib64"].flatMap((lib) =>
      below(join(prefix, lib), /^python3(\.\d+)?$/).flatMap((python) => below(python, /^(site|dist)-packages$/)),
    ),
  )
  return [...new Set(found)]
}

/** The packages of a folder by their metadata (PyPA, "Recording installed projects" and "Core metadata"). */
const addPython = Effect.fnUntraced(function* (lines: Lines, folder: string) {
  const found = below(folder, /\.(dist|egg)-info$/)
  for (const path of found) {
    const file = path.endsWith(".dist-info") ? "METADATA" : "PKG-INFO"
    const text = (yield* Machine.read(join(path, file))) ?? (yield* Machine.read(path)) ?? ""
    const head = text.slice(0, Math.max(0, text.indexOf("\n\n")) || text.length)
    lines.add(`pip ${field(head, "Name") ?? path} ${field(head, "Version") ?? "?"} ${folder}`)
  }
  return found.length
})

const Lock = Schema.fromJsonString(
  Schema.Struct({
    packages: Schema.Record(Schema.String, Schema.Struct({ version: Schema.optionalKey(Schema.String) })),
  }),
)
const Manifest = Schema.fromJsonString(
  Schema.Struct({ name: Schema.String, version: Schema.optionalKey(Schema.String) }),
)
const decodeLock = Schema.decodeUnknownOption(Lock)
const decodeManifest = Schema.decodeUnknownOption(Manifest)

/** The packages of a `node_modules`: by npm's own list, or by the packages that lie there. */
const addNode = Effect.fnUntraced(function* (lines: Lines, folder: string) {
  const lock = decodeLock(yield* Machine.read(join(folder, ".package-lock.json")))
  if (Option.isSome(lock)) {
    const entries = Object.entries(lock.value.packages)
    for (const [path, { version }] of entries)
      lines.add(`npm ${path.replace(/^node_modules\//, "")} ${version ?? "?"} ${folder}`)
    return entries.length
  }
  const packages = below(folder, /^[^.]/).flatMap((path) => (/\/@[^/]+$/.test(path) ? below(path, /^[^.]/) : [path]))
  let count = 0
  for (const path of packages) {
    const manifest = decodeManifest(yield* Machine.read(join(path, "package.json")))
    if (Option.isNone(manifest)) continue
    count++
    lines.add(`npm ${manifest.value.name} ${manifest.value.version ?? "?"} ${folder}`)
  }
  return count
})

/** Programs that are asked where files say nothing. */
const addAsked = Effect.fnUntraced(function* (lines: Lines, argv: ReadonlyArray<string>, maxBytes: number) {
  const said = yield* Program.runIfThere({ argv, cwd: "/", maxBytes })
  if (said === undefined || said.exitCode !== 0) return 0
  lines.add(`$ ${argv.join(" ")}`)
  lines.add(said.stdout)
  return said.stdout.split("\n").length
})

/** What is installed: of the system, of Python, of Node; by the files of each, its program only where they say nothing. */
export const capture: Capture = (lines, { maxBytes }) =>
  Effect.gen(function* () {
    const { project } = yield* Workspace
    let system = (yield* addDebian(lines)) + (yield* addAlpine(lines))
    if (system === 0) system = yield* addAsked(lines, ["rpm", "-qa"], maxBytes)
    let python = 0
    for (const folder of pythonFolders(project)) python += yield* addPython(lines, folder)
    if (python === 0) python = yield* addAsked(lines, ["python3", "-m", "pip", "list", "--format=freeze"], maxBytes)
    let node = 0
    for (const folder of [join(project, "node_modules"), "/usr/lib/node_modules", "/usr/local/lib/node_modules"])
      node += yield* addNode(lines, folder)
    if (system + python + node === 0)
      return yield* new NothingToTake({ reason: "no list of packages was found on this machine" })
  })
