import * as Yaml from "yaml"
import type { Draw } from "./random-pipeline.ts"

/** A YAML text, its comments, and the keys that some of them stand before (`above`) or beside. */
export interface Written {
  readonly text: string
  readonly comments: ReadonlyArray<{ readonly text: string; readonly key: string | undefined; readonly above: boolean }>
}

/** True when a form of a text, as a value in a block or in brackets, is read as that text. */
const reads = (form: string, flow: boolean, text: string): boolean => {
  const parsed = Yaml.parseDocument(flow ? `[${form}]` : `a: ${form}`, { logLevel: "silent" })
  const node = parsed.getIn([flow ? 0 : "a"], true)
  const alone = !flow || (Yaml.isSeq(parsed.contents) && parsed.contents.items.length === 1)
  return parsed.errors.length === 0 && alone && Yaml.isScalar(node) && node.value === text
}

const known = new Map<string, boolean>()

const readsOnce = (form: string, flow: boolean, text: string): boolean => {
  const key = JSON.stringify([form, flow, text])
  const found = known.get(key) ?? reads(form, flow, text)
  known.set(key, found)
  return found
}

/** Writes a document in one of the many ways that an author might: flow or block, any quotes, comments everywhere. */
export const write = (draw: Draw, document: Record<string, unknown>): Written => {
  const comments: Array<Written["comments"][number]> = []
  const comment = (key: string | undefined, above: boolean): string => {
    const text = `#${draw(1) === 0 ? " " : ""}c${comments.length} 'it "is: {x} # [`
    comments.push({ text, key, above })
    return text
  }
  const often = (times: number): boolean => draw(times) === 0
  const scalar = (value: unknown, flow: boolean): string => {
    if (typeof value !== "string") return String(value)
    const plain = /\n/.test(value) ? "" : value
    const forms = [JSON.stringify(value), `'${value.replaceAll("'", "''")}'`, plain]
    const fits = forms.filter((form) => form !== "" && !form.includes("\n") && readsOnce(form, flow, value))
    return fits[draw(fits.length - 1)]
  }
  const flow = (value: unknown, indent: string): string => {
    if (typeof value !== "object" || value === null) return scalar(value, true)
    const list = Array.isArray(value)
    const [open, close] = list ? ["[", "]"] : ["{", "}"]
    const parts = Object.entries(value)
    const wide = often(2)
    const inner = `${indent}   `
    let out = open
    if (wide && often(2)) out += ` ${comment(undefined, true)}`
    parts.forEach(([key, item], i) => {
      const name = list ? undefined : key
      if (wide && often(3)) out += `\n${inner}${comment(name, true)}`
      out += wide ? `\n${inner}` : often(1) ? " " : ""
      out += list ? flow(item, inner) : `${scalar(key, true)}: ${flow(item, inner)}`
      if (i < parts.length - 1 || often(4)) out += ","
      if (wide && often(3)) out += ` ${comment(typeof item === "object" && item !== null ? undefined : name, false)}`
    })
    if (wide && often(4)) out += `\n${inner}${comment(undefined, true)}`
    return out + (wide ? `\n${indent} ${close}` : close)
  }
  const literal = (value: string, indent: string): string | undefined => {
    if (!value.includes("\n") || /^\s|[\t\u2028]/.test(value) || often(1)) return undefined
    const chomp = value.endsWith("\n\n") ? "+" : value.endsWith("\n") ? "" : "-"
    const lines = (chomp === "-" ? value : value.slice(0, -1)).split("\n")
    return `|${chomp}\n${lines.map((line) => (line === "" ? "" : indent + line)).join("\n")}`
  }
  const literalBefore = { any: false, keeps: false }
  const block = (value: object, indent: string): string => {
    const list = Array.isArray(value)
    const step = " ".repeat(draw(3) + 1)
    let out = ""
    for (const [key, item] of Object.entries(value)) {
      const name = list ? undefined : key
      if (often(6) && !literalBefore.keeps) out += "\n"
      if (often(5)) out += `${indent}${comment(name, true)}\n`
      if (often(8) && !literalBefore.any) out += `${" ".repeat(draw(8))}${comment(undefined, true)}\n`
      const head = list ? `${indent}-` : `${indent}${scalar(key, false)}:`
      const nested = typeof item === "object" && item !== null && Object.keys(item).length > 0 && !often(2)
      const beside = often(6)
      const text = typeof item === "string" ? literal(item, `${indent}${step}`) : undefined
      literalBefore.any = text !== undefined
      literalBefore.keeps = text?.startsWith("|+") === true
      if (text !== undefined) {
        const [header, ...lines] = text.split("\n")
        out += `${head} ${header}${beside ? ` ${comment(name, false)}` : ""}\n${lines.join("\n")}\n`
      } else if (nested) {
        out += `${head}${beside ? ` ${comment(name, false)}` : ""}\n${block(item, `${indent}${step}`)}`
      } else {
        out += `${head} ${typeof item === "object" && item !== null ? flow(item, indent) : scalar(item, false)}`
        out += beside ? `   ${comment(name, false)}\n` : "\n"
      }
    }
    return often(8) && !literalBefore.keeps ? `${out}${indent}${comment(undefined, true)}\n` : out
  }
  const head = often(2) ? `${comment(undefined, true)}\n\n` : ""
  return { text: head + block(document, ""), comments }
}
