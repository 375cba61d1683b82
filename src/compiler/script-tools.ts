/**
 * How a program takes code on its command line. Letters are of short flags, which may stand together (`-Ic`); words are of
 * long ones, without their dashes.
 */
export interface ScriptTool {
  /** Flags whose value is code. */
  readonly code?: string
  readonly codeWords?: ReadonlyArray<string>
  /** What a flag of code does with what follows its value: more flags, or arguments of the script. */
  readonly after?: "flags" | "arguments" | "code"
  /** Whether the rest of the word is a letter's value: `-ccode`. */
  readonly attached?: false
  /** Flags with a value that is no code. */
  readonly values?: string
  readonly valueWords?: Readonly<Record<string, number>>
  /** Flags to which the rest of their word belongs: `-i.bak`. */
  readonly rest?: string
  /** Flags after which the program stands in a file. */
  readonly file?: string
  readonly fileWords?: ReadonlyArray<string>
  /**
   * What stands without a flag: a `program` that takes the arguments after it; `skipped`; the `first` is code unless it
   * came by a flag, of all (`permuted`) or of those before it; or all after the first are.
   */
  readonly operands: "program" | "skipped" | "first" | "permuted" | "later"
  /** The first operand, where only that one takes code after it. */
  readonly subcommand?: string
  /** A flag is one word, with one dash: `-json`. */
  readonly words?: true
  /** What else may be done with the value. */
  readonly instead: string
}

const asArgument = 'Pass the value as an argument after it, or in "env".'
const bound = "Let a program of your own bind the value."

const shell: ScriptTool = {
  code: "c",
  attached: false,
  values: "oO",
  valueWords: { rcfile: 1, "init-file": 1 },
  operands: "program",
  instead: asArgument,
}
const python: ScriptTool = { code: "c", values: "WX", file: "m", operands: "program", instead: asArgument }
const awk: ScriptTool = {
  code: "e",
  codeWords: ["source"],
  after: "flags",
  values: "Fvil",
  valueWords: { assign: 1, "field-separator": 1 },
  file: "fE",
  fileWords: ["file", "exec"],
  operands: "first",
  instead: 'Pass the value with -v name=VALUE, as an argument, or in "env".',
}
const jq: ScriptTool = {
  values: "L",
  valueWords: { arg: 2, argjson: 2, slurpfile: 2, rawfile: 2, indent: 1 },
  file: "f",
  fileWords: ["from-file"],
  operands: "permuted",
  instead: 'Pass the value with --arg NAME VALUE, or in "env".',
}
const sed: ScriptTool = {
  code: "e",
  codeWords: ["expression"],
  after: "flags",
  values: "l",
  rest: "i",
  file: "f",
  fileWords: ["file"],
  operands: "permuted",
  instead: 'sed takes no values: use awk with -v name=VALUE, or a program that reads "env".',
}
const javascript: ScriptTool = {
  code: "ep",
  codeWords: ["eval", "print"],
  attached: false,
  after: "arguments",
  values: "rC",
  valueWords: { require: 1, import: 1, conditions: 1, loader: 1, preload: 1, cwd: 1 },
  operands: "program",
  instead: asArgument,
}
const powershell: ScriptTool = {
  codeWords: ["c", "command", "e", "ec", "encodedcommand", "cwa", "commandwithargs"],
  after: "code",
  fileWords: ["f", "file"],
  words: true,
  operands: "skipped",
  instead: asArgument,
}
const mysql: ScriptTool = {
  code: "e",
  codeWords: ["execute"],
  after: "flags",
  values: "huPDS",
  rest: "p",
  operands: "skipped",
  instead: bound,
}
const database: ScriptTool = {
  codeWords: ["cmd"],
  after: "flags",
  valueWords: { init: 1, separator: 1, newline: 1, nullvalue: 1, vfs: 1, mmap: 1, maxsize: 1, lookaside: 2 },
  words: true,
  operands: "later",
  instead: bound,
}
const r: ScriptTool = { code: "e", after: "flags", operands: "program", instead: asArgument }

const tools: ReadonlyArray<readonly [RegExp, ScriptTool]> = [
  [/^(sh|bash|dash|zsh|ksh|ash|fish)$/, shell],
  [/^python[0-9.]*$/, python],
  [/^(node|bun)$/, javascript],
  [/^deno$/, { ...javascript, operands: "later", subcommand: "eval" }],
  [
    /^perl[0-9.]*$/,
    { code: "eE", after: "flags", rest: "0CDFiMmltxV", values: "I", operands: "program", instead: asArgument },
  ],
  [
    /^ruby[0-9.]*$/,
    { code: "e", after: "flags", rest: "0FKTWix", values: "ICrE", operands: "program", instead: asArgument },
  ],
  [
    /^php[0-9.]*$/,
    {
      code: "rBRE",
      codeWords: ["run", "process-begin", "process-code", "process-end"],
      after: "flags",
      values: "dcz",
      file: "fF",
      operands: "program",
      instead: asArgument,
    },
  ],
  [/^(pwsh|powershell)(\.exe)?$/i, powershell],
  [/^(R|Rscript)$/, r],
  [/^lua[0-9.]*$/, { ...r, values: "l" }],
  [/^([gmn]?awk|original-awk)$/, awk],
  [/^(jq|gojq|jaq)$/, jq],
  [/^g?sed$/, sed],
  [
    /^ssh$/,
    {
      values: "BbcDEeFIiJLlmOopPQRSWw",
      operands: "later",
      instead: "A shell over there reads all of it: send the value on standard input (stdin).",
    },
  ],
  [
    /^psql$/,
    {
      code: "c",
      codeWords: ["command"],
      after: "flags",
      values: "dFhLoPpRTUvf",
      valueWords: { dbname: 1, host: 1, port: 1, username: 1, set: 1, variable: 1, file: 1, output: 1, "log-file": 1 },
      operands: "skipped",
      instead: "Put the SQL into a file (-f), and pass the value with -v NAME=VALUE: there it is :'NAME'.",
    },
  ],
  [/^(mysql|mariadb)$/, mysql],
  [/^sqlite3$/, database],
  [/^duckdb$/, { ...database, codeWords: ["cmd", "c", "s"], fileWords: ["f"] }],
]

/** Programs that start another, which their arguments name. */
const starters =
  /^(env|sudo|doas|nice|nohup|time|timeout|xargs|parallel|stdbuf|setsid|ionice|chrt|taskset|flock|find|busybox|docker|podman|nerdctl|kubectl|oc)$/

const nameOf = (word: string): string => word.slice(word.lastIndexOf("/") + 1)

/** Whether the first word of a command starts a program that its arguments name. */
export const isStarter = (word: string): boolean => starters.test(nameOf(word))

/** Whether a word calls `env`, which takes a command apart (`-S`). */
export const isEnv = (word: string): boolean => nameOf(word) === "env"

/** How the program of a word takes code; undefined for one that takes none. */
export const of = (word: string): ScriptTool | undefined => tools.find(([name]) => name.test(nameOf(word)))?.[1]
