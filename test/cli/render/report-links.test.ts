import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as ReportLinks from "../../../src/cli/render/report-links.ts"

describe("a report's name", () => {
  it("leads a browser to a file that is called so: a page is shown as a page", () => {
    const home = Fs.mkdtempSync(join(tmpdir(), "report links "))
    const sha256 = "ab".repeat(32)
    const report = { name: "page.html", sha256, bytes: 3, mediaType: "text/html" }
    Fs.mkdirSync(join(home, "artifacts/sha256/ab"), { recursive: true })
    Fs.writeFileSync(ReportLinks.artifactPath(home, sha256), "<p>", { mode: 0o444 })
    const result = { task: "check", type: "restore", reports: [report] } as never
    ReportLinks.make(home, "run", [result])
    ReportLinks.make(home, "run", [result])
    const path = ReportLinks.pathOf(home, "run", "check", report)
    assert.strictEqual(Fs.realpathSync(path), path)
    assert.match(path, /page\.html$/)
    assert.strictEqual(Fs.readFileSync(path, "utf8"), "<p>")
    Fs.rmSync(home, { recursive: true })
  })
})
