/** The dead-man signal: something elsewhere raises an alarm when it stops. */
import { constants } from "node:fs"
import * as Fs from "node:fs/promises"
import { dirname } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { isHttpUrl } from "../domain/config/http-url.ts"
import * as Durable from "./durable-files.ts"
import * as Http from "./http.ts"
import type { ServiceManager } from "./service-manager.ts"

/** The file of the signal cannot be written, as the configuration stands. */
export class DeadManFileRefused extends Schema.TaggedError<DeadManFileRefused>()("DeadManFileRefused", {
  path: Schema.String,
  code: Schema.String,
  reason: Schema.String,
}) {
  /** As for a configuration that does not work. */
  readonly exitCode = 78
  override get message() {
    const hint = "or name another file in daemon.dead_man.file"
    if (this.code === "ENOENT") {
      return `The dead-man signal cannot be written to ${this.path}: there is no folder ${dirname(this.path)}; make it, ${hint} (ENOENT)`
    }
    return `The dead-man signal cannot be written to ${this.path}: ${this.reason}; put that right, ${hint} (${this.code})`
  }
}

/** One way by which the signal leaves the process. */
export type Way = "file" | "url" | "watchdog"

/** How one way goes. */
export interface WayState {
  readonly way: Way
  readonly sent: number
  readonly failures: number
  /** When the signal last left by it (milliseconds since the epoch). */
  readonly last: number | undefined
  /** Why it does not leave by it now. */
  readonly problem: string | undefined
}

/** What is sent, where to, and whether there is reason to. */
export interface Options {
  /** The signal leaves at least so often by file and URL, milliseconds. */
  readonly everyMillis: number
  readonly file?: string | undefined
  /** What is requested. It is asked for before each signal: its key may have changed. */
  readonly url?: Effect.Effect<string, { readonly message: string }> | undefined
  readonly serviceManager: ServiceManager["Service"]
  /** Whether the process does its work; asked before each signal. While it says no, or nothing, none is sent. */
  readonly healthy: Effect.Effect<boolean>
  /** Hears of each try. */
  readonly onTry?: (way: Way, succeeded: boolean) => Effect.Effect<void>
}

/** The signal, and how it goes. */
export interface DeadMan {
  /** Sends it, until it is interrupted. Never fails: what does not arrive is what the alarm elsewhere is for. */
  readonly run: Effect.Effect<never>
  readonly state: Effect.Effect<ReadonlyArray<WayState>>
}

/** A way fails with a message that names no secret. */
interface Sender {
  readonly way: Way
  readonly name: string
  readonly periodMillis: number
  readonly send: Effect.Effect<void, { readonly message: string }>
}

const longestAnswerMillis = 10_000
/** A URL says what it has to say in its status. */
const answerBytes = 1_024

/** O_NONBLOCK: a pipe that nobody reads is refused, not waited for. */
const writing = constants.O_WRONLY | constants.O_CREAT | constants.O_NONBLOCK

const withFile = <A>(path: string, use: (file: Fs.FileHandle) => Promise<A>) =>
  Effect.acquireUseRelease(
    Durable.attempt("open", path, () => Fs.open(path, writing, 0o644)),
    (file) => Durable.attempt("touch", path, () => use(file)),
    (file) => Effect.ignore(Durable.attempt("close", path, () => file.close())),
  )

/** Makes the file, if it is missing, and sees that its time could be set, which stays as it is. */
export const tryFile = (path: string) =>
  withFile(path, async (file) => {
    const found = await file.stat()
    if (found.isFile()) await file.utimes(found.atime, found.mtime)
    return found.isFile()
  }).pipe(
    Effect.mapError(({ code, reason }) => new DeadManFileRefused({ path, code, reason })),
    Effect.filterOrFail(
      (isFile) => isFile,
      () => new DeadManFileRefused({ path, code: "EINVAL", reason: "it is no regular file" }),
    ),
  )

const touch = (path: string) =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => withFile(path, (file) => file.utimes(new Date(now), new Date(now))))

/** A URL without what may be secret in it: such URLs have their key in the path. */
export const shownUrl = (url: string): string => {
  const { origin, pathname, search } = new URL(url)
  return pathname === "/" && search === "" ? origin : `${origin}/…`
}

const request = (url: string, timeoutMillis: number): Effect.Effect<void, { readonly message: string }> => {
  if (!isHttpUrl(url)) {
    const what = "it is no http or https URL like https://host/path, without a user or a password"
    return Effect.fail({ message: `What daemon.dead_man.url refers to cannot be requested: ${what}` })
  }
  const shown = shownUrl(url)
  const said = (reason: string) => ({ message: `${shown}: ${reason}` })
  const get = {
    method: "GET",
    url,
    headers: { "user-agent": "dandori" },
    timeoutMillis,
    maxBytes: answerBytes,
    isAnswer: () => false,
  }
  return Http.send(get).pipe(
    Effect.mapError(({ reason }) => said(reason)),
    Effect.flatMap(({ status }) =>
      status >= 200 && status <= 299 ? Effect.void : Effect.fail(said(`it answered ${status}`)),
    ),
  )
}

/** Sends by one way at each multiple of its period; what takes longer than that is followed at once, and never doubled. */
const keepSending = (sender: Sender, options: Options, update: (change: Partial<WayState>) => WayState) =>
  Effect.gen(function* () {
    const { name, periodMillis, send, way } = sender
    const { healthy, onTry = () => Effect.void } = options
    let state = update({})
    let lost = 0
    let withheld = false
    for (;;) {
      const begun = yield* Clock.monotonicTimeNanos
      if (yield* healthy) {
        if (withheld) yield* Effect.logWarning(`The dead-man signal by ${name} goes on`)
        withheld = false
        const problem = yield* Effect.match(send, { onSuccess: () => undefined, onFailure: ({ message }) => message })
        if (problem === undefined) {
          if (lost > 0) yield* Effect.logWarning(`The dead-man signal by ${name} arrives again; ${lost} did not`)
          lost = 0
          state = update({ sent: state.sent + 1, last: yield* Clock.currentTimeMillis, problem })
        } else {
          lost++
          if (lost === 1) yield* Effect.logWarning(`The dead-man signal does not arrive by ${name}: ${problem}`)
          state = update({ failures: state.failures + 1, problem })
        }
        yield* onTry(way, problem === undefined)
      } else if (!withheld) {
        withheld = true
        const problem = "it is withheld: the scheduler does not turn"
        state = update({ problem })
        yield* Effect.logWarning(`The dead-man signal does not leave by ${name}: ${problem}`)
      }
      const tookMillis = Number((yield* Clock.monotonicTimeNanos) - begun) / 1e6
      yield* Effect.sleep(Math.max(0, periodMillis - tookMillis))
    }
  })

/**
 * The dead-man signal: the file's time is renewed, the URL gets a request (any 2xx is taken), the service manager's watchdog
 * is told. Each way goes at half of its time, so that one signal that is late or lost sets off no alarm, and none waits for
 * another. Fails only where the file cannot be written at the start.
 */
export const make = Effect.fn("DeadMan.make")(function* (
  options: Options,
): Effect.fn.Return<DeadMan, DeadManFileRefused> {
  const { everyMillis, file, serviceManager, url } = options
  const periodMillis = everyMillis / 2
  const senders: Array<Sender> = []
  if (file !== undefined) {
    yield* tryFile(file)
    senders.push({ way: "file", name: `the file ${file}`, periodMillis, send: touch(file) })
  }
  if (url !== undefined) {
    const send = Effect.flatMap(url, (is) => request(is, Math.min(everyMillis, longestAnswerMillis)))
    senders.push({ way: "url", name: "the URL of daemon.dead_man.url", periodMillis, send })
  }
  if (serviceManager.watchdogMillis !== undefined) {
    senders.push({
      way: "watchdog",
      name: "the watchdog",
      periodMillis: serviceManager.watchdogMillis / 2,
      send: serviceManager.tell("alive"),
    })
  }
  const states = new Map<Way, WayState>()
  const sending = senders.map((sender) => {
    const { way } = sender
    states.set(way, { way, sent: 0, failures: 0, last: undefined, problem: undefined })
    return keepSending(sender, options, (change) => {
      const next = { ...(states.get(way) as WayState), ...change }
      states.set(way, next)
      return next
    })
  })
  return {
    run: Effect.andThen(
      Effect.forEach(sending, (send) => send, { concurrency: "unbounded" }),
      Effect.never,
    ),
    state: Effect.sync(() => [...states.values()]),
  }
})
