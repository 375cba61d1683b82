// What Docker and Podman answer to the calls that stop containers; each container is a real process of the test's own.
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type { Started } from "../stop/machine.fixture.ts"

/** A container: its labels, its process, and what stopping it does. */
export interface Container {
  readonly id: string
  readonly labels: Readonly<Record<string, string>>
  readonly process: Started
  /** SIGTERM and after the grace SIGKILL; `refuses` answers 500; `lies` says that it stopped and did nothing. */
  readonly how?: "stops" | "refuses" | "lies"
}

const carries = ({ labels }: Container, label: string): boolean => {
  const [key, ...value] = label.split("=")
  return value.length === 0 ? key in labels : labels[key] === value.join("=")
}

const stop = async ({ how = "stops", process: { pid, isAlive } }: Container, seconds: number) => {
  if (how === "refuses") return new Response('{"message":"cannot stop it"}', { status: 500 })
  if (how === "stops") {
    process.kill(pid, "SIGTERM")
    for (const until = performance.now() + seconds * 1_000; isAlive() && performance.now() < until;) await Bun.sleep(10)
    if (isAlive()) process.kill(pid, "SIGKILL")
    while (isAlive()) await Bun.sleep(5)
  }
  return new Response(null, { status: 204 })
}

/** An engine on a socket that answers until the scope closes; `asked` collects what it was asked. */
export const make = (containers: ReadonlyArray<Container>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const socket = join(mkdtempSync(join(tmpdir(), "engine-")), "engine.sock")
      const asked: Array<string> = []
      const server = Bun.serve({
        unix: socket,
        fetch: async (request) => {
          const { pathname, searchParams } = new URL(request.url)
          asked.push(`${request.method} ${pathname}`)
          if (pathname === "/containers/json") {
            const { label } = JSON.parse(searchParams.get("filters") ?? "{}")
            const found = containers.filter((each) => each.process.isAlive() && carries(each, label[0]))
            return Response.json(found.map(({ id }) => ({ Id: id, Names: [`/${id.slice(0, 4)}`] })))
          }
          const [, , id, action] = pathname.split("/")
          const container = containers.find((each) => each.id === id)
          if (container === undefined) return new Response("{}", { status: 404 })
          if (action === "stop") return stop(container, Number(searchParams.get("t")))
          const { isAlive, pid } = container.process
          const State = { Running: container.how !== "lies" && isAlive(), Pid: pid, ExitCode: 0 }
          return Response.json({ Id: id, State })
        },
      })
      return { server, socket, asked }
    }),
    ({ server }) => Effect.promise(() => server.stop(true)),
  )

/** The number of a container of ours that nobody else has. */
export const newId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(32)), (n) => n.toString(16).padStart(2, "0")).join("")
