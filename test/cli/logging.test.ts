import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Link from "../support/link-proxy.ts"
import * as Servers from "../support/servers/scoped.ts"
import { until } from "./daemon-project.ts"
import { ndjson, project, start } from "./evidence-project.ts"
import { write } from "./guarded-project.ts"

/** A way to a server that can be cut. */
const linked = (url: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const at = new URL(url)
      const link = await Link.make(Number(at.port))
      at.port = String(link.port)
      return { ...link, url: at.href }
    }),
    ({ close }) => Effect.sync(close),
  )

describe("what a command logs", () => {
  it.live("goes to standard error, and spoils no JSON", () =>
    Effect.gen(function* () {
      const link = yield* linked(yield* Servers.postgresUrl)
      const folder = yield* project
      yield* Effect.promise(() => Fs.mkdir(join(folder, "pipelines")))
      yield* write(folder, "dsn", link.url)
      yield* Effect.promise(() => Fs.chmod(join(folder, "dsn"), 0o600))
      yield* write(folder, "configs/envs/dev/database.yaml", "backend: postgres\ndsn: ${file:dsn}\n")
      yield* write(folder, "configs/envs/dev/ledger.yaml", "store: postgres\n")
      const argv = "[sh, -c, 'until [ -e go ]; do sleep 0.02; done']"
      const task = `{ uses: command, with: { argv: ${argv}, effects: idempotent } }`
      yield* write(folder, "pipelines/wait.yaml", `version: 1\nid: wait\ntasks:\n  work: ${task}\n`)
      const child = start(folder, ["run", "wait", "--json"])
      yield* Effect.addFinalizer(() => Effect.sync(() => child.kill("SIGKILL")))
      const said = { out: "", err: "" }
      const read = async (stream: ReadableStream<Uint8Array>, to: "out" | "err") => {
        const decoder = new TextDecoder()
        for await (const chunk of stream) said[to] += decoder.decode(chunk, { stream: true })
      }
      const all = Promise.all([read(child.stdout, "out"), read(child.stderr, "err"), child.exited])
      const saying = (pattern: RegExp) =>
        until(Effect.sync(() => (pattern.test(`${said.out}\n${said.err}`) ? true : undefined)))
      yield* saying(/attempt\.started/)
      // The run goes on while its database is away: that is logged, and so is that it is back.
      link.set("refused")
      yield* write(folder, "go", "")
      yield* saying(/ waits: /)
      link.set("open")
      const [, , code] = yield* Effect.promise(() => all)
      assert.strictEqual(code, 0, said.err)
      assert.deepInclude(ndjson(said.out).at(-1), { kind: "result", status: "succeeded" })
      assert.match(said.err, /^[A-Z].* waits: .*\n(.*\n)*.* goes on\n/m)
    }),
  )
})
