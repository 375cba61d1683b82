import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { RunId } from "../../domain/names.ts"
import * as Hint from "../hint.ts"
import { Missing } from "../missing.ts"
import * as Output from "../output.ts"
import { plain } from "../plain-text.ts"
import type { DaemonClient } from "./daemon-client.ts"

const isRun: (text: string) => boolean = Schema.is(RunId)
const pageSize = 100
/** Most pages of runs that are looked through for a part of an id. */
const mostPages = 20
const listed = 5
/** Least number of characters of an ending that names a run; the beginnings of runs made together are alike. */
const shortestEnding = 4

/** The newest runs of a daemon, at most `count`, newest first, and whether there are more. */
export const newest = Effect.fnUntraced(function* (daemon: DaemonClient, count: number) {
  let page = yield* daemon.ask((api) => api.runs.list({ query: { limit: Math.min(count, pageSize) } }))
  const runs = [...page.runs]
  while (runs.length < count && page.before !== undefined) {
    const { before } = page
    const limit = Math.min(count - runs.length, pageSize)
    page = yield* daemon.ask((api) => api.runs.list({ query: { limit, before } }))
    runs.push(...page.runs)
  }
  return { runs, more: page.before !== undefined }
})

/** The run that a person named: by its id, or, of the newest, by a beginning or an ending that only it has. */
export const choose = Effect.fnUntraced(function* (daemon: DaemonClient, name: string) {
  const part = name.toLowerCase().replace(/^runs\//, "")
  if (isRun(part)) return part
  const next = `See what there is: ${(yield* Hint.here).either("runs list")}`
  if (!/^[0-9a-f-]{1,36}$/.test(part)) return yield* new Missing({ what: `There is no run ${plain(name)}`, next })
  const { runs } = yield* newest(daemon, mostPages * pageSize)
  const ids = runs.map(({ run }) => run)
  const found = ids.filter((id) => id.startsWith(part) || (part.length >= shortestEnding && id.endsWith(part)))
  const [only] = found
  if (only === undefined) {
    return yield* new Missing({ what: `The daemon has no run ${plain(name)} among its newest ${ids.length}`, next })
  }
  if (found.length === 1) return only
  const some = found.slice(0, listed).join(", ")
  const more = found.length > listed ? ` and ${found.length - listed} more` : ""
  return yield* new Output.UsageError({ reason: `${plain(name)} is a part of ${found.length} runs: ${some}${more}` })
})
