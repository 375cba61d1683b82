import { relative, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { RedactionRule } from "../domain/config/evacuation.ts"
import * as BundleCheck from "../services/evacuation/bundle/bundle-check.ts"
import * as BundleKey from "../services/evacuation/bundle/bundle-key.ts"
import * as BundleRedact from "../services/evacuation/bundle/bundle-redact.ts"
import * as Redaction from "../services/evacuation/redaction/redaction.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as Places from "./evacuate-places.ts"
import { exitCodes } from "./exit-code.ts"
import * as Output from "./output.ts"
import { count, plain, table } from "./plain-text.ts"
import * as Readers from "./project-readers.ts"
import { root } from "./root.ts"

/** A bundle is not what was signed, and is not redacted. */
class BundleDamaged extends Schema.TaggedError<BundleDamaged>()("BundleDamaged", {
  location: Schema.String,
  exitCode: Schema.Int,
  problem: Schema.String,
}) {
  override get message() {
    return `${this.location} is not what was signed (${this.problem}), so nothing was redacted. Look at it: dandori evacuate verify`
  }
}

/** What a person asks of a redaction. */
export interface Asked {
  readonly bundle: string
  readonly out: string
  readonly patterns: ReadonlyArray<string>
  readonly keepBinary: boolean
  readonly key: string | undefined
}

const decodeRule = Schema.decodeUnknownEffect(RedactionRule)

/** `NAME=REGEX`. */
const ruleOf = (text: string) => {
  const at = text.indexOf("=")
  const given = { name: text.slice(0, Math.max(at, 0)), pattern: text.slice(at + 1) }
  return decodeRule(given).pipe(
    Effect.mapError(
      (error) => new Output.UsageError({ reason: `--pattern ${text}: NAME=REGEX, but ${error.message}` }),
    ),
  )
}

/** The rules and the key of the project at the working folder, if there is one. */
const ofProject = Effect.gen(function* () {
  const found = Option.getOrUndefined(yield* Readers.findOptional)
  if (found === undefined) return { rules: [], key: Option.none<BundleKey.BundleKey>() }
  const loaded = yield* Effect.result(SettingsFiles.load(found.project, found.env))
  if (loaded._tag === "Failure") {
    yield* Output.message(`Only the rules that are built in apply, because: ${loaded.failure.message}`)
  }
  const rules = loaded._tag === "Success" ? loaded.success.sections.evacuation.redact : []
  return { rules, key: yield* BundleKey.ofHome(found.home) }
})

const exitOf: Readonly<Record<string, number>> = {
  signature: exitCodes.signature,
  altered: exitCodes.altered,
  missing: exitCodes.truncated,
}

/** Makes a redacted copy of a bundle that is what was signed, with a signed link to it. */
export const redactBundle = Effect.fnUntraced(function* ({ bundle, keepBinary, key, out, patterns }: Asked) {
  const { json, quiet } = yield* root
  const own = yield* Effect.forEach(patterns, ruleOf)
  if (!relative(resolve(process.cwd(), bundle), resolve(process.cwd(), out)).startsWith("..")) {
    return yield* new Output.UsageError({
      reason: `--out ${out} lies in the bundle, which is not changed: name another`,
    })
  }
  const { keys } = yield* Places.keysOf(key)
  const place = yield* Places.open(bundle)
  const report = yield* BundleCheck.check(place, { keys })
  const { keyid, manifest, root: digest } = report
  const exitCode = exitOf[report.verdict]
  if (exitCode !== undefined || manifest === undefined || digest === undefined || keyid === undefined) {
    const { detail = "it has no manifest", path = "" } = report.problems[0] ?? {}
    return yield* new BundleDamaged({
      location: plain(bundle),
      exitCode: exitCode ?? exitCodes.altered,
      problem: plain(`${path}: ${detail}`),
    })
  }
  const project = yield* ofProject
  const signer = Option.isSome(project.key) ? project.key.value : yield* BundleKey.once
  const rules = [...project.rules, ...own]
  const made = yield* BundleRedact.redact(place, resolve(process.cwd(), out), {
    make: () => Redaction.make(rules, []),
    keepBinary,
    key: signer,
    manifest,
    of: { root: digest, keyid, signature: yield* BundleRedact.signatureOf(place, report.own) },
  })
  const facts = {
    out: resolve(process.cwd(), out),
    root: made.manifest.root,
    keyid: signer.signedBy.keyid,
    items: made.manifest.items.length,
    leftOut: made.leftOut,
    redacted: made.replaced,
    of: made.manifest.of,
  }
  if (json) return yield* Output.json({ v: 1, kind: "evacuate-redact", ...facts })
  if (quiet) return
  const rows = made.replaced.map(({ path, redactions }) => [
    path,
    redactions.map(({ count: number, rule }) => `${rule} ${number}`).join(", "),
  ])
  yield* Output.data(
    [
      `${count(facts.items, "file", "files")} in ${plain(facts.out)}, ${count(rows.length, "file", "files")} redacted, ${facts.leftOut} left out`,
      ...table(rows).map((line) => `  ${line}`),
      `root      ${facts.root}`,
      `key       ${facts.keyid}${Option.isSome(project.key) ? "" : ", made for this bundle: tell its id to whom you give it"}`,
      `of        the bundle with the root ${digest}, signed by ${keyid}`,
    ].join("\n"),
  )
}, Effect.scoped)
