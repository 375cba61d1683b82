import * as Context from "effect/Context"

/** The way that a request came in: over the network, or by the local socket, which only its owner can open. */
export const Door = Context.Reference<"network" | "socket">("dandori/daemon/api/Door", {
  defaultValue: () => "network",
})
