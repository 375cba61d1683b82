import * as Template from "../domain/expression/template.ts"
import type { TaskDefinition } from "./definition.ts"
import type { FieldReader } from "./field-reader.ts"
import { type Located, get } from "./located.ts"

const interpreters = /^(sh|bash|dash|zsh|ksh|fish|python[0-9.]*|node|bun|deno|perl|ruby|php|pwsh|powershell|Rscript)$/
/** Flags whose next argument is a script: alone, at the end of others (`-Ic`, `-ne`), or in words. */
const scriptFlags = /^(?:-[A-Za-z]*[ceEpr]|--(?:eval|print)|-Command)$/
/** Arguments that hold a script themselves: `--eval=…`, and what `env -S` takes apart. */
const scriptWords = /^--(?:eval|print)=/

const nameOf = (word: string): string => word.slice(word.lastIndexOf("/") + 1)

/** After a file or a module that the interpreter runs, flags are that program's own. */
const isProgram = (word: string): boolean => word === "-m" || (!word.startsWith("-") && /[./]/.test(word))

const textOf = (node: Located | undefined): string =>
  node?.kind === "scalar" && typeof node.value === "string" ? node.value : ""

/** Refuses an expression inside the script of an interpreter (`sh -c …`): its value would become code. */
export const check = (reader: FieldReader, inputs: Located, task: TaskDefinition): void => {
  const argv = get(inputs, "argv")
  if (argv?.kind !== "list") return
  argv.items.forEach((item, i) => {
    const before = textOf(argv.items[i - 1])
    const earlier = argv.items.slice(0, i).map(textOf)
    const interpreter = earlier.findIndex((word) => interpreters.test(nameOf(word)))
    const program = interpreter !== -1 && !earlier.slice(interpreter + 1).some(isProgram)
    const script = program && (scriptFlags.test(before) || scriptWords.test(textOf(item)))
    const split = /^(-S|--split-string)$/.test(before) || textOf(item).startsWith("--split-string=")
    const taken = split && earlier.some((word) => nameOf(word) === "env")
    if (!(script || taken) || !Template.hasExpression(textOf(item))) return
    reader.report(
      item.at,
      `${task.path}.with.argv[${i}]`,
      'An expression inside a script would become code. Pass the value as an argument after it, or in "env".',
    )
  })
}
