/** Containers, through the sockets of Docker and Podman, by the part of Docker's Engine API (v1.24) that both speak. */
import { readFileSync, realpathSync, statSync } from "node:fs"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { DoomedContainer } from "../../../domain/stopped.ts"
import { pause } from "../../process-groups.ts"
import { lookUp } from "../../process-table.ts"
import * as Facts from "./process-facts.ts"

/** What listens on a container socket did not answer, or refused. */
export class ContainersFailed extends Schema.TaggedError<ContainersFailed>()("ContainersFailed", {
  socket: Schema.String,
  reason: Schema.String,
}) {
  override get message() {
    return `${this.socket} does not say which containers run or does not stop them: ${this.reason}; stop them by hand`
  }
}

/** Paths of the sockets that are asked; one that is not there is left out. */
export const ContainerSockets = Context.Reference<ReadonlyArray<string>>("dandori/services/ContainerSockets", {
  defaultValue: () => {
    const given = [process.env.DOCKER_HOST, process.env.CONTAINER_HOST]
    const runtime = process.env.XDG_RUNTIME_DIR ?? `/run/user/${process.getuid?.() ?? 0}`
    return [
      ...given.flatMap((host) => (host?.startsWith("unix://") ? [host.slice("unix://".length)] : [])),
      "/var/run/docker.sock",
      "/run/podman/podman.sock",
      `${runtime}/docker.sock`,
      `${runtime}/podman/podman.sock`,
    ]
  },
})

const Listed = Schema.Array(
  Schema.Struct({ Id: Schema.String, Names: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.String))) }),
)
const Inspected = Schema.Struct({
  State: Schema.Struct({ Running: Schema.Boolean, Pid: Schema.Int, ExitCode: Schema.Int }),
})

const answerMillis = 3_000
const pollMillis = 100

/** The sockets that are there, each once, whatever links lead to it. */
const present = Effect.map(ContainerSockets, (paths) => {
  const found = paths.flatMap((path) => {
    try {
      return statSync(path).isSocket() ? [realpathSync(path)] : []
    } catch {
      return []
    }
  })
  return [...new Set(found)]
})

const ask = (socket: string, method: "GET" | "POST", path: string, timeoutMillis: number) =>
  Effect.tryPromise({
    try: (signal) =>
      fetch(`http://localhost${path}`, { method, unix: socket, signal, keepalive: false }).then(async (response) => ({
        status: response.status,
        text: await response.text(),
      })),
    catch: (cause) => new ContainersFailed({ socket, reason: cause instanceof Error ? cause.message : String(cause) }),
  }).pipe(
    Effect.timeoutOrElse({
      duration: timeoutMillis,
      orElse: () => Effect.fail(new ContainersFailed({ socket, reason: `no answer within ${timeoutMillis} ms` })),
    }),
  )

const askFor = <A>(socket: string, path: string, schema: Schema.Codec<A, any>) =>
  Effect.flatMap(ask(socket, "GET", path, answerMillis), ({ status, text }) =>
    status === 200
      ? Schema.decodeUnknownEffect(Schema.fromJsonString(schema))(text).pipe(
          Effect.mapError(
            () => new ContainersFailed({ socket, reason: "it answered something else than JSON of Docker" }),
          ),
        )
      : Effect.fail(new ContainersFailed({ socket, reason: `HTTP ${status} ${text.slice(0, 200)}`.trim() })),
  )

/**
 * The containers with a label (`key` or `key=value`) that run, and what could not be asked. A socket whose engine did not
 * answer is in `silent`, with the problem, and is not asked again.
 */
export const running = Effect.fn("Containers.running")(function* (label: string, silent: Map<string, string>) {
  const query = encodeURIComponent(JSON.stringify({ label: [label] }))
  const asked = yield* Effect.forEach(yield* present, (socket) =>
    Effect.gen(function* () {
      const known = silent.get(socket)
      if (known !== undefined) return { containers: [], problems: [known] }
      const listed = yield* askFor(socket, `/containers/json?filters=${query}`, Listed)
      const containers = yield* Effect.forEach(listed, ({ Id, Names }) =>
        Effect.map(askFor(socket, `/containers/${Id}/json`, Inspected), ({ State }): DoomedContainer => {
          const row = State.Pid > 1 ? lookUp(State.Pid) : undefined
          const name = Names?.[0]?.replace(/^\//, "") ?? Id.slice(0, 12)
          return { id: Id, name, socket, ...(row === undefined ? {} : { pid: row.pid, started: row.started }) }
        }),
      )
      return { containers, problems: [] }
    }).pipe(
      Effect.catch(({ message }) =>
        Effect.sync(() => {
          silent.set(socket, message)
          return { containers: [], problems: [message] }
        }),
      ),
    ),
  )
  return {
    containers: asked.flatMap(({ containers }) => containers),
    problems: asked.flatMap(({ problems }) => problems),
  }
})

/** True for the container that this process runs in. */
export const isOurs = ({ id }: DoomedContainer): boolean =>
  ["/proc/self/cgroup", "/proc/self/mountinfo"].some((file) => {
    try {
      return readFileSync(file, "utf8").includes(id)
    } catch {
      return false
    }
  })

/** Whether the engine and the table of processes both say that a container has ended; its exit code where it has. */
const ended = (container: DoomedContainer) =>
  Effect.map(askFor(container.socket, `/containers/${container.id}/json`, Inspected), ({ State }) => {
    const { pid, started } = container
    const lives = pid !== undefined && started !== undefined && Facts.lives({ pid, started })
    return State.Running || lives ? undefined : { exitCode: State.ExitCode }
  })

/**
 * Stops a container: its own stop signal, the grace, SIGKILL, all by its engine. Succeeds when it is confirmed that it
 * does not run any more; all of it takes no longer than the limit.
 */
export const stop = Effect.fn("Containers.stop")(function* (
  container: DoomedContainer,
  { graceMillis, limitMillis }: { readonly graceMillis: number; readonly limitMillis: number },
) {
  const { id, socket } = container
  const seconds = Math.max(0, Math.floor(graceMillis / 1_000))
  const until = performance.now() + Math.min(limitMillis, graceMillis + 2 * answerMillis)
  const patience = Math.min(limitMillis, graceMillis + answerMillis)
  const { status, text } = yield* ask(socket, "POST", `/containers/${id}/stop?t=${seconds}`, patience)
  // 304: it had stopped before. 404: it is gone, and was removed by itself (--rm).
  if (status === 404) return { exitCode: 0 }
  if (status >= 400)
    return yield* new ContainersFailed({ socket, reason: `HTTP ${status} ${text.slice(0, 200)}`.trim() })
  for (;;) {
    const found = yield* Effect.catchIf(
      ended(container),
      ({ reason }) => reason.startsWith("HTTP 404"),
      () => Effect.succeed({ exitCode: 0 }),
    )
    if (found !== undefined) return found
    if (performance.now() > until)
      return yield* new ContainersFailed({ socket, reason: "it still runs after its stop" })
    yield* pause(pollMillis)
  }
})
