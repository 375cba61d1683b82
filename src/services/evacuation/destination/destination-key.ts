import { isAbsolute } from "node:path"

/** What a file of a folder is called until it is whole. */
export const temporaryName = (): string => `.${crypto.randomUUID()}.tmp`
const isTemporary = (name: string) => /^\.[0-9a-f-]{36}\.tmp$/.test(name)

/**
 * Why a destination does not take a key; undefined when it is a relative, `/`-separated path of names. It is more lenient
 * than that of an object store: what lies on a machine has the names that it has.
 */
export const keyProblem = (key: string, mostBytes: number): string | undefined => {
  if (key === "") return "the key is empty"
  if (isAbsolute(key)) return "the key is absolute; keys are relative"
  if (key.includes("\0")) return "the key holds a NUL"
  if (Buffer.byteLength(key) > mostBytes) return `the key is longer than ${mostBytes} bytes`
  const bad = key.split("/").find((part) => part === "" || part === "." || part === ".." || isTemporary(part))
  return bad === undefined ? undefined : `the key has the part ${JSON.stringify(bad)}, which is not a plain name`
}
