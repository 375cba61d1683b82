import { fileURLToPath } from "node:url"
import { readFileSync, readdirSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { assert, describe, it } from "@effect/vitest"

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "")

/**
 * What each room may import of ours, as the architecture's table says, and three arrows that it leaves open: the compiler
 * starts the child process that evaluates TypeScript (a service), `program-modules.ts` hands a project's own TypeScript
 * the program's copies of `dandori` and `dandori/tasks`, and what a project's tests import uses all that is below the
 * command line.
 */
const allowed: Readonly<Record<string, ReadonlyArray<string>>> = {
  "src/domain": [],
  "src/authoring": ["src/domain"],
  "src/compiler": ["src/domain", "src/authoring", "src/services", "src/program-modules.ts"],
  "src/market": ["src/domain"],
  "src/ledger": ["src/domain", "src/services"],
  "src/engine": ["src/domain", "src/ledger", "src/services"],
  "src/scheduler": ["src/domain", "src/ledger", "src/engine", "src/services"],
  "src/services": ["src/domain"],
  "src/exporters": ["src/domain", "src/ledger", "src/services"],
  "src/simulation": ["src/domain", "src/ledger", "src/engine", "src/scheduler"],
  "src/daemon": [
    "src/domain",
    "src/authoring",
    "src/compiler",
    "src/ledger",
    "src/engine",
    "src/scheduler",
    "src/exporters",
    "src/services",
    "tasks",
  ],
  "src/cli": [
    "src/daemon",
    "src/domain",
    "src/authoring",
    "src/compiler",
    "src/market",
    "src/ledger",
    "src/engine",
    "src/scheduler",
    "src/exporters",
    "src/simulation",
    "src/services",
    "tasks",
    "package.json",
    "configs",
    "pipelines",
  ],
  configs: [],
  pipelines: [],
  "src/testing": [
    "src/domain",
    "src/authoring",
    "src/compiler",
    "src/market",
    "src/ledger",
    "src/engine",
    "src/services",
    "tasks",
  ],
  "src/program-modules.ts": ["src/index.ts", "src/services", "tasks"],
  "src/index.ts": ["src/authoring", "src/domain", "src/services"],
  tasks: ["src/authoring", "src/domain", "src/services", "src/market", "src/program-modules.ts", "package.json"],
}

const filesBelow = (folder: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(path) : entry.name.endsWith(".ts") ? [path] : []
  })

const files = [...filesBelow("src"), ...filesBelow("tasks")]

/** Comments out, so that an example in a docstring is no import. */
const code = (file: string): string => readFileSync(join(root, file), "utf8").replace(/\/\*[\s\S]*?\*\//g, "")

const importsOf = (file: string, kind: "all" | "values"): ReadonlyArray<string> => {
  const text =
    kind === "all"
      ? code(file)
      : code(file)
          .replace(/import type [^;]*?from "[^"]+"/g, "")
          .replace(/export type \{[^}]*\} from "[^"]+"/g, "")
  const found = [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map((match) => match[1])
  return found.map((target) => relative(root, join(root, dirname(file), target)))
}

const roomOf = (file: string): string =>
  Object.keys(allowed)
    .toSorted((a, b) => b.length - a.length)
    .find((room) => file === room || file.startsWith(`${room}/`)) ?? file

describe("the rooms of the architecture", () => {
  it("import only what the table allows", () => {
    const wrong = files.flatMap((file) =>
      importsOf(file, "all")
        .filter((target) => {
          const [from, to] = [roomOf(file), roomOf(target)]
          return from !== to && allowed[from]?.includes(to) !== true
        })
        .map((target) => `${file} imports ${target}`),
    )
    assert.deepStrictEqual(wrong, [])
  })

  it("have no cycle of imports between files", () => {
    const graph = new Map(
      files.map((file) => [file, importsOf(file, "values").filter((target) => target.endsWith(".ts"))]),
    )
    const done = new Set<string>()
    const cycles: Array<string> = []
    const visit = (file: string, path: ReadonlyArray<string>): void => {
      const at = path.indexOf(file)
      if (at !== -1) return void cycles.push([...path.slice(at), file].join(" -> "))
      if (done.has(file)) return
      for (const target of graph.get(file) ?? []) visit(target, [...path, file])
      done.add(file)
    }
    for (const file of files) visit(file, [])
    assert.deepStrictEqual(cycles, [])
  })

  it("hold no file of more than 400 lines", () => {
    const long = files
      .map((file) => [file, readFileSync(join(root, file), "utf8").split("\n").length - 1] as const)
      .filter(([, lines]) => lines > 400)
    assert.deepStrictEqual(long, [])
  })

  it("never import the barrels of effect, which cost start-up time", () => {
    const wrong = files.filter((file) =>
      /from "(effect|@effect\/platform-node|effect\/(cli|sql|process|http|schema))"/.test(code(file)),
    )
    assert.deepStrictEqual(wrong, [])
  })

  it("never take a path from the encoded text of a URL, which breaks in folders with a space", () => {
    const all = [...files, ...filesBelow("test"), ...filesBelow("bench"), ...filesBelow("deploy")]
    const wrong = all.filter((file) => /import\.meta\.url\)\.pathname/.test(code(file)))
    assert.deepStrictEqual(wrong, [])
  })
})
