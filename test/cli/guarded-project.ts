import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { dandori, ndjson } from "./evidence-project.ts"
import { project as runProject } from "./run-project.ts"

/** Writes a file of the project. */
export const write = (folder: string, path: string, text: string) =>
  Effect.promise(() => Fs.writeFile(join(folder, path), text))
/** Replaces a text in a file of the project, which must hold it. */
export const edit = (folder: string, path: string, from: string, to: string) =>
  Effect.promise(async () => {
    const text = await Fs.readFile(join(folder, path), "utf8")
    assert.include(text, from)
    await Fs.writeFile(join(folder, path), text.replaceAll(from, to))
  })

/** A pipeline with a gate. */
export const guarded = `version: 1
id: guarded
tasks:
  check: { uses: dq-file, cache: true, with: { files: [bars.csv], expectations: bars.yaml } }
  tell: { uses: command, needs: [check], timeout: 1m, heartbeat: 30s, with: { argv: [echo, told] } }
`
const expectations = `name: bars
min_rows: 2
checks:
  - { check: ordered, severity: error }
  - { check: max_gap, max: 2h, severity: error }
`

/** The project with a pipeline that has a gate. */
export const project = Effect.tap(runProject, (folder) =>
  Effect.all([write(folder, "pipelines/guarded.yaml", guarded), write(folder, "bars.yaml", expectations)]),
)

/** The deployments that the stream `system` tells of. */
export const system = (folder: string) =>
  Effect.map(dandori(folder, "ledger", "show", "system", "--json"), ({ out }) =>
    ndjson(out).filter(({ type }) => type === "dev.dandori.pipeline.deployed.v1"),
  )

/** Runs git in a folder. */
export const git = (folder: string, ...args: ReadonlyArray<string>) =>
  Effect.promise(() => Bun.$`git -c user.name=t -c user.email=t@example.org ${args}`.cwd(folder).quiet())
