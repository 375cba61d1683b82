import { statSync } from "node:fs"
import { homeFolder } from "../../home-folder.ts"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type Capture, CaptureFailed, type Lines, NothingToTake } from "./capture.ts"

/** Where Docker and Podman listen: of the machine, of the user, and where the environment says. */
const sockets = (): ReadonlyArray<string> => {
  const runtime = process.env["XDG_RUNTIME_DIR"]
  const places = [
    ...["DOCKER_HOST", "CONTAINER_HOST"].map((name) => /^unix:\/\/(.+)$/.exec(process.env[name] ?? "")?.[1]),
    "/var/run/docker.sock",
    "/run/podman/podman.sock",
    ...(runtime === undefined ? [] : [join(runtime, "docker.sock"), join(runtime, "podman", "podman.sock")]),
    join(homeFolder(), ".docker", "run", "docker.sock"),
  ].filter((path) => path !== undefined)
  const seen = new Set<string>()
  return places.filter((path) => {
    const stat = statSync(path, { throwIfNoEntry: false })
    const isNew = stat?.isSocket() === true && !seen.has(`${stat.dev}:${stat.ino}`)
    if (isNew) seen.add(`${stat.dev}:${stat.ino}`)
    return isNew
  })
}

const List = Schema.fromJsonString(Schema.Array(Schema.Struct({ Id: Schema.String })))
const decodeList = Schema.decodeUnknownOption(List)

/** GET of Docker's API (Engine API v1.24 and later), which Podman answers too. */
const ask = (socket: string, path: string, maxBytes: number) =>
  Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(`http://localhost${path}`, { unix: socket, signal, keepalive: false })
      const text = (await response.text()).slice(0, maxBytes)
      return { status: response.status, text }
    },
    catch: (cause) =>
      new CaptureFailed({
        reason: `${socket} does not answer: ${cause instanceof Error ? cause.message : String(cause)}`,
      }),
  })

const addFrom = Effect.fnUntraced(function* (lines: Lines, socket: string, maxBytes: number) {
  lines.add(`# ${socket}`)
  for (const path of ["/version", "/containers/json?all=1", "/images/json"]) {
    const { status, text } = yield* ask(socket, path, maxBytes)
    lines.add(`# GET ${path}: ${status}`)
    lines.add(text.trim())
    if (path !== "/containers/json?all=1") continue
    const list = decodeList(text)
    if (Option.isNone(list))
      return yield* new CaptureFailed({ reason: `${socket} answered ${status} and no list of containers` })
    for (const { Id: id } of list.value) {
      if (lines.isFull()) return
      const found = yield* ask(socket, `/containers/${encodeURIComponent(id)}/json`, maxBytes)
      lines.add(`# GET /containers/${id}/json: ${found.status}`)
      lines.add(found.text.trim())
    }
  }
})

/** What Docker and Podman say of their containers and images: the list, and each container inspected. */
export const capture: Capture = (lines, { maxBytes }) =>
  Effect.gen(function* () {
    const found = yield* Effect.sync(sockets)
    if (found.length === 0) return yield* new NothingToTake({ reason: "neither Docker nor Podman has a socket here" })
    const exits = yield* Effect.forEach(found, (socket) =>
      Effect.flip(addFrom(lines, socket, maxBytes)).pipe(Effect.option),
    )
    const problems = exits.flatMap(Option.toArray).map(({ reason }) => reason)
    if (problems.length > 0) return yield* new CaptureFailed({ reason: problems.join("; ") })
  })
