/** Keeps secrets out of what is captured and of texts that are taken. */
import type { Redaction } from "../../../domain/collected.ts"
import type { RedactionRule } from "../../../domain/config/evacuation.ts"
import * as SecretForms from "../../secret-forms.ts"
import * as Formats from "./redaction-formats.ts"
import * as Known from "./redaction-known.ts"
import * as Names from "./redaction-names.ts"
import * as PrivateKeys from "./redaction-private-keys.ts"

/**
 * Replaces secrets by `[redacted RULE]`, line by line: a private key or a value goes on over several. One for each file or
 * capture.
 */
export interface Redactor {
  /** The next line, with or without its end; several whole lines are as good, and faster. */
  readonly text: (line: string) => string
  /**
   * The next part of a line that is too long to be held: what can be said of it by now. It keeps what it cannot tell yet;
   * with `ends` it gives all. What comes out is as of the whole line.
   */
  readonly part: (piece: string, ends: boolean) => string
  /** How often each rule has replaced something, by name. */
  readonly counts: () => ReadonlyArray<Redaction>
}

interface Span {
  readonly from: number
  readonly to: number
}

interface State {
  readonly key: PrivateKeys.Open | undefined
  readonly awaited: Names.Awaited | undefined
}

interface Redacted {
  readonly text: string
  readonly state: State
  readonly rules: ReadonlyArray<string>
}

interface Applied {
  readonly name: string
  readonly pattern: RegExp
  readonly keep?: (found: string) => boolean
}

const none: ReadonlyArray<string> = []
const nothing: State = { key: undefined, awaited: undefined }
const namesBit = 1
const keysBit = 2

/** The hash of three characters, from that of the ones before; capitals and small letters have the same. */
const onward = (hash: number, unit: number): number => ((hash << 5) ^ (unit | 32)) & 0x7fff
const first = (text: string): number =>
  onward(onward(onward(0, text.charCodeAt(0)), text.charCodeAt(1)), text.charCodeAt(2))

/** Which rules a text can hold something for, by three characters of their hints: a set of bits. */
const built = (() => {
  const table = new Uint32Array(32_768)
  const add = (hint: string, bit: number) => {
    const index = first(hint)
    table[index] = (table[index] | bit) >>> 0
  }
  for (const hint of Names.hints) add(hint, namesBit)
  add("private", keysBit)
  // Rules share bits where there are more than bits.
  const rules = Formats.rules.map((rule, index) => {
    const bit = (1 << (2 + (index % 30))) >>> 0
    for (const hint of rule.hints) add(hint, bit)
    return { ...rule, pattern: new RegExp(rule.pattern.source, `${rule.pattern.flags}d`), bit }
  })
  return { table, rules }
})()

const bitsOf = (text: string): number => {
  const { table } = built
  let bits = 0
  let hash = 0
  for (let at = 0; at < text.length; at++) {
    hash = onward(hash, text.charCodeAt(at))
    bits |= table[hash]
  }
  return bits >>> 0
}

const replaced = (line: string, spans: ReadonlyArray<Span>, rule: string): string => {
  let text = ""
  let at = 0
  for (const { from, to } of spans) {
    text += `${line.slice(at, from)}[redacted ${rule}]`
    at = to
  }
  return text + line.slice(at)
}

const spansOf = (line: string, { keep, pattern }: Applied): ReadonlyArray<Span> => {
  const spans: Array<Span> = []
  pattern.lastIndex = 0
  for (let match = pattern.exec(line); match !== null; match = pattern.exec(line)) {
    const [from, to] = match.indices?.[1] ?? match.indices?.[0] ?? [0, 0]
    if (pattern.lastIndex === match.index) pattern.lastIndex++
    if (to > from && keep?.(line.slice(from, to)) !== true && from >= (spans.at(-1)?.to ?? 0)) spans.push({ from, to })
  }
  return spans
}

/** How many characters of a long line are looked at beyond what is given out. */
const ahead = 16_384
/** A long line is not held for longer, in characters, in search of a place where it can be cut. */
const mostHeld = 1_048_576

/** A Redactor with the rules of the configuration and its secrets, beside what is built in. */
export const make = (rules: ReadonlyArray<RedactionRule>, known: ReadonlyArray<string>): Redactor => {
  const own = rules.map(({ name, pattern }): Applied => ({ name, pattern: new RegExp(pattern, "dg") }))
  const forms = known
    .filter((secret) => secret.length >= SecretForms.shortest)
    .flatMap((secret) => [...SecretForms.formsOf(secret)])
  const findKnown = Known.finder(forms)
  const tally = new Map<string, number>()
  let state = nothing
  let held = ""

  const redactLine = (line: string, before: State): Redacted => {
    const bits = bitsOf(line)
    let text = line
    const found: Array<string> = []
    const replace = (spans: ReadonlyArray<Span>, rule: string) => {
      if (spans.length === 0) return
      for (const _ of spans) found.push(rule)
      text = replaced(text, spans, rule)
    }
    let { key } = before
    if (key !== undefined || (bits & keysBit) !== 0) {
      const taken = PrivateKeys.take(text, key)
      key = taken.open
      text = replaced(text, taken.spans, "private-key")
      if (taken.isNew) found.push("private-key")
    }
    replace(findKnown(text), "known-secret")
    const { awaited } = before
    let still: Names.Awaited | undefined
    if (awaited?._tag === "Value" || awaited?._tag === "Field") {
      const value = awaited._tag === "Value" ? Names.firstValue(text) : Names.fieldValue(text)
      replace(value === undefined ? [] : [value], "named-secret")
    } else if (awaited?._tag === "Block") {
      const indent = /^\s*/.exec(text)?.[0].length ?? 0
      if (text.trim() === "") still = awaited
      else if (indent > awaited.indent) {
        still = awaited
        if (!text.includes("[redacted ") && key === undefined && !text.includes("-----"))
          replace([{ from: indent, to: text.trimEnd().length }], "named-secret")
      }
    }
    for (const rule of built.rules) if ((bits & rule.bit) !== 0) replace(spansOf(text, rule), rule.name)
    for (const rule of own) replace(spansOf(text, rule), rule.name)
    if ((bits & namesBit) !== 0) {
      const awaiting = Names.awaitedAfter(text)
      replace(Names.pairsIn(text), "named-secret")
      replace(Names.valuesIn(text), "named-secret")
      still ??= awaiting
    }
    return { text, state: key === undefined && still === undefined ? nothing : { key, awaited: still }, rules: found }
  }

  const redact = (text: string, before: State): Redacted => {
    const isIdle = before === nothing && own.length === 0
    if (isIdle && bitsOf(text) === 0 && findKnown(text).length === 0) return { text, state: nothing, rules: none }
    if (!text.includes("\n")) return redactLine(text, before)
    let after = before
    const found: Array<string> = []
    const lines = text.split("\n")
    const last = lines.length - 1
    const safe = lines.map((line, index) => {
      if (index === last && line === "") return line
      const ending = line.endsWith("\r") ? "\r" : ""
      const next = redactLine(ending === "" ? line : line.slice(0, -1), after)
      after = next.state
      found.push(...next.rules)
      return next.text + ending
    })
    return { text: safe.join("\n"), state: after, rules: found }
  }

  const keep = ({ rules: found, state: after, text }: Redacted): string => {
    for (const rule of found) tally.set(rule, (tally.get(rule) ?? 0) + 1)
    state = after
    return text
  }

  /** The last blank or separator before the part that is looked ahead at where a cut changes nothing. */
  const cut = (): string => {
    const whole = redact(held, state).text
    for (let at = held.length - ahead, tries = 0; at > 0 && tries < 8; at -= 256) {
      while (at > 0 && !/[\s,;{}]/.test(held[at - 1])) at--
      if (at <= 0) break
      tries++
      const first = redact(held.slice(0, at), state)
      if (first.text + redact(held.slice(at), first.state).text !== whole) continue
      held = held.slice(at)
      return keep(first)
    }
    if (held.length < mostHeld) return ""
    const first = redact(held.slice(0, -ahead), state)
    held = held.slice(-ahead)
    return keep(first)
  }

  return {
    text: (line) => keep(redact(line, state)),
    part: (piece, ends) => {
      held += piece
      if (!ends) return held.length > 4 * ahead ? cut() : ""
      const all = held
      held = ""
      return keep(redact(all, state))
    },
    counts: () => [...tally].map(([rule, count]) => ({ rule, count })).toSorted((a, b) => (a.rule < b.rule ? -1 : 1)),
  }
}
