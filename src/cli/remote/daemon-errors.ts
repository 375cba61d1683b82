import * as Schema from "effect/Schema"
import * as ExitCode from "../exit-code.ts"
import { plain } from "../plain-text.ts"
import { local } from "../server-choice.ts"

const socketOr = (url: string): string => (url === local ? "the local socket" : url)

/** The daemon is not there, or gives no whole answer in time. */
export class DaemonUnreachable extends Schema.TaggedError<DaemonUnreachable>()("DaemonUnreachable", {
  url: Schema.String,
  reason: Schema.String,
}) {
  readonly exitCode = ExitCode.exitCodes.unavailable
  override get message() {
    const why = `cannot be reached: ${plain(this.reason)}`
    return this.url === local
      ? `The daemon of this project ${why}. Start it: dandori daemon`
      : `The daemon at ${this.url} ${why}. Start it, or correct --server (DANDORI_SERVER)`
  }
}

/** What comes from there is nothing that a daemon of this version says. */
export class AnswerUnknown extends Schema.TaggedError<AnswerUnknown>()("AnswerUnknown", {
  url: Schema.String,
  reason: Schema.String,
}) {
  readonly exitCode = ExitCode.exitCodes.unavailable
  override get message() {
    return `What answers at ${socketOr(this.url)} is no daemon of this version: ${plain(this.reason)}. Correct --server (DANDORI_SERVER), or use the version of dandori that runs there`
  }
}

/** The events of a run as the daemon sends them do not verify. */
export class EventsAltered extends Schema.TaggedError<EventsAltered>()("EventsAltered", {
  run: Schema.String,
  reason: Schema.String,
}) {
  readonly exitCode = ExitCode.exitCodes.altered
  override get message() {
    return `The events of run ${this.run} do not verify: ${this.reason}. Look where the daemon runs: dandori ledger verify`
  }
}

const byStatus: Readonly<Record<number, number>> = {
  401: ExitCode.exitCodes.noPermission,
  403: ExitCode.exitCodes.noPermission,
  404: ExitCode.exitCodes.noInput,
  408: ExitCode.exitCodes.temporary,
  413: ExitCode.exitCodes.badData,
  429: ExitCode.exitCodes.temporary,
  500: ExitCode.exitCodes.internal,
  502: ExitCode.exitCodes.unavailable,
  503: ExitCode.exitCodes.temporary,
  504: ExitCode.exitCodes.unavailable,
}

/** The codes of a problem that say more than its status: the exit code is that of the same error on the files. */
const told = new Set([409, 422])

/** The daemon did not do it: a problem (RFC 9457) in its own words. */
export class DaemonRefused extends Schema.TaggedError<DaemonRefused>()("DaemonRefused", {
  url: Schema.String,
  status: Schema.Int,
  code: Schema.String,
  detail: Schema.String,
  retryAfter: Schema.optionalKey(Schema.String),
}) {
  get exitCode(): number {
    if (this.code === "StreamDamaged") return ExitCode.exitCodes.altered
    const same = told.has(this.status) ? ExitCode.ofError({ _tag: this.code }) : ExitCode.exitCodes.internal
    return same === ExitCode.exitCodes.internal ? (byStatus[this.status] ?? ExitCode.exitCodes.usage) : same
  }
  override get message() {
    const words = plain(this.detail).replace(/\.$/, "")
    const next =
      this.status === 401
        ? ". The token is read from DANDORI_TOKEN, or from the file that DANDORI_TOKEN_FILE names"
        : this.retryAfter === undefined
          ? ""
          : `. Try again in ${plain(this.retryAfter)} s`
    return `${words} (${socketOr(this.url)} answered ${this.status})${next}`
  }
}

/** Why nothing came of asking a daemon. */
export type DaemonError = DaemonUnreachable | AnswerUnknown | DaemonRefused

/** Whether it may pass by itself. */
export const isPassing = (error: unknown): boolean =>
  error instanceof DaemonUnreachable ||
  (error instanceof DaemonRefused && [408, 429, 502, 503, 504].includes(error.status))
