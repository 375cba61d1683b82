import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { file, pipeline } from "../../src/index.ts"
import { command } from "../../tasks/index.ts"

describe("on.files", () => {
  it("is the document that YAML would hold", () => {
    const { document } = pipeline(
      "p",
      {
        params: { path: Schema.String, bytes: { type: "integer" } },
        on: {
          files: { path: "in/*", complete: "rename", params: { path: `/x/${file.path}`, bytes: file.size } },
        },
      },
      ({ task }) => void task("a", command, { argv: ["a"] }),
    )
    assert.deepStrictEqual(document.on, {
      files: {
        path: "in/*",
        complete: "rename",
        params: { path: "/x/${{ run.file.path }}", bytes: "${{ run.file.size }}" },
      },
    })
  })

  it("gives params values of their types, or references to some", () => {
    const params = { path: Schema.String, bytes: { type: "integer" } } as const
    const files = { path: "in/*", complete: "10s" } as const
    const build = () => {}
    pipeline("p", { params, on: { files: { ...files, params: { path: file.name, bytes: 1 } } } }, build)
    // @ts-expect-error bytes is a number
    pipeline("p", { params, on: { files: { ...files, params: { bytes: "1" } } } }, build)
    // @ts-expect-error bytes is a number, and run.file.path a string
    pipeline("p", { params, on: { files: { ...files, params: { bytes: file.path } } } }, build)
    assert.strictEqual(`${file.size}`, "${{ run.file.size }}")
  })
})
