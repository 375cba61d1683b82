import { isIP } from "node:net"

/** The name in `name`, `name:port`, `[::1]:port`; lower case, without a dot at its end. Undefined for what is none. */
export const nameIn = (authority: string): string | undefined => {
  const found = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/.exec(authority.toLowerCase())
  return (found?.[1] ?? found?.[2])?.replace(/\.$/, "")
}

const plain = (address: string): string => address.replace(/^::ffff:/, "")

/**
 * Whether a request may be meant for this server: a name that others point at its address (DNS rebinding) is none of
 * those it knows. `local` is the address at which the request came in.
 */
export const isKnown = (name: string, local: string | undefined, known: ReadonlySet<string>): boolean =>
  known.has(name) ||
  name === "localhost" ||
  (isIP(name) !== 0 && (isLoopback(name) || plain(local ?? "") === plain(name)))

const isLoopback = (address: string): boolean => address === "::1" || address.startsWith("127.")
