import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { daemon, says } from "./daemon-project.ts"
import { dandori } from "./evidence-project.ts"

/** A token of a role, made on the command line of a project. */
const tokenOf = (folder: string) => (role: string) =>
  Effect.map(dandori(folder, "token", "create", `${role}-token`, "--role", role, "--quiet"), ({ err, out }) => {
    const found = /dandori_\S+/.exec(`${out}${err}`)?.[0]
    assert.isDefined(found, `${out}${err}`)
    return found
  })

/** A daemon that leads in a project, and how to ask it, or another one, as the holder of a token. */
export const asked = Effect.fnUntraced(function* (folder: string) {
  const process = yield* daemon(folder)
  const [, url] = yield* says(process, /The API listens on (\S+)/)
  yield* says(process, /Leading/)
  const ask = (
    path: string,
    by: string | undefined,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
    at = url,
  ) =>
    Effect.promise(async () => {
      const response = await fetch(`${at}${path}`, {
        method: body === undefined ? "GET" : "POST",
        headers: {
          ...(by === undefined ? {} : { authorization: `Bearer ${by}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      return { status: response.status, json: (await response.json()) as Record<string, any> }
    })
  return { folder, process, token: tokenOf(folder), ask, url }
})
