import * as Template from "../domain/expression/template.ts"
import type { TaskDefinition } from "./definition.ts"
import type { FieldReader } from "./field-reader.ts"
import { type Located, get } from "./located.ts"

const interpreters = /^(sh|bash|dash|zsh|ksh|fish|python[0-9.]*|node|bun|deno|perl|ruby|php|pwsh|powershell|Rscript)$/
const scriptFlags = /^-(?:[a-z]*c|e|-eval|p|Command)$/

const textOf = (node: Located | undefined): string =>
  node?.kind === "scalar" && typeof node.value === "string" ? node.value : ""

/** Refuses an expression inside the script of an interpreter (`sh -c …`): its value would become code. */
export const check = (reader: FieldReader, inputs: Located, task: TaskDefinition): void => {
  const argv = get(inputs, "argv")
  if (argv?.kind !== "list") return
  argv.items.forEach((item, i) => {
    const before = textOf(argv.items[i - 1])
    const program = argv.items.slice(0, i).some((earlier) => interpreters.test(textOf(earlier).split("/").at(-1) ?? ""))
    if (!program || !scriptFlags.test(before) || !Template.hasExpression(textOf(item))) return
    reader.report(
      item.at,
      `${task.path}.with.argv[${i}]`,
      'An expression inside a script would become code. Pass the value as an argument after it, or in "env".',
    )
  })
}
