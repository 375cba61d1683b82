import { assert, describe, it } from "@effect/vitest"
import { isAlive, lookUp, parsePsLine, parseStat, table } from "../../src/services/process-table.ts"

describe("the table of processes", () => {
  it("reads a stat line whose program name has spaces and parentheses", () => {
    const fields = ["S", "10", "42", "40", "0", "-1", ...Array.from({ length: 13 }, (_, n) => String(n)), "98765", "0"]
    assert.deepStrictEqual(parseStat(`42 (a) b (c) ${fields.join(" ")}\n`), {
      pid: 42,
      zombie: false,
      parent: 10,
      group: 42,
      session: 40,
      started: "98765",
    })
    assert.isTrue(parseStat(`42 (x) ${["Z", ...fields.slice(1)].join(" ")}`)?.zombie)
    assert.isUndefined(parseStat(""))
  })

  it("reads a line of ps as macOS prints it", () => {
    assert.deepStrictEqual(parsePsLine("  501     1   501 Ss   Mon Nov 17 08:22:11 2025    "), {
      pid: 501,
      zombie: false,
      parent: 1,
      group: 501,
      session: 0,
      started: "Mon Nov 17 08:22:11 2025",
    })
    assert.isTrue(parsePsLine("7 1 7 Z+ Mon Nov 17 08:22:11 2025")?.zombie)
    assert.isUndefined(parsePsLine(""))
  })

  it("names this process by pid and start, and tells it from another of the same pid", () => {
    const own = lookUp(process.pid) ?? assert.fail("this process is not in the table")
    assert.deepInclude(
      table().map(({ pid, started }) => ({ pid, started })),
      { pid: own.pid, started: own.started },
    )
    assert.isTrue(isAlive(own.pid, own.started))
    assert.isFalse(isAlive(own.pid, `${own.started}0`))
    assert.isUndefined(lookUp(2 ** 30))
  })
})
