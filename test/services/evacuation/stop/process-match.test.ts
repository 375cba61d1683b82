import { mkdtempSync, realpathSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ProcessMatch } from "../../../../src/domain/config/evacuation.ts"
import { usual } from "../../../../src/domain/config/evacuation-usual.ts"
import * as Facts from "../../../../src/services/evacuation/stop/process-facts.ts"
import * as ProcessMatches from "../../../../src/services/evacuation/stop/process-match.ts"
import { table } from "../../../../src/services/process-table.ts"
import { freePort, words } from "../../../support/servers/server.ts"
import { newToken } from "../../processes-machine.fixture.ts"
import { newProject, settled, start } from "./machine.fixture.ts"

const matchOf = (name: string): ProcessMatch => {
  const target = usual.stop.find((each) => each.name === name)
  return target !== undefined && "match" in target ? target.match : assert.fail(`${name} is no target`)
}

const find = (match: ProcessMatch, project = "/") =>
  Effect.map(ProcessMatches.find(match, project), ({ found, near }) => ({
    found: found.map(({ row }) => row.pid),
    near: near.map(({ row, reason }) => [row.pid, reason] as const),
    why: found.map(({ why }) => why),
  }))

const sleeper = (token: string, ...before: ReadonlyArray<string>) => [
  ...before,
  "sh",
  "-c",
  "sleep 200 & echo up; wait",
  token,
]

describe("the processes that are meant", () => {
  it.live("are the API, however it was started, by its words, its folder and the port of its group", () =>
    Effect.gen(function* () {
      const root = newProject()
      const forms = [
        ["python", "-m", "uvicorn", "api.app"],
        [`${root}/venv/bin/python`, `${root}/venv/bin/uvicorn`, "api.app"],
        [`${root}/venv/bin/python`, `${root}/venv/bin/uvicorn`, "src.api.app:app"],
      ]
      for (const form of forms) {
        const port = freePort()
        const match = { ...matchOf("api"), port }
        const argv = [...form, "--port", String(port)]
        yield* Effect.scoped(
          Effect.gen(function* () {
            const api = yield* start(argv, { cwd: root, env: { PATH: `${root}/venv/bin:/usr/bin:/bin` } })
            yield* settled(api.pid)
            const { found, near, why } = yield* find(match, root)
            assert.deepStrictEqual([found, near], [[api.pid], []], argv.join(" "))
            assert.match(why[0], new RegExp(`works in ${root}, \\d+ of its group listens on port ${port}`))
          }),
        )
      }
    }),
  )

  it.live("are the training, in the project's own folder and not in another one", () =>
    Effect.gen(function* () {
      const [root, other] = [newProject(), newProject()]
      const argv = ["python", "-u", "src/train.py", "--config", "x", "--mode", "full"]
      const env = { PATH: `${root}/venv/bin:/usr/bin:/bin` }
      const training = yield* start(argv, { cwd: root, env })
      const lookalike = yield* start(argv, { cwd: other, env })
      yield* settled(training.pid)
      yield* settled(lookalike.pid)
      const { found, near } = yield* find(matchOf("training"), root)
      assert.deepStrictEqual(found, [training.pid])
      assert.deepStrictEqual(near, [[lookalike.pid, `it works in ${other}, not in ${root}`]])
    }),
  )

  it.live("are in a folder whatever link it is named by, and not in one that was removed", () =>
    Effect.gen(function* () {
      const token = newToken()
      const root = realpathSync(mkdtempSync(join(tmpdir(), "dandori-match-")))
      symlinkSync(root, `${root}-link`)
      const { pid } = yield* start(sleeper(token), { cwd: root })
      yield* settled(pid)
      assert.deepStrictEqual((yield* find({ argv: ["**", token], cwd: `${root}-link` })).found, [pid])
      yield* Effect.promise(() => Bun.$`rmdir ${root} && mkdir ${root}`.quiet())
      const { found, near } = yield* find({ argv: ["**", token], cwd: root })
      assert.deepStrictEqual([found, near.length], [[], 1])
      assert.include(near[0][1], "(deleted)")
    }),
  )

  it.live("have the port themselves; one that does not listen, or on another port, is a near miss", () =>
    Effect.gen(function* () {
      const token = newToken()
      const [port, otherPort] = [freePort(), freePort()]
      const listener = (hostname: string, at: number) => [
        process.execPath,
        "-e",
        `Bun.serve({ hostname: "${hostname}", port: ${at}, fetch: () => new Response() }); console.log("up")`,
        token,
      ]
      const cwd = tmpdir()
      const [v4, v6] = [
        yield* start(listener("127.0.0.1", port), { cwd }),
        yield* start(listener("::1", port), { cwd }),
      ]
      const other = yield* start(listener("127.0.0.1", otherPort), { cwd })
      const silent = yield* start(sleeper(token), { cwd })
      yield* settled(silent.pid)
      const { found, near } = yield* find({ argv: ["**", token], port })
      assert.sameMembers(found, [v4.pid, v6.pid])
      assert.sameDeepMembers(near, [
        [other.pid, `it does not listen on port ${port}`],
        [silent.pid, `it does not listen on port ${port}`],
      ])
    }),
  )

  it.live("are of the user that is named, by name or number", (context) =>
    Effect.gen(function* () {
      if (process.getuid?.() !== 0 || words().length === 0) {
        return context.skip("only root can start a process as another user, and setpriv does it")
      }
      const token = newToken()
      const own = yield* start(sleeper(token), { cwd: "/" })
      const other = yield* start(sleeper(token, ...words(65_534)), { cwd: "/" })
      yield* settled(own.pid)
      yield* settled(other.pid)
      const name = (yield* Effect.promise(() => Bun.$`id -un 65534`.text())).trim()
      for (const user of ["65534", name]) {
        const { found, near } = yield* find({ argv: ["sh", "-c", "*", token], user })
        assert.deepStrictEqual([found, near], [[other.pid], [[own.pid, `it is of user root, not ${user}`]]])
      }
      const nobody = yield* find({ argv: ["**", token], user: "no-such-user" })
      assert.deepStrictEqual(nobody.found, [])
      assert.deepStrictEqual(
        new Set(nobody.near.map(([, reason]) => reason)),
        new Set(["there is no user no-such-user here"]),
      )
    }),
  )

  it.live("are never this process, one that it descends from, the first process or the kernel's", () =>
    Effect.gen(function* () {
      const other = yield* start(sleeper(newToken()), { cwd: "/" })
      yield* settled(other.pid)
      const { found, near } = yield* find({ argv: ["**", "*", "**"] })
      const never = ProcessMatches.untouchable(table())
      assert.includeMembers([...never], [1, process.pid, process.ppid])
      assert.include(found, other.pid)
      assert.deepStrictEqual([found.filter((pid) => never.has(pid)), near], [[], []])
      assert.deepStrictEqual((yield* find({ argv: Facts.argvOf(process.pid) })).found, [])
    }),
  )
})

describe("what /proc tells", () => {
  it("finds listeners of a port in the kernel's table, and connections are none", () => {
    const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0 100 0 0 10 0
   1: 0100007F:1F40 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 22222 1 0 20 4 30 10 -1
   2: 0100007F:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 33333 1 0 100 0 0 10 0
   3: 00000000000000000000000001000000:1F40 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 44444 1 0\n`
    assert.deepStrictEqual(Facts.listenersIn(text, 8000), ["12345", "44444"])
    assert.deepStrictEqual(Facts.listenersIn("", 8000), [])
  })
})
