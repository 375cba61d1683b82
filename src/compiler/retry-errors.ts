import { didYouMean } from "../domain/suggest.ts"
import type { AnyTaskType } from "../domain/task-type.ts"
import type { Definition } from "./definition.ts"
import type { FieldReader } from "./field-reader.ts"
import { type Located, get } from "./located.ts"

/** What `retry.on` may name for every task type: errors that the engine itself tells of an attempt. */
export const ofEngine: Readonly<Record<string, string>> = {
  TimedOut: "the attempt took longer than its timeout",
  Defect: "a defect in the task type",
  OutputInvalid: "the output does not fit the task type's schema",
  FileFailed: "a file could not be read or written",
}

/** Reports the names of a `retry.on` that none of these task types fails with: they would never be tried again. */
const checkNames = (
  reader: FieldReader,
  parent: Located | undefined,
  path: string,
  types: ReadonlyArray<AnyTaskType>,
  who: string,
): void => {
  const retry = parent && get(parent, "retry")
  const on = retry && get(retry, "on")
  if (on?.kind !== "list" || types.length === 0 || types.some(({ errors }) => errors === undefined)) return
  const known = [...new Set([...types.flatMap(({ errors }) => Object.keys(errors ?? {})), ...Object.keys(ofEngine)])]
  on.items.forEach((item, i) => {
    if (item.kind !== "scalar" || typeof item.value !== "string" || known.includes(item.value)) return
    const hint = didYouMean(item.value, known)
    const names = known.toSorted().join(", ")
    reader.report(item.at, `${path}.retry.on[${i}]`, `${who} fails with "${item.value}".${hint} Known: ${names}.`)
  })
}

/** Checks what `retry.on` names, in `defaults` and in tasks, against the errors that the task types declare. */
export const check = (
  reader: FieldReader,
  document: Located,
  { tasks }: Definition,
  types: ReadonlyMap<string, AnyTaskType | undefined>,
): void => {
  const all = [...types.values()].flatMap((type) => type ?? [])
  checkNames(reader, get(document, "defaults"), "defaults", all, "No task of this pipeline")
  for (const task of tasks.values()) {
    if (task.settings.retry === undefined) continue
    const { path, uses, written } = task
    const type = types.get(uses.text)
    if (type !== undefined) checkNames(reader, written, path, [type], `No ${type.type} task`)
  }
}
