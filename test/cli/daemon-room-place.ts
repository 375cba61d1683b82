import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { asked } from "./daemon-callers.ts"
import { ended, until } from "./daemon-project.ts"
import { write } from "./guarded-project.ts"
import { project } from "./run-project.ts"

/** Goes on until there is a file. */
export const untilThere = (file: string) => `[sh, -c, "while ! [ -e ${file} ]; do sleep 0.05; done"]`

export const pipeline = (id: string, argv: string, more: ReadonlyArray<string> = [], ofTask = "") =>
  [
    "version: 1",
    `id: ${id}`,
    ...more,
    "tasks:",
    `  work: { uses: command, ${ofTask}with: { effects: idempotent, argv: ${argv} } }`,
    "",
  ].join("\n")

/** A daemon with room for so many runs, and how to start one and to wait for its status. */
export const place = Effect.fnUntraced(function* (room: number, pipelines: Readonly<Record<string, string>>) {
  const folder = yield* project
  const usual = yield* Effect.promise(() =>
    Fs.readFile(join(import.meta.dirname, "../../configs/base/daemon.yaml"), "utf8"),
  )
  yield* write(
    folder,
    "configs/base/daemon.yaml",
    usual
      .replace(/^max_runs: \d+/m, `max_runs: ${room}`)
      .replace(/^queue: \d+/m, "queue: 2")
      .replace(/requests_per_minute: \d+/, "requests_per_minute: 60000"),
  )
  for (const [id, text] of Object.entries(pipelines)) yield* write(folder, `pipelines/${id}.yaml`, text)
  const { ask, process, token, url } = yield* asked(folder)
  const operator = yield* token("operator")
  const wanted = Object.keys(pipelines)
  yield* until(
    Effect.map(ask("/pipelines", operator), ({ json }) => {
      const deployed = (json.pipelines ?? []).flatMap((one: { readonly id: string; readonly plan?: string }) =>
        one.plan === undefined ? [] : [one.id],
      )
      return wanted.every((id) => deployed.includes(id)) ? true : undefined
    }),
  )
  const start = (id: string) =>
    Effect.map(ask(`/pipelines/${id}/runs`, operator, {}), ({ json, status }) => {
      assert.strictEqual(status, 201, JSON.stringify(json))
      return json.run as string
    })
  const runOf = (run: string) => Effect.map(ask(`/runs/${run}`, operator), ({ json }) => json)
  const is = (run: string, status: string) =>
    until(Effect.map(runOf(run), (json) => (json.status === status ? json : undefined)))
  /** Opens the events of a run; gives the type and the data of each, once the stream has ended. */
  const listen = (run: string) =>
    Effect.promise(async (signal) => {
      const headers = { authorization: `Bearer ${operator}` }
      const response = await fetch(`${url}/runs/${run}/events`, { headers, signal })
      const whole = Effect.promise(() => response.text())
      const events = Effect.map(whole, (text) =>
        text.split("\n\n").flatMap((block) => {
          const [, event, data] = /^event: (.*)\ndata: (.*)$/m.exec(block) ?? []
          return event === undefined ? [] : [{ event, data: JSON.parse(data) }]
        }),
      )
      return { status: response.status, events }
    })
  /** How many runs wait for room, by the metrics. */
  const queued = Effect.promise(async () => {
    const headers = { authorization: `Bearer ${operator}` }
    const text = await (await fetch(`${new URL(url).origin}/metrics`, { headers })).text()
    return Number(/^dandori_runs_queued (\d+)$/m.exec(text)?.[1])
  })
  const endedAs = (id: string, run: string) => until(Effect.map(ended(folder, id), (all) => all.get(run)))
  const stop = Effect.gen(function* () {
    process.signal("SIGTERM")
    assert.strictEqual(yield* process.ended, 0, process.said())
  })
  return { ask, endedAs, folder, is, listen, operator, process, queued, start, stop }
})
