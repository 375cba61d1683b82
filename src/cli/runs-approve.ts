import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Clock from "effect/Clock"
import * as Prompt from "effect/cli/Prompt"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { data as eventData } from "../domain/event.ts"
import { taskOf } from "../engine/run-state.ts"
import * as Resume from "../engine/resume.ts"
import * as Submit from "../engine/submit.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as Hint from "./hint.ts"
import * as Output from "./output.ts"
import * as Project from "./project.ts"
import * as ProjectReaders from "./project-readers.ts"
import * as RecordedRun from "../engine/recorded-run.ts"
import { dateTime } from "./render/duration.ts"
import { clean } from "./render/line.ts"
import { waitingFor } from "./render/run-summary.ts"
import * as RunChoice from "./run-choice.ts"
import { who } from "./who.ts"

/** What was asked on the command line. */
export interface ApproveRequest {
  readonly run: string
  readonly task: string | undefined
  readonly refuse: boolean
  readonly reason: string | undefined
  readonly yes: boolean
}

const isRequested = Schema.is(eventData["dev.dandori.approval.requested.v1"])

/** The task that is to be approved: the named one, or the only one that waits. */
export const chooseTask = Effect.fnUntraced(function* (
  run: string,
  waiting: ReadonlyArray<string>,
  name: string | undefined,
) {
  if (name !== undefined && waiting.includes(name)) return name
  const [only] = waiting
  if (name === undefined && only !== undefined && waiting.length === 1) return only
  const known = waiting.length === 0 ? "none does" : `these do: ${waiting.join(", ")}`
  const which = name === undefined ? "Name the task" : `Task ${name} of run ${run} waits for no approval`
  return yield* new Output.UsageError({ reason: `${which}; ${known}.` })
})

/** What somebody is asked to agree to. `due`: milliseconds since the epoch. */
export interface Asked {
  readonly task: string
  readonly pipeline: string
  readonly requester: string
  readonly input: string
  readonly shown?: unknown
  readonly approvers: number
  readonly granted: ReadonlyArray<string>
  readonly due?: number
}

const describe = ({ approvers, due, granted, input, pipeline, requester, shown, task }: Asked): string =>
  [
    `${clean(task)} of ${clean(pipeline)}, asked for by ${clean(requester)}`,
    `  input      ${input}`,
    ...(shown === undefined ? [] : [clean(JSON.stringify(shown, null, 2)).replace(/^/gm, "    ")]),
    `  approvers  ${granted.length} of ${approvers}${granted.length === 0 ? "" : `: ${granted.map(clean).join(", ")}`}`,
    ...(due === undefined ? [] : [`  until      ${dateTime(due)}`]),
  ].join("\n")

const ask = (message: string) =>
  Effect.provide(Prompt.run(Prompt.Confirm({ message, initial: false })), NodeServices.layer)

/** Shows what is asked, and whether this person says that the answer is meant. */
export const isMeant = Effect.fnUntraced(function* (
  { reason, refuse, yes }: ApproveRequest,
  asked: Asked,
  flags: { readonly quiet: boolean; readonly noInput: boolean },
) {
  if (refuse && reason === undefined) {
    return yield* new Output.UsageError({ reason: "To refuse, say why: --reason TEXT" })
  }
  // Who says --yes sees too what that was for.
  if (!yes || !flags.quiet) yield* Output.message(describe(asked))
  if (yes) return true
  if (process.stdin.isTTY !== true || flags.noInput) {
    return yield* new Output.UsageError({ reason: `To ${refuse ? "refuse" : "agree"}, say --yes` })
  }
  const agreed = yield* ask(refuse ? "Refuse?" : "Agree?")
  if (!agreed) yield* Output.message("Nothing was recorded.")
  return agreed
})

/** Shows what a task waits to be approved for, and records that this person agrees or refuses. */
export const approve = Effect.fnUntraced(function* (request: ApproveRequest) {
  const { env, flags, home, project } = yield* Project.find
  const run = yield* RunChoice.choose(request.run).pipe(
    Effect.flatMap((id) => RecordedRun.read(home, id)),
    Effect.provide(ProjectReaders.ledger({ project, home, env })),
  )
  const facts = RecordedRun.factsOf(yield* RecordedRun.planOf(home, run), run)
  const task = yield* chooseTask(run.id, waitingFor(facts), request.task)
  const asked = run.entries.map(({ data }) => data).findLast((data) => isRequested(data) && data.task === task)
  if (!isRequested(asked)) return yield* new Output.UsageError({ reason: `Nobody asked about ${task}` })
  const { reason, refuse } = request
  const granted = taskOf(facts.state, task).approval?.granted ?? []
  const given = { ...asked, granted, pipeline: run.data?.pipeline ?? run.id, requester: run.who }
  if (!(yield* isMeant(request, given, flags))) return
  const configuration = yield* SettingsFiles.load(project, env)
  const isDriven = yield* Effect.gen(function* () {
    const driven = yield* (yield* Ledger).owned(StreamName.ofRun(run.id))
    const recalled = yield* Resume.recall(run.id)
    const now = yield* Clock.currentTimeMillis
    const { input } = asked
    const body = refuse
      ? ({ kind: "refuse", task, input, reason: reason ?? "" } as const)
      : ({ kind: "approve", task, input, ...(reason === undefined ? {} : { reason }) } as const)
    yield* Submit.submit(run.id, recalled, body, { by: who(), now, say: Output.message })
    return driven
  }).pipe(Effect.provide(Project.services({ project, home, configuration })))
  const hint = yield* Hint.here
  const said = refuse ? "refused" : "approved"
  const have = granted.includes(who()) ? granted.length : granted.length + 1
  const missing = refuse ? 0 : asked.approvers - have
  const resume = isDriven || missing > 0 ? {} : { resume: hint.either(`runs resume ${run.id}`) }
  if (flags.json)
    return yield* Output.json({ v: 1, kind: said, run: run.id, task, by: who(), input: asked.input, ...resume })
  const goesOn = isDriven ? "Its run goes on." : `No process drives the run; to go on with it: ${resume.resume}`
  const next = missing > 0 ? `${have} of ${asked.approvers} have agreed.` : goesOn
  yield* Output.data(`${task} is ${said} by ${who()}: that is recorded. ${next}`)
})
