import * as Moment from "../domain/moment.ts"
import type { Approval, Concurrency, PauseUntil } from "../domain/plan.ts"
import * as Template from "../domain/expression/template.ts"
import type { FieldReader } from "./field-reader.ts"
import { type Located, get, kindOf } from "./located.ts"

/** The `approval` of a task: who must agree before it starts. */
export const readApproval = (reader: FieldReader, parent: Located, parentPath: string): Approval | undefined => {
  const node = get(parent, "approval")
  if (node === undefined) return undefined
  const path = `${parentPath}.approval`
  if (reader.map(node, path, "approval", ["approvers", "timeout", "onTimeout"]) === undefined) return undefined
  const approvers = reader.number(node, "approvers", path, { min: 1, max: 20, whole: true })
  const timeout = reader.limit(node, "timeout", path)
  const onTimeout = reader.choice(node, "onTimeout", path, ["fail", "skip"])
  if (onTimeout !== undefined && get(node, "timeout") === undefined) {
    reader.report(
      get(node, "onTimeout")?.at ?? node.at,
      `${path}.onTimeout`,
      "onTimeout needs a timeout, like timeout: 4h.",
    )
  }
  return {
    approvers: approvers ?? 1,
    ...(timeout === undefined ? {} : { timeout }),
    ...(onTimeout === "skip" ? { onTimeout } : {}),
  }
}

/** The `pauseUntil` of a task: a moment with its offset, or one expression that gives it. */
export const readPauseUntil = (reader: FieldReader, parent: Located, parentPath: string): PauseUntil | undefined => {
  const node = get(parent, "pauseUntil")
  if (node === undefined) return undefined
  const path = `${parentPath}.pauseUntil`
  if (reader.map(node, path, "pauseUntil", ["reason", "until"]) === undefined) return undefined
  const until = reader.text(node, "until", path)
  const reason = reader.text(node, "reason", path)
  if (get(node, "until") === undefined || get(node, "reason") === undefined) {
    return reader.report(node.at, path, "pauseUntil wants a reason and until, a moment like 2026-01-05T22:00:00Z.")
  }
  if (until === undefined || reason === undefined) return undefined
  if (Template.hasExpression(until)) return { reason, until }
  const moment = Moment.parse(until)
  if (moment === undefined) {
    const at = get(node, "until")?.at ?? node.at
    return reader.report(at, `${path}.until`, "until must be a moment with its offset, like 2026-01-05T22:00:00Z.")
  }
  return { reason, until: new Date(moment).toISOString() }
}

const labelPattern = /^[a-z0-9][a-z0-9_.-]{0,62}$/

/** The `labels` of a task, sorted: a worker must have all of them to take it. */
export const readLabels = (reader: FieldReader, parent: Located, path: string): ReadonlyArray<string> => {
  const labels = reader.texts(parent, "labels", path)
  if (labels.length === 0) return []
  for (const { at, text } of labels) {
    if (!labelPattern.test(text)) {
      reader.report(at, `${path}.labels`, `"${text}" is no label: small letters, digits, '.', '_' and '-', at most 63.`)
    }
  }
  return [...new Set(labels.map(({ text }) => text))].toSorted()
}

/** The `concurrency` of a pipeline. */
export const readConcurrency = (reader: FieldReader, parent: Located): Concurrency | undefined => {
  const node = get(parent, "concurrency")
  if (node === undefined) return undefined
  if (node.kind === "scalar") {
    return reader.report(
      node.at,
      "concurrency",
      `concurrency must be a map, like { group: retrain }, not ${kindOf(node)}.`,
    )
  }
  if (reader.map(node, "concurrency", "concurrency", ["group", "limit", "onConflict"]) === undefined) return undefined
  const group = reader.text(node, "group", "concurrency")
  if (get(node, "group") === undefined) {
    return reader.report(node.at, "concurrency", "concurrency has no group. Runs of one group wait for each other.")
  }
  if (group !== undefined && !labelPattern.test(group)) {
    reader.report(
      get(node, "group")?.at ?? node.at,
      "concurrency.group",
      `"${group}" is no group name: small letters, digits, '.', '_' and '-'.`,
    )
  }
  return {
    group: group ?? "",
    limit: reader.number(node, "limit", "concurrency", { min: 1, max: 1_000, whole: true }) ?? 1,
    onConflict: reader.choice(node, "onConflict", "concurrency", ["queue", "cancel-running", "fail"]) ?? "queue",
  }
}
