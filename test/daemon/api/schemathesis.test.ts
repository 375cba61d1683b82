import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { Host } from "../../../src/daemon/host.ts"
import { Cordons } from "../../../src/services/cordons.ts"
import * as Schemathesis from "../../support/servers/schemathesis.ts"
import * as ApiPlace from "./api-place.ts"

type Place = Effect.Success<ReturnType<typeof ApiPlace.make>>

const who = { authid: "olga", authtype: "api_key" } as const

const start = ({ services }: Place, pipeline: string) =>
  Effect.map(
    Context.get(services, Host).start({ pipeline, params: {}, run: Bun.randomUUIDv7(), who, trigger: "api" }),
    ({ run }) => run,
  )

const checks = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_headers_conformance",
  "response_schema_conformance",
  "negative_data_rejection",
  "unsupported_method",
  "allow_header_conformance",
  "ignored_auth",
]

/** Runs schemathesis against a place; half of the path parameters are those that are known. */
const st = (
  { project, url }: Place,
  token: string,
  known: Readonly<Record<string, ReadonlyArray<string>>>,
  more: ReadonlyArray<string>,
) =>
  Effect.promise(async () => {
    const config = [
      `headers = { Authorization = "Bearer ${token}" }`,
      ...Object.entries(known).flatMap(([name, values]) => [
        `[dictionaries."${name}"]`,
        `values = ${JSON.stringify(values)}`,
      ]),
      "[parameters]",
      ...Object.keys(known).map((name) => `"path.${name}" = { dictionary = "${name}", probability = 0.5 }`),
    ]
    const file = join(project, "schemathesis.toml")
    await Fs.writeFile(file, `${config.join("\n")}\n`)
    const argv = [
      await Schemathesis.program(),
      `--config-file=${file}`,
      "run",
      `${url}/api/v1/openapi.json`,
      `--checks=${checks.join(",")}`,
      "--phases=coverage,fuzzing",
      "--seed=1",
      "--request-timeout=20",
      "--continue-on-failure",
      "--suppress-health-check=all",
      "--no-color",
      ...more,
    ]
    const child = Bun.spawn(argv, {
      cwd: project,
      env: { ...process.env, HYPOTHESIS_STORAGE_DIRECTORY: join(project, "hypothesis") },
      stdout: "pipe",
      stderr: "pipe",
    })
    const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    return { code: await child.exited, text: out + err }
  })

describe("the OpenAPI document", () => {
  it.live(
    "holds against what schemathesis makes of it",
    () =>
      Effect.gen(function* () {
        const place = yield* ApiPlace.make()
        const admin = yield* place.token("ada", "admin")
        const runs = yield* Effect.forEach(["good", "bad", "hanging", "asking"], (pipeline) => start(place, pipeline))
        const raised = { id: "ir-1", owner: "olga", reason: "the disk is full", scope: ["stubborn"] }
        yield* Context.get(place.services, Cordons).raise(raised)
        const known = { run: runs, pipeline: ["good", "given", "nothing"], cordon: ["ir-1", "ir-2"] }
        // The events of a run that goes on do not end.
        const all = yield* st(place, admin, known, ["--max-examples=10", "--exclude-path=/api/v1/runs/{run}/events"])
        assert.strictEqual(all.code, 0, all.text.slice(-20_000))
        assert.match(all.text, /Selected: 34\/35\n\s+Tested: 34\n/)
      }),
    300_000,
  )

  it.live(
    "tells what comes of the events of runs that have ended",
    () =>
      Effect.gen(function* () {
        const place = yield* ApiPlace.make()
        const viewer = yield* place.token("vera", "viewer")
        const runs = yield* Effect.forEach(["good", "bad"], (pipeline) => start(place, pipeline))
        yield* Effect.forEach(runs, (run) => place.call(`/api/v1/runs/${run}/events`, { token: viewer }))
        const only = ["--max-examples=30", "--include-path=/api/v1/runs/{run}/events"]
        const events = yield* st(place, viewer, { run: runs }, only)
        assert.strictEqual(events.code, 0, events.text.slice(-20_000))
        assert.match(events.text, /Selected: 1\/35\n\s+Tested: 1\n/)
      }),
    300_000,
  )
})
