import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Outcome from "../../../../src/domain/evacuation-outcome.ts"
import * as IncidentRecord from "../../../../src/services/evacuation/report/incident-record.ts"
import type { IncidentFolder } from "../../../../src/services/evacuation/incident/incidents.ts"
import * as PostMortem from "../../../../src/services/evacuation/report/post-mortem.ts"
import * as Synthetic from "../incident/synthetic-incident.ts"

const temporary = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "incidents-"))),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true, force: true })),
)

const fields = [
  "Summary",
  "Impact",
  "Detection time",
  "Hypothesis",
  "Timeline",
  "Interim measure",
  "Permanent measure",
  "Prevention",
]

const givenOf = Effect.fnUntraced(function* (
  folder: IncidentFolder,
  answers: Readonly<Record<string, unknown>> = Synthetic.answers,
) {
  const { drill, id: incident } = folder.incident
  const given: PostMortem.PostMortem = {
    record: yield* IncidentRecord.read(folder),
    outcome: Outcome.ofAnswers({ incident, folder: folder.path, drill, named: false, failed: [] }, answers),
    told: {
      moments: [
        {
          at: Synthetic.opened - 600_000,
          of: "nightly 0190a000",
          text: "train failed: the disk reports an error",
          bad: true,
        },
      ],
      problems: [],
    },
    promises: [],
    zone: "Asia/Tokyo",
    now: Synthetic.opened + 100_000,
  }
  return given
})

const headings = (markdown: string) => [...markdown.matchAll(/^## (.*)$/gm)].map(([, title]) => title)
const sectionOf = (markdown: string, title: string) => markdown.split(`## ${title}\n`)[1].split("\n## ")[0]

describe("the post-mortem record of a synthetic incident", () => {
  it.effect("has the eight fields in their order, with what is known filled in and the rest visibly open", () =>
    Effect.gen(function* () {
      const folder = yield* Synthetic.fill(yield* temporary)
      const { html, markdown } = PostMortem.compose(yield* givenOf(folder), undefined)
      assert.deepStrictEqual(headings(markdown).slice(0, 8), fields)
      const pages = [...html.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, title]) => title)
      assert.deepStrictEqual(pages.slice(0, 8), fields)
      assert.strictEqual(markdown.match(/^_To be filled in by .+_$/gm)?.length, 8)
      assert.strictEqual(html.match(/To be filled in by /g)?.length, 8)
      assert.include(sectionOf(markdown, "Summary"), "mika evacuated ml-prod-2")
      assert.include(sectionOf(markdown, "Summary"), "5,001 files were not taken")
      const detection = sectionOf(markdown, "Detection time")
      assert.include(detection, "local: 2026-03-04 09:00:01 +09:00 (Asia/Tokyo)")
      assert.include(detection, "UTC: 2026-03-04 00:00:01 UTC")
      assert.include(sectionOf(markdown, "Hypothesis"), "train failed: the disk reports an error")
      assert.include(sectionOf(markdown, "Interim measure"), "dandori cordon lift IR-20260304T000001Z")
      const timeline = sectionOf(markdown, "Timeline")
      const order = [
        "train failed",
        "opened by mika",
        "SIGINT to 4100, 4101",
        "SIGKILL to 5200",
        "confirmed the first object",
        "is ready",
      ]
      const places = order.map((text) => timeline.indexOf(text))
      assert.isTrue(
        places.every((at) => at >= 0),
        String(places),
      )
      assert.deepStrictEqual(
        places.toSorted((a, b) => a - b),
        places,
      )
    }).pipe(Effect.scoped),
  )

  it.effect("says where the cordon does not stand", () =>
    Effect.gen(function* () {
      const folder = yield* Synthetic.fill(yield* temporary)
      const cordon = { raised: true, epoch: 4, problem: "the database is away; on other machines it keeps nobody" }
      const { markdown } = PostMortem.compose(yield* givenOf(folder, { ...Synthetic.answers, cordon }), undefined)
      assert.include(
        sectionOf(markdown, "Interim measure"),
        "It does not stand everywhere: the database is away; on other machines it keeps nobody",
      )
    }).pipe(Effect.scoped),
  )

  it.effect("shows the first hundred of 5,000 files that were not taken, and where the whole list is", () =>
    Effect.gen(function* () {
      const folder = yield* Synthetic.fill(yield* temporary, 5_000)
      const { html, markdown } = PostMortem.compose(yield* givenOf(folder), undefined)
      assert.strictEqual(markdown.match(/logs\/old\//g)?.length, 100)
      assert.include(markdown, "### deadline: 5,000 files, 85.8 MiB")
      assert.include(markdown, "and 4,900 more; the whole list is in `not-taken.ndjson`")
      assert.isBelow(html.length, 60_000)
      // One that went away after all is not among them.
      assert.notInclude(markdown, "Input/output error")
      assert.include(markdown, "a link that leads out of the tree: 1 file")
    }).pipe(Effect.scoped),
  )

  it.effect("lists what was found and neither confirmed nor given a reason", () =>
    Effect.gen(function* () {
      const folder = yield* Synthetic.fill(yield* temporary, 3)
      yield* Effect.promise(() => Fs.rm(join(folder.path, "not-taken.ndjson")))
      const { markdown } = PostMortem.compose(yield* givenOf(folder), undefined)
      assert.include(markdown, "### not confirmed by the destination yet: 3 files")
    }).pipe(Effect.scoped),
  )

  it.effect("proves each stop, names rules with their files, and all destinations that were tried", () =>
    Effect.gen(function* () {
      const folder = yield* Synthetic.fill(yield* temporary, 0)
      const { markdown } = PostMortem.compose(yield* givenOf(folder), undefined)
      const stopped = sectionOf(markdown, "Stopped, with proof")
      assert.match(stopped, /training \| pid 5200 \| .*SIGINT 00:00:17.*SIGTERM 00:00:32.*SIGKILL 00:00:47.* gone /)
      assert.include(stopped, "| training | pid 7700 | its working folder is /home/mika |")
      const redacted = sectionOf(markdown, "Redacted")
      assert.include(redacted, "| aws-key | `captures/environment.txt` | 2 |")
      assert.include(redacted, "| token | `logs/2.log` | 2 |")
      const tried = sectionOf(markdown, "Destinations tried")
      assert.match(tried, /\| second \| refused \| its bucket has no lock/)
      assert.include(tried, "| offsite | partial | `s3://vault/ml-prod` |")
    }).pipe(Effect.scoped),
  )

  it.effect("lets nothing from outside be markup, links or control characters", () =>
    Effect.gen(function* () {
      const folder = yield* Synthetic.fill(yield* temporary, 1, { reason: Synthetic.hostile, owner: Synthetic.hostile })
      const { html, markdown } = PostMortem.compose(yield* givenOf(folder), undefined)
      // oxlint-disable-next-line no-control-regex
      for (const text of [html, markdown]) assert.notMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f\u202e]/)
      assert.notInclude(html, "<script")
      assert.notMatch(html, /(src|href)=|url\(/)
      const tags = new Set([...html.matchAll(/<([a-z0-9]+)/g)].map(([, tag]) => tag))
      const known = [
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "h1",
        "h2",
        "p",
        "span",
        "code",
        "section",
        "ul",
        "li",
        "strong",
        "em",
        "div",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "details",
        "summary",
      ]
      assert.deepStrictEqual(
        [...tags].filter((tag) => !known.includes(tag)),
        [],
      )
      const outside = markdown.replaceAll(/(`+).*?\1/g, "").replaceAll(/^<!-- dandori:.* -->$/gm, "")
      assert.notMatch(outside, /<|(?<!\\)\[|https:\/\//)
      assert.strictEqual(markdown.match(/^<!-- dandori:people impact -->$/gm)?.length, 1)
      for (const line of markdown.split("\n").filter((each) => each.startsWith("| "))) {
        assert.match(line, / \|$/)
      }
    }).pipe(Effect.scoped),
  )

  it.effect("is written of an empty folder, and says what is not known", () =>
    Effect.gen(function* () {
      const folder = yield* Synthetic.open(yield* temporary)
      const { html, markdown } = PostMortem.compose(yield* givenOf(folder, {}), undefined)
      assert.deepStrictEqual(headings(markdown).slice(0, 8), fields)
      assert.include(markdown, "**FAILED**")
      assert.include(sectionOf(markdown, "Summary"), "no destination took anything")
      const unread = sectionOf(markdown, "What this record could not read")
      for (const name of [
        "collected.ndjson",
        "inventory.ndjson",
        "pushed.ndjson",
        "not-taken.ndjson",
        "stopped.json",
        "recovered.json",
      ]) {
        assert.include(unread, `\`${name}\` is missing`)
      }
      assert.include(html, "What this record could not read")
    }).pipe(Effect.scoped),
  )

  it.effect("is written of a damaged folder, of what can be read of it, and says what cannot", () =>
    Effect.gen(function* () {
      const folder = yield* Synthetic.fill(yield* temporary, 2)
      yield* Effect.promise(async () => {
        const at = (name: string) => join(folder.path, name)
        const pushed = await Fs.readFile(at("pushed.ndjson"))
        await Fs.writeFile(at("pushed.ndjson"), pushed.subarray(0, pushed.length - 40))
        await Fs.appendFile(at("collected.ndjson"), "\u0000\u0000garbage\n{}\n")
        await Fs.writeFile(at("stopped.json"), '{"stops": 3')
        await Fs.rm(at("not-taken.ndjson"))
        await Fs.mkdir(at("not-taken.ndjson"))
        await Fs.writeFile(at("bundles/evidence/manifest.json"), "[]")
      })
      const { markdown } = PostMortem.compose(yield* givenOf(folder), undefined)
      const unread = sectionOf(markdown, "What this record could not read")
      assert.include(unread, "`pushed.ndjson` is damaged: 1 of 3 lines cannot be read")
      assert.include(unread, "`collected.ndjson` is damaged: 2 of 6 lines cannot be read")
      assert.include(unread, "`stopped.json` is damaged")
      assert.include(unread, "`not-taken.ndjson` is damaged: it cannot be read (EISDIR)")
      assert.include(unread, "`bundles/evidence/manifest.json` is damaged")
      assert.include(markdown, "2 objects are confirmed by a destination")
      assert.include(sectionOf(markdown, "Stopped, with proof"), "No list of what was stopped can be read")
    }).pipe(Effect.scoped),
  )

  it.effect("keeps what people wrote when it is made again, in both forms, and renews the rest", () =>
    Effect.gen(function* () {
      const folder = yield* Synthetic.fill(yield* temporary, 2)
      yield* PostMortem.write(folder.path, yield* PostMortem.make(yield* givenOf(folder, {})))
      const file = join(folder.path, "report.md")
      const words = "Predictions of EURUSD were stale for 40 minutes.\n\n<b>Two</b> desks stopped trading."
      yield* Effect.promise(async () => {
        const text = await Fs.readFile(file, "utf8")
        await Fs.writeFile(
          file,
          text.replace(/(?<=people impact -->\n)_To be filled.*_/, () => words),
        )
      })
      const again = yield* PostMortem.make(yield* givenOf(folder))
      assert.isUndefined(again.keptAs)
      assert.include(again.markdown, words)
      assert.include(again.markdown, "5,001 files were not taken")
      assert.include(again.html, "&#60;b&#62;Two&#60;/b&#62; desks stopped trading.")
      assert.strictEqual(again.markdown.match(/^_To be filled in by /gm)?.length, 7)
    }).pipe(Effect.scoped),
  )

  it.effect(
    "keeps an earlier record whole where people changed it outside of their fields, and says so from then on",
    () =>
      Effect.gen(function* () {
        const folder = yield* Synthetic.fill(yield* temporary, 2)
        const given = yield* givenOf(folder)
        const file = join(folder.path, "report.md")
        const theirs = "# Our own record\n\nIt was the disk.\n"
        yield* Effect.promise(() => Fs.writeFile(file, theirs))
        for (let turn = 0; turn < 2; turn++) {
          const written = yield* PostMortem.make(given)
          yield* PostMortem.write(folder.path, written)
          const versions = (yield* Effect.promise(() => Fs.readdir(folder.path))).filter((name) =>
            name.startsWith("report-"),
          )
          assert.strictEqual(versions.length, 1)
          assert.strictEqual(yield* Effect.promise(() => Fs.readFile(join(folder.path, versions[0]), "utf8")), theirs)
          assert.include(sectionOf(written.markdown, "Earlier versions"), versions[0])
        }
      }).pipe(Effect.scoped),
  )
})
