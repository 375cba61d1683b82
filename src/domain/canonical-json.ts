import canonicalize from "canonicalize"
import * as Sha256 from "./sha256.ts"

/** A value that JSON can hold. */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

/** What is left to the canonicaliser: what JSON.stringify writes otherwise, or objects that put their keys in an order of their own. */
const unusual = Symbol("unusual")

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return (prototype === Object.prototype || prototype === null) && !("toJSON" in value)
}

const orderedList = (list: ReadonlyArray<unknown>): unknown => {
  if ("toJSON" in list) return unusual
  let copy: Array<unknown> | undefined
  for (let i = 0; i < list.length; i++) {
    const item = ordered(list[i])
    if (item === unusual) return unusual
    if (item === list[i]) continue
    copy ??= [...list]
    copy[i] = item
  }
  return copy ?? list
}

/** Keys that are numbers come first in every object, whatever the order they were written in. */
const isUnusual = (key: string): boolean => {
  const first = key.charCodeAt(0)
  return (first >= 48 && first <= 57) || key === "__proto__"
}

const orderedFields = (fields: Readonly<Record<string, unknown>>): unknown => {
  if (!isPlain(fields)) return unusual
  const keys = Object.keys(fields)
  let inOrder = true
  for (let i = 0; i < keys.length; i++) {
    if (isUnusual(keys[i])) return unusual
    if (i > 0 && keys[i - 1] > keys[i]) inOrder = false
  }
  if (!inOrder) keys.sort()
  let copy: Record<string, unknown> | undefined = inOrder ? undefined : {}
  for (let i = 0; i < keys.length; i++) {
    const item = fields[keys[i]]
    const value = ordered(item)
    if (value === unusual) return unusual
    if (copy === undefined) {
      if (value === item) continue
      copy = {}
      for (let before = 0; before < i; before++) copy[keys[before]] = fields[keys[before]]
    }
    copy[keys[i]] = value
  }
  return copy ?? fields
}

/** The value with all keys in order, as far as possible the value itself. */
const ordered = (value: unknown): unknown => {
  if (typeof value === "number") return Number.isFinite(value) ? value : unusual
  if (typeof value !== "object" || value === null) return value
  return Array.isArray(value)
    ? orderedList(value as ReadonlyArray<unknown>)
    : orderedFields(value as Readonly<Record<string, unknown>>)
}

/** True where JSON.stringify writes the value as RFC 8785 does, lone surrogates aside: its keys are in order. Copies nothing. */
const isInOrder = (value: unknown): boolean => {
  if (typeof value === "number") return Number.isFinite(value)
  if (typeof value !== "object" || value === null) return true
  if (Array.isArray(value)) {
    if ("toJSON" in value) return false
    for (const item of value) if (!isInOrder(item)) return false
    return true
  }
  if (!isPlain(value)) return false
  let last = ""
  for (const key in value) {
    if (key < last || isUnusual(key) || !isInOrder((value as Readonly<Record<string, unknown>>)[key])) return false
    last = key
  }
  return true
}

/** The text where JSON.stringify writes as RFC 8785 does, which is several times as fast as the canonicaliser. */
const quick = (value: unknown): string | undefined => {
  try {
    const inOrder = isInOrder(value) ? value : ordered(value)
    if (inOrder === unusual) return undefined
    const text: string | undefined = JSON.stringify(inOrder)
    // JSON.stringify escapes lone surrogates, which RFC 8785 does not have.
    return text === undefined || text.includes("\\ud") ? undefined : text
  } catch {
    return undefined
  }
}

/** RFC 8785 text of a JSON value. Throws on what JSON cannot hold (NaN, infinities, lone surrogates). */
export const encode = (value: unknown): string => {
  const text = quick(value) ?? canonicalize(value)
  if (text === undefined) throw new TypeError("The value has no JSON form")
  return text
}

/** SHA-256 over the canonical text. */
export const digest = (value: unknown): Sha256.Sha256 => Sha256.of(encode(value))
