import { dirname, join } from "node:path"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { Exporter } from "../domain/config/exporters.ts"
import type { EventData } from "../domain/event.ts"
import type { EnvironmentName } from "../domain/names.ts"
import { formatDuration } from "../domain/quantity.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import * as Durable from "../services/durable-files.ts"
import { ExportCursors } from "../services/export-cursors.ts"
import * as FileLock from "../services/file-lock.ts"
import * as HttpPost from "../services/http-post.ts"
import * as LineFile from "../services/line-file.ts"
import { Secrets } from "../services/secrets.ts"
import { Workspace } from "../services/workspace.ts"
import { type Batch, type Body, batches } from "./batch.ts"

/** What came of one pass of an exporter. `problem` says why something is left for the next one. */
export interface Delivered {
  readonly exporter: string
  /** Requests, or lines of a file, that were accepted. */
  readonly sent: number
  readonly problem: string | undefined
  /** True where a secret that a request needs is not on this machine. */
  readonly unconfigured?: true
}

/** What a pass needs besides services. */
export interface Options {
  readonly env: EnvironmentName
  readonly exporters: ReadonlyArray<Exporter>
  /** For one request. */
  readonly timeoutMillis: number
  /** A run of which nothing that stands in the ledger now is sent. */
  readonly skip?: string
  /** For the whole pass; without it a pass goes on until all is sent. */
  readonly boundMillis?: number
}

/** How far a pass has come. */
interface Progress {
  count: number
  note: string | undefined
}

/** How long a pass without a bound waits for another process that sends to the same exporter. */
const patienceMillis = 10_000
const finished = "dev.dandori.run.finished.v1"

/** What OTLP answers when it has taken a request but not all that was in it; it must not be sent again. */
const Partial = Schema.fromJsonString(
  Schema.Struct({
    partialSuccess: Schema.Struct({
      rejectedSpans: Schema.optionalKey(Schema.Union([Schema.String, Schema.Finite])),
      rejectedDataPoints: Schema.optionalKey(Schema.Union([Schema.String, Schema.Finite])),
      errorMessage: Schema.optionalKey(Schema.String),
    }),
  }),
)
const decodePartial = Schema.decodeUnknownOption(Partial)

/** What was dropped of a request, by the answer to it; undefined when nothing was. */
const dropped = (answer: string): string | undefined => {
  const partial = decodePartial(answer)
  if (Option.isNone(partial)) return undefined
  const { errorMessage, rejectedDataPoints, rejectedSpans } = partial.value.partialSuccess
  const count = Number(rejectedSpans ?? 0) + Number(rejectedDataPoints ?? 0)
  return count > 0 ? `it was taken without ${count} of its parts: ${errorMessage ?? "no reason given"}` : undefined
}

/** Hands a batch over, one body after the other; tells of each that the other side has accepted, with its answer. */
const hand = Effect.fnUntraced(function* (
  exporter: Exporter,
  { bodies }: Batch,
  timeoutMillis: number,
  onAccepted: (body: Body, answer: string) => void,
) {
  if (exporter.kind === "open-lineage-file") {
    const path = yield* (yield* Workspace).resolve(exporter.path)
    yield* Durable.makeFolderDurably(dirname(path))
    yield* LineFile.append(
      path,
      bodies.map(({ text }) => text),
    )
    return bodies.forEach((body) => onAccepted(body, ""))
  }
  const secrets = yield* Secrets
  const headers: Record<string, string> = {}
  for (const [name, reference] of Object.entries(exporter.headers ?? {})) {
    headers[name] = Redacted.value(yield* secrets.resolve(reference))
  }
  const base = exporter.kind === "otlp" ? exporter.url.replace(/\/+$/, "") : exporter.url
  for (const body of bodies) {
    const answer = yield* HttpPost.post({ url: `${base}${body.path}`, headers, body: body.text, timeoutMillis })
    onAccepted(body, answer)
  }
})

/** Statuses of refusals that say nothing of what was sent, but of us, of the address, or of now (RFC 9110, section 15.5). */
const notOfTheBody = new Set([401, 402, 403, 404, 405, 407, 408, 421, 425, 426, 429])
/** So many runs that are refused while none is accepted: then it is not the runs. */
const mostRefused = 3

const refusesBody = (error: unknown): error is HttpPost.PostFailed =>
  error instanceof HttpPost.PostFailed &&
  error.status !== undefined &&
  error.status >= 400 &&
  error.status <= 499 &&
  !notOfTheBody.has(error.status)

/** Sends what is new of one run. */
const sendRun = Effect.fnUntraced(function* (
  exporter: Exporter,
  cursorName: string,
  run: string,
  { env, skip, timeoutMillis }: Options,
  sent: Progress,
) {
  const cursors = yield* ExportCursors
  const ledger = yield* Ledger
  const { entries } = yield* ledger
    .read(StreamName.ofRun(run))
    .pipe(Effect.catchTag("StreamMissing", () => Effect.succeed({ entries: [] })))
  const last = entries.at(-1)
  if (last === undefined) return
  const created = entries[0].data as EventData<"dev.dandori.run.created.v1">
  if (created.env !== env) return yield* cursors.accepted(cursorName, run, entries.length, true)
  if (run === skip) return yield* cursors.accepted(cursorName, run, entries.length, last.type === finished)
  const cursor = yield* cursors.of(cursorName, run)
  let { position } = cursor
  for (const batch of batches(exporter, run, entries, cursor)) {
    const ended = batch.through === entries.length && last.type === finished
    if (batch.bodies.length === 0) {
      position = batch.through
      if (ended) yield* cursors.accepted(cursorName, run, position, true)
      continue
    }
    yield* cursors.sending(cursorName, run, batch.through)
    const before = position
    yield* hand(exporter, batch, timeoutMillis, ({ through }, answer) => {
      position = through
      sent.count++
      if (exporter.kind === "otlp") sent.note = dropped(answer) ?? sent.note
    }).pipe(
      Effect.onExit(() =>
        position === before
          ? Effect.void
          : cursors.accepted(cursorName, run, position, ended && position === batch.through),
      ),
    )
  }
})

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/**
 * One pass of one exporter over all runs that it has not seen the end of, oldest first. A run whose bytes are refused is
 * left where it is and the others go on; anything else that goes wrong stops the pass.
 */
const pass = Effect.fn("Delivery.pass")(function* (exporter: Exporter, options: Options) {
  const cursorName = `${options.env}/${exporter.name}`
  const sent: Progress = { count: 0, note: undefined }
  const work = Effect.gen(function* () {
    const folder = join((yield* Workspace).home, "exporters")
    yield* Durable.makeFolderDurably(folder)
    yield* FileLock.acquireWithin(
      join(folder, `${options.env}.${exporter.name}.lock`),
      options.boundMillis ?? patienceMillis,
    )
    const ended = yield* (yield* ExportCursors).ended(cursorName)
    const refused: Array<string> = []
    for (const run of yield* (yield* Ledger).runs) {
      if (ended.has(run)) continue
      const refusal = yield* sendRun(exporter, cursorName, run, options, sent).pipe(
        Effect.as(undefined),
        Effect.catchIf(refusesBody, ({ message }) => Effect.succeed(message)),
      )
      if (refusal === undefined) continue
      refused.push(
        `run ${run}: ${refusal} (to leave it out: dandori ledger send --exporter ${exporter.name} --skip ${run})`,
      )
      if (refused.length === mostRefused && sent.count === 0) break
    }
    if (refused.length === 0) return undefined
    const more = refused.length - mostRefused
    return [...refused.slice(0, mostRefused), ...(more > 0 ? [`and ${more} more runs`] : [])].join("; ")
  })
  const { redact } = yield* Secrets
  const { boundMillis } = options
  const bounded =
    boundMillis === undefined
      ? work
      : Effect.timeoutOrElse(work, {
          duration: boundMillis,
          orElse: () => Effect.succeed(`there was more to do than fits into ${formatDuration(boundMillis)}`),
        })
  let lacks: { readonly unconfigured?: true } = {}
  const problem = yield* bounded.pipe(
    Effect.scoped,
    Effect.tapErrorTag("SecretMissing", () => Effect.sync(() => void (lacks = { unconfigured: true }))),
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Effect.succeed(messageOf(Cause.squash(cause))),
    ),
  )
  const said = problem ?? sent.note
  return {
    exporter: exporter.name,
    sent: sent.count,
    problem: said === undefined ? said : redact(said),
    ...lacks,
  } satisfies Delivered
})

/**
 * Sends what is new in the ledger to each exporter: at least once, each run in order, the cursor moved only after the other
 * side has accepted. Only runs of this environment. Exporters do not wait for each other, and two processes do not send to
 * one exporter at a time. Never fails: what is not sent is left for the next pass.
 */
export const deliver = (options: Options) =>
  Effect.forEach(options.exporters, (exporter) => pass(exporter, options), { concurrency: "unbounded" })
