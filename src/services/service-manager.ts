import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Libc from "./libc.ts"

const advice: Readonly<Record<string, string>> = {
  EINVAL: "$NOTIFY_SOCKET is neither a path nor a name that begins with @, or it is too long",
  ENOENT: "nothing is there; start the daemon by its unit, or unset NOTIFY_SOCKET",
  ECONNREFUSED: "nobody listens there; start the daemon by its unit, or unset NOTIFY_SOCKET",
  EACCES: "this user may not write to it",
  EAGAIN: "its queue is full: the service manager does not read it",
}

/** The service manager could not be told something. */
export class NotifyFailed extends Schema.TaggedError<NotifyFailed>()("NotifyFailed", {
  socket: Schema.String,
  code: Schema.String,
}) {
  readonly transient = true
  override get message() {
    const what = advice[this.code] ?? "it cannot be written to"
    return `The service manager at ${this.socket} cannot be told: ${what} (${this.code})`
  }
}

/**
 * What the service manager is told: that this process is ready (also after it has read its configuration again), reads its
 * configuration again, is about to end, is alive; or in a few words what it does.
 */
export type State = "ready" | "reloading" | "stopping" | "alive" | { readonly status: string }

const longestStatus = 500
// oxlint-disable-next-line no-control-regex
const controls = /[\u0000-\u001f\u007f]+/g

/** The words of a state, as sd_notify(3) has them. */
const wordsOf = (state: State): string => {
  if (typeof state === "object") {
    return `STATUS=${state.status.toWellFormed().replace(controls, " ").slice(0, longestStatus)}`
  }
  switch (state) {
    case "ready":
      return "READY=1"
    case "reloading":
      return `RELOADING=1\nMONOTONIC_USEC=${Math.floor(Libc.awakeMillis() * 1_000)}`
    case "stopping":
      return "STOPPING=1"
    case "alive":
      return "WATCHDOG=1"
  }
}

/** Microseconds of `WATCHDOG_USEC`, as milliseconds, where it is meant for this process (sd_watchdog_enabled(3)). */
const watchdogOf = (env: Environment): number | undefined => {
  const { NOTIFY_SOCKET: socket, WATCHDOG_PID: pid, WATCHDOG_USEC: micros } = env
  if (socket === undefined || socket === "" || micros === undefined || !/^[1-9]\d{0,15}$/.test(micros)) return undefined
  return pid === undefined || pid === String(process.pid) ? Number(micros) / 1_000 : undefined
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * What started this process and watches it, if it speaks the protocol of systemd (sd_notify(3), sd_watchdog_enabled(3)):
 * datagrams to `$NOTIFY_SOCKET`, a path or `@name` of the abstract namespace. Where nothing does, it is told nothing.
 */
export class ServiceManager extends Context.Service<
  ServiceManager,
  {
    /** It acts when it has not heard `alive` for so long (milliseconds); undefined where it does not watch. */
    readonly watchdogMillis: number | undefined
    /** Never waits. */
    readonly tell: (state: State) => Effect.Effect<void, NotifyFailed>
  }
>()("dandori/services/ServiceManager") {
  static readonly layer = Layer.sync(ServiceManager, () => ofEnvironment(process.env))
}

/** The service manager that an environment names. */
export const ofEnvironment = (env: Environment): ServiceManager["Service"] => {
  const { NOTIFY_SOCKET: socket } = env
  const tell = (state: State) =>
    Effect.suspend(() => {
      if (socket === undefined || socket === "") return Effect.void
      const code = Libc.sendDatagram(socket, wordsOf(state))
      return code === undefined ? Effect.void : Effect.fail(new NotifyFailed({ socket, code }))
    })
  return { watchdogMillis: watchdogOf(env), tell }
}
