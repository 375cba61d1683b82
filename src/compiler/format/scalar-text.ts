import type { Scalar } from "yaml"

/** What YAML 1.2's core schema reads as something else than text. */
const typed =
  /^(~|null|Null|NULL|true|True|TRUE|false|False|FALSE|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$/
/** What other readers (YAML 1.1) take for a boolean, a number or a date. */
const elsewhere =
  /^(y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF|=|<<|[-+]?0b[01_]+|[-+]?\d[\d_]*(:[0-5]?\d)+(\.\d*)?|[-+]?\d[\d_]*(\.[\d_]*)?|\d{4}-\d\d?(-.*)?)$/
// oxlint-disable-next-line no-control-regex
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff]/
// oxlint-disable-next-line no-control-regex
const unprintable = /[\u007f-\u009f\u2028\u2029\ufeff]/g

const escaped = (text: string): string =>
  JSON.stringify(text).replace(unprintable, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)

const isPlain = (text: string, flow: boolean): boolean =>
  text !== "" &&
  text === text.trim() &&
  !control.test(text) &&
  !/^[,[\]{}#&*!|>'"%@`?:]|^-(\s|$)|^(---|\.\.\.)|:(\s|$)|\s#|\$\{\{/.test(text) &&
  !(flow && /[,[\]{}]/.test(text)) &&
  !typed.test(text)

const quoted = (text: string): string => (control.test(text) ? escaped(text) : `'${text.replaceAll("'", "''")}'`)

/** A key: quoted only where YAML needs it. */
export const ofKey = (key: Scalar, flow: boolean): string => {
  if (typeof key.value !== "string") return key.source === undefined || key.source === "" ? "null" : key.source
  return isPlain(key.value, flow) ? key.value : quoted(key.value)
}

/**
 * A value on one line. Text is quoted (with single quotes) where YAML needs it, where an expression stands in it, and
 * where it looks like a date, number or boolean to other readers.
 */
export const ofValue = (scalar: Scalar, flow: boolean): string => {
  const { source, tag, value } = scalar
  if (typeof value === "string") {
    return isPlain(value, flow) && !elsewhere.test(value) ? value : quoted(value)
  }
  if (value === null) return flow ? "null" : tag === undefined ? (source ?? "") : ""
  return tag === undefined && source !== undefined ? source : String(value)
}
