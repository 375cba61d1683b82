import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import { join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as FastCheck from "fast-check"
import * as Yaml from "yaml"
import { render } from "../../../src/compiler/diagnostic.ts"
import { format } from "../../../src/compiler/format/format.ts"
import * as Plan from "../../../src/domain/plan.ts"
import { plan } from "../compiled.ts"
import * as RandomPipeline from "../random-pipeline.ts"
import * as RandomYaml from "../random-yaml.ts"

const pipelines = resolve(import.meta.dirname, "../../../pipelines")
const formatted = (text: string): string => Result.getOrThrow(format("p.yaml", text))
const refused = (text: string): string => {
  const result = format("p.yaml", text)
  return Result.isFailure(result) ? result.failure.diagnostics.map(render).join("\n") : "not refused"
}
const lines = (...text: ReadonlyArray<string>): string => `${text.join("\n")}\n`
const digest = (text: string) => Effect.runPromise(Effect.map(plan(text), Plan.digest))
const parsed = (text: string): unknown => Yaml.parse(text, { version: "1.2", schema: "core", logLevel: "silent" })

describe("format", () => {
  it("leaves what ships as it is", () => {
    for (const name of Fs.readdirSync(pipelines).filter((file) => file.endsWith(".yaml"))) {
      const text = Fs.readFileSync(join(pipelines, name), "utf8")
      assert.strictEqual(formatted(text), text, name)
    }
  })

  it("puts what starts a pipeline after its schedule, on a line per key", () => {
    const text = lines(
      "version: 1",
      "id: p",
      "tasks: {a: {uses: command}}",
      '"on": {files: {path: "in/*.csv", complete: 10s}}',
      "schedule: {cron: '@daily', timezone: UTC}",
    )
    const written = formatted(text)
    assert.match(
      written,
      /\nschedule:\n {2}cron: .*\n {2}timezone: UTC\n\n?on:\n {2}files: \{ path: in\/\*\.csv, complete: 10s \}\n/,
    )
    assert.deepStrictEqual(parsed(written), parsed(text))
  })

  it("puts keys in order, unquotes, and writes short maps on one line", () => {
    const text = lines(
      "tasks:",
      "    greet:",
      "        with:",
      '            argv: [ "echo" , "yes", "2025-01", "it\'s: so" ]',
      '            effects: "once"',
      "        new_key: 1",
      "        uses: 'command'",
      '        if: "${{ params.on }}"',
      "id: p",
      'params: {on: {"type":"boolean"}}',
      "version: 1",
    )
    assert.strictEqual(
      formatted(text),
      lines(
        "version: 1",
        "id: p",
        "params:",
        "  on: { type: boolean }",
        "tasks:",
        "  greet:",
        "    uses: command",
        "    if: '${{ params.on }}'",
        "    with: { argv: [echo, 'yes', '2025-01', 'it''s: so'], effects: once }",
        "    new_key: 1",
      ),
    )
  })

  it("keeps comments with what they speak of, and the editor's line first", () => {
    const text = lines(
      "# The nightly run.",
      "",
      "# its name",
      "id: p # short",
      "# yaml-language-server: $schema=s.json",
      "version: 1",
      "tasks:",
      "  # first",
      "  b: # the b",
      "    with: { # what to run",
      "      argv: [echo] } # done",
      "    # why",
      "    uses: command",
      "    # retry: later",
      "",
      "  # second",
      "  a: { uses: command, with: { argv: [echo] } }",
      "# the end",
    )
    assert.strictEqual(
      formatted(text),
      lines(
        "# yaml-language-server: $schema=s.json",
        "# The nightly run.",
        "",
        "version: 1",
        "# its name",
        "id: p # short",
        "tasks:",
        "  # first",
        "  b: # the b",
        "    # why",
        "    uses: command",
        "    with: # done",
        "      # what to run",
        "      argv: [echo]",
        "    # retry: later",
        "",
        "  # second",
        "  a:",
        "    uses: command",
        "    with: { argv: [echo] }",
        "# the end",
      ),
    )
  })

  it("keeps tasks that are commented out below their block", () => {
    const text = lines("version: 1", "id: p", "tasks:", "  # a:", "  #   uses: command", "finally:", "  b: { uses: x }")
    assert.include(formatted(text), lines("tasks:", "  # a:", "  #   uses: command", "finally:"))
  })

  it("keeps the lines of texts that span several", () => {
    const text = lines(
      "version: 1",
      "id: p",
      "description: words that an author",
      "    has wrapped where they are so many that they would not have fitted on one line of a file",
      "tasks:",
      "    a:",
      "        uses: command",
      "        with:",
      "            argv:",
      "                - sh",
      "                - -c",
      "                - |2-",
      "                     deeper",
      "                   first",
      "                - >",
      "                  folded",
      "                  text",
    )
    assert.strictEqual(
      formatted(text),
      lines(
        "version: 1",
        "id: p",
        "description: words that an author",
        "  has wrapped where they are so many that they would not have fitted on one line of a file",
        "tasks:",
        "  a:",
        "    uses: command",
        "    with:",
        "      argv:",
        "        - sh",
        "        - -c",
        "        - |2-",
        "             deeper",
        "           first",
        "        - >",
        "          folded",
        "          text",
      ),
    )
    assert.deepStrictEqual(parsed(formatted(text)), parsed(text))
  })

  it("keeps anchors, and refuses where the order of keys would part one from its alias", () => {
    const text = lines("version: 1", "id: p", "defaults: { retry: &r { attempts: 2 } }", "tasks: { a: { retry: *r } }")
    assert.include(formatted(text), lines("  retry: &r { attempts: 2 }", "tasks:", "  a:", "    retry: *r"))
    const turned = lines(
      "version: 1",
      "id: p",
      "tasks: { a: { retry: &r { attempts: 2 } } }",
      "defaults: { retry: *r }",
    )
    assert.include(refused(turned), "p.yaml:4:20: With the keys in order this would be wrong")
  })

  it("refuses what is not valid YAML, and what is no map, with the place", () => {
    assert.match(refused("version: 1\nid: [p\n"), /^p\.yaml:\d+:\d+: This is not valid YAML/)
    assert.match(refused("id: a\nid: b\n"), /^p\.yaml:2:1: The key "id" stands here twice/)
    assert.match(refused("- a\n"), /^p\.yaml:1:1: A pipeline must be a map/)
    assert.match(refused(""), /^p\.yaml:1:1: The file is empty/)
  })

  it("puts the comment at the end of an item's first item above the dashes, where it has lines of its own", () => {
    const before = ["version: 1", "id: p", "tasks:", "  a:", "    uses: t", "    with:", "      list:"]
    const text = lines(
      ...before,
      "        -",
      "          - [",
      "             1, # one",
      "            ]   # all",
      "          - null",
    )
    const result = formatted(text)
    assert.strictEqual(result, lines(...before, "        # all", "        - - - 1 # one", "          - null"))
    assert.strictEqual(formatted(result), result)
  })

  it("reads Windows line ends and a byte order mark", () => {
    assert.strictEqual(formatted("\uFEFFid: p # x\r\nversion: 1\r\n"), "version: 1\nid: p # x\n")
  })

  it("of any document is stable, says the same, and keeps every comment at its key", () =>
    FastCheck.assert(
      FastCheck.asyncProperty(FastCheck.gen(), async (gen) => {
        const draw = (max: number) => gen(FastCheck.nat, { max })
        const document = RandomPipeline.document(draw)
        const { comments, text } = RandomYaml.write(draw, document)
        assert.deepStrictEqual(parsed(text), document, "the test's own writer")
        const result = formatted(text)
        assert.deepStrictEqual(parsed(result), document)
        assert.strictEqual(formatted(result), result)
        assert.strictEqual(await digest(result), await digest(text))
        const written = result.split("\n")
        for (const { above, key, text: said } of comments) {
          const at = written.findIndex((line) => line.trimStart() === said || line.endsWith(` ${said}`))
          assert.notStrictEqual(at, -1, said)
          if (key === undefined) continue
          const owner = above ? written.slice(at).find((line) => !/^\s*(#.*)?$/.test(line)) : written[at]
          assert.match(owner ?? "", new RegExp(`^\\s*(- )*[{[ ]*['"]?${key.replace("'", "''?")}['"]?:`), said)
        }
      }),
      { numRuns: 60, endOnFailure: true },
    ))
})
