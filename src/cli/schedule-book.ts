import * as Effect from "effect/Effect"
import type { Ledger } from "../ledger/ledger.ts"
import * as Root from "../ledger/root.ts"
import * as StreamName from "../ledger/stream-name.ts"
import * as ScheduleBook from "../scheduler/schedule-book.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as Hint from "./hint.ts"
import { Missing } from "./missing.ts"
import { plain } from "./plain-text.ts"
import * as Project from "./project.ts"
import * as ProjectReaders from "./project-readers.ts"

const missing = Effect.fnUntraced(function* (pipeline: string) {
  const hint = yield* Hint.here
  return yield* new Missing({
    what: `No schedule of ${plain(pipeline)} was ever deployed here`,
    next: `A running daemon deploys what is in pipelines/. See what there is: ${hint.either("schedule list")}`,
  })
})

/** Reads a pipeline's schedule as its stream tells it: all events, oldest first. */
export const readEvents = Effect.fnUntraced(function* (pipeline: string) {
  const { env, home, project } = yield* ProjectReaders.find
  const own = yield* ScheduleBook.eventsOf(env, pipeline).pipe(
    Effect.provide(ProjectReaders.ledger({ env, home, project })),
  )
  return own.length === 0 ? yield* missing(pipeline) : own
})

/** Reads where each schedule of the environment stands, by pipeline; makes nothing where nothing was recorded. */
export const readStates = Effect.flatMap(ProjectReaders.find, ({ env, home, project }) =>
  ScheduleBook.statesOf(env).pipe(Effect.provide(ProjectReaders.ledger({ env, home, project }))),
)

/** Adds to a pipeline's schedule; the root then names where its stream stands. */
export const change = <A, E>(
  pipeline: string,
  order: (book: ScheduleBook.ScheduleBook, env: SettingsFiles.Configuration["env"]) => Effect.Effect<A, E, Ledger>,
) =>
  Effect.gen(function* () {
    const { env, home, project } = yield* Project.find
    const configuration = yield* SettingsFiles.load(project, env)
    return yield* Effect.gen(function* () {
      yield* Root.reconcile()
      const book = yield* ScheduleBook.open(configuration.env)
      if (![...book.pipelines()].includes(pipeline)) return yield* missing(pipeline)
      const before = book.head().hash
      const answer = yield* order(book, configuration.env)
      const { hash, sequence } = book.head()
      if (hash !== before) yield* Root.closed(StreamName.ofSchedules(env), sequence, hash)
      return answer
    }).pipe(Effect.provide(Project.ledgerLayer({ env, home, project })), Effect.scoped)
  })
