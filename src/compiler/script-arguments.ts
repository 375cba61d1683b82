import * as Template from "../domain/expression/template.ts"
import type { TaskDefinition } from "./task-definition.ts"
import type { FieldReader } from "./field-reader.ts"
import { type Located, get } from "./located.ts"
import * as ScriptTools from "./script-tools.ts"

const textOf = (node: Located | undefined): string =>
  node?.kind === "scalar" && typeof node.value === "string" ? node.value : ""

/** What the words after a program are: those that it takes as code, and where words begin that are not its own. */
interface Reading {
  readonly code: ReadonlyArray<number>
  readonly end: number
}

/** What a flag does: where its code is, how many words after it are its values, whether the program comes from a file. */
interface FlagReading {
  readonly code?: number
  readonly values: number
  readonly isFile?: boolean
}

const readLong = (tool: ScriptTools.ScriptTool, word: string, i: number): FlagReading => {
  const [name, value] = word.replace(/^--?/, "").split(/=(.*)/s)
  const folded = tool.words ? name.toLowerCase() : name
  const values = value === undefined ? 1 : 0
  if (tool.codeWords?.includes(folded)) return { code: i + values, values }
  if (tool.fileWords?.includes(folded)) return { values, isFile: true }
  return { values: value === undefined ? (tool.valueWords?.[folded] ?? 0) : 0 }
}

const readShort = (tool: ScriptTools.ScriptTool, word: string, i: number): FlagReading => {
  for (let at = 1; at < word.length; at++) {
    const letter = word[at]
    const isLast = at === word.length - 1 || tool.attached === false
    const values = isLast ? 1 : 0
    if (tool.code?.includes(letter)) return { code: i + values, values }
    if (tool.file?.includes(letter)) return { values, isFile: true }
    if (tool.values?.includes(letter)) return { values }
    if (tool.rest?.includes(letter)) break
  }
  return { values: 0 }
}

const read = (tool: ScriptTools.ScriptTool, words: ReadonlyArray<string>, start: number): Reading => {
  const code: Array<number> = []
  const operands: Array<number> = []
  let isGiven = false
  let hasFlags = true
  let i = start
  for (; i < words.length; i++) {
    const word = words[i]
    if (hasFlags && word === "--") {
      hasFlags = false
    } else if (hasFlags && word.startsWith("-") && word.length > 1) {
      const isLong = word.startsWith("--") || tool.words === true
      const flag = isLong ? readLong(tool, word, i) : readShort(tool, word, i)
      i += flag.values
      if (flag.code !== undefined) code.push(flag.code)
      if (flag.code !== undefined || flag.isFile) isGiven = true
      const { after = "arguments" } = tool
      if (flag.code !== undefined && after === "code")
        return { code: [...code, ...from(i + 1, words)], end: words.length }
      if (flag.code !== undefined && after === "arguments") return { code, end: i + 2 }
      if (flag.isFile && tool.operands === "program") return { code, end: words.length }
    } else {
      operands.push(i)
      if (tool.operands === "program") return { code, end: words.length }
      if (tool.operands === "first") return { code: isGiven ? code : [...code, i], end: words.length }
      if (tool.subcommand !== undefined && words[operands[0]] !== tool.subcommand) return { code, end: words.length }
      if (tool.operands === "later" && operands.length === 2) {
        return { code: [...code, ...from(i, words)], end: words.length }
      }
    }
  }
  const first = tool.operands === "permuted" && !isGiven ? operands.slice(0, 1) : []
  return { code: [...code, ...first], end: words.length }
}

const from = (start: number, words: ReadonlyArray<string>): ReadonlyArray<number> =>
  words.slice(start).map((_, i) => start + i)

/** Code among the words of a command, each with what may be done instead of writing a value into it. */
const codeIn = (words: ReadonlyArray<string>): ReadonlyMap<number, string> => {
  const found = new Map<number, string>()
  const isStarted = ScriptTools.isStarter(words[0] ?? "")
  let envAt = -1
  for (let i = 0; i < words.length; i++) {
    const tool = ScriptTools.of(words[i])
    if (ScriptTools.isEnv(words[i])) envAt = i
    const isSplit = /^(-S|--split-string)$/.test(words[i - 1] ?? "") || /^(-S.|--split-string=)/.test(words[i])
    if (envAt !== -1 && envAt < i && isSplit) found.set(i, 'Pass the value as an argument after it, or in "env".')
    if (tool === undefined) continue
    // Names like jq stand among arguments too, where they are no program: those that take flags of code say what they are.
    if (tool.operands !== "program" && i > 0 && !isStarted) continue
    const { code, end } = read(tool, words, i + 1)
    for (const at of code) found.set(at, tool.instead)
    i = end - 1
  }
  return found
}

/** The commands of a task, each with its place: its `argv`, and those of the `checks` of a gate. */
const commandsIn = (inputs: Located): ReadonlyArray<readonly [path: string, argv: Located | undefined]> => {
  const checks = get(inputs, "checks")
  const inner = checks?.kind === "list" ? checks.items : []
  return [
    ["argv", get(inputs, "argv")],
    ...inner.map((check, i) => [`checks[${i}].argv`, check.kind === "map" ? get(check, "argv") : undefined] as const),
  ]
}

/** Refuses an expression inside code (`sh -c …`, `awk …`): its value would become code. */
export const check = (reader: FieldReader, inputs: Located, task: TaskDefinition): void => {
  for (const [place, argv] of commandsIn(inputs)) {
    if (argv?.kind !== "list" || !argv.items.some((item) => Template.hasExpression(textOf(item)))) continue
    for (const [i, instead] of codeIn(argv.items.map(textOf))) {
      const item = argv.items[i]
      if (item === undefined || !Template.hasExpression(textOf(item))) continue
      const path = `${task.path}.with.${place}[${i}]`
      reader.report(item.at, path, `An expression inside a script would become code. ${instead}`)
    }
  }
}
