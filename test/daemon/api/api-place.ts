import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Project from "../../../src/cli/project.ts"
import * as Api from "../../../src/daemon/api/api.ts"
import type { HostState } from "../../../src/daemon/host.ts"
import { usual } from "../../../src/domain/config/daemon.ts"
import type { Role } from "../../../src/domain/token.ts"
import * as TokenBook from "../../../src/ledger/token-book.ts"
import * as SettingsFiles from "../../../src/services/settings-files.ts"
import * as StartKeys from "../../../src/services/start-keys.ts"
import * as TokensSql from "../../../src/services/tokens-sql.ts"
import * as RunProject from "../../cli/run-project.ts"
import * as TestHost from "./test-host.ts"

const more = {
  asking: `
  go: { uses: actor, approval: { approvers: 1 }, with: { say: hello } }`,
  both: `
  go: { uses: actor, approval: { approvers: 1 }, with: { say: hello } }
  hanging: { uses: actor, with: { say: hanging about, hangs: true } }`,
  shell: `
  say: { uses: command, with: { argv: [echo, 'hi'] } }`,
}

const withParams = `version: 1
id: given
params:
  city: { type: string, minLength: 1, description: Where }
  count: { type: integer, default: 1, description: How many }
schedule: { cron: '0 3 * * *', timezone: Europe/Berlin, params: { city: Berlin }, dst: { gap: shift, overlap: first } }
tasks:
  first: { uses: actor, with: { say: '\${{ params.city }}' } }
`

/** What requests to the hook of `given` are signed with. */
export const hookSecret = `whsec_${Buffer.from("a secret of thirty-two bytes....").toString("base64")}`

/** A project with a few pipelines, its services, and an API in front of them on a free port. */
export const make = Effect.fnUntraced(function* (limits: Partial<typeof usual.limits> = {}) {
  const project = yield* RunProject.project
  yield* Effect.promise(async () => {
    for (const [id, tasks] of Object.entries(more)) {
      await Fs.writeFile(join(project, `pipelines/${id}.yaml`), `version: 1\nid: ${id}\ntasks:${tasks}\n`)
    }
    await Fs.writeFile(join(project, "pipelines/given.yaml"), withParams)
    // As outside of dev: who asked for a run does not approve its tasks.
    await Fs.writeFile(join(project, "configs/envs/dev/approvals.yaml"), "selfApproval: false\n")
    await Fs.appendFile(
      join(project, "configs/base/daemon.yaml"),
      `hooks:\n  given: "\${file:hook.secret}"\n  shell: "\${file:no.secret}"\n`,
    )
    await Fs.writeFile(join(project, "hook.secret"), hookSecret)
  })
  const home = join(project, ".dandori")
  const configuration = yield* SettingsFiles.load(project, "dev")
  const standing: { current: HostState } = { current: { ready: true, leader: true } }
  const services = yield* Layer.build(
    TestHost.layer({ configuration, project }, standing).pipe(
      Layer.provideMerge(
        Layer.merge(
          TokensSql.layerOf(configuration.sections.database),
          StartKeys.layerOf(configuration.sections.database),
        ).pipe(Layer.provideMerge(Project.services({ project, home, configuration }))),
      ),
    ),
  )
  /** Serves the API for a scope. */
  const serve = Api.serve({
    host: "127.0.0.1",
    port: 0,
    allowedHosts: ["dandori.example"],
    limits: { ...usual.limits, requests_per_minute: 100_000, ...limits },
    localUser: { authid: "local", authtype: "user" },
  }).pipe(
    Effect.tap(({ onSocket }) => onSocket(join(home, "daemon.sock"))),
    Effect.provide(services),
  )
  const serving = yield* Effect.scope.pipe(Effect.flatMap((scope) => Scope.fork(scope)))
  const { port } = yield* Scope.provide(serve, serving)
  const url = `http://127.0.0.1:${port}`

  /** A request as a role's token, or without one. */
  const call = (path: string, init: RequestInit & { readonly token?: string; readonly unix?: string } = {}) =>
    Effect.promise(async (signal) => {
      const { token, ...rest } = init
      const headers = new Headers(rest.headers)
      if (token !== undefined) headers.set("authorization", `Bearer ${token}`)
      const response = await fetch(`${url}${path}`, { signal, ...rest, headers })
      const text = await response.text()
      const isJson = text !== "" && response.headers.get("content-type")?.includes("json") === true
      return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined }
    })

  /** As `call`, with a JSON body. */
  const post = (path: string, token: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
    call(path, {
      method: "POST",
      token,
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    })

  /** A new token. */
  const token = (name: string, role: Role) =>
    Effect.map(Effect.provide(TokenBook.create({ name, role }, "local"), services), ({ text }) => text)

  /** Ends the API. */
  const close = Scope.close(serving, Exit.void)

  return { project, home, url, port, services, call, post, token, serve, close, standing }
})
