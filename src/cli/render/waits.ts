import type { Waits } from "../../engine/standing.ts"
import { waitingText } from "../../services/leases.ts"
import { duration } from "./duration.ts"
import { clean } from "./line.ts"

/** What is waited for, in words that follow `waits for`. */
export const text = (waits: Waits, now: number): string => {
  switch (waits.for) {
    case "cordon":
      return clean(`cordon ${waits.cordon} to be lifted (${waits.reason})`)
    case "resource":
      return waitingText(waits)
    case "retry":
      return `attempt ${waits.attempt}${waits.due === undefined ? "" : ` in ${duration(Math.max(0, waits.due - now))}`}`
    case "approval":
      return `approval: ${waits.granted.length} of ${waits.approvers} have agreed`
    case "pause":
      return clean(`${new Date(waits.until).toISOString()}: ${waits.reason}`)
  }
}
