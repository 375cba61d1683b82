import type { Actor } from "../domain/actor.ts"
import type { Answer, Request } from "../domain/request.ts"

/** A request that somebody asks through this very process. */
export interface SpokenRequest {
  readonly id: string
  readonly request: Request
  readonly by: string
  readonly actor: Actor
}

const prefix = "spoken-"

/** Whether an id is that of a request that never was a file. */
export const isSpoken = (id: string): boolean => id.startsWith(prefix)

/** Requests and answers within one process, by run. */
export const make = (uuid: () => string) => {
  const waiting = new Map<string, ReadonlyArray<SpokenRequest>>()
  const asked = new Set<string>()
  const answers = new Map<string, Answer>()
  return {
    put: (run: string, request: Request, actor: Actor): string => {
      const id = `${prefix}${uuid()}`
      asked.add(id)
      waiting.set(run, [...(waiting.get(run) ?? []), { id, request, by: actor.authid, actor }])
      return id
    },
    /** Takes what waits, oldest first. */
    take: (run: string): ReadonlyArray<SpokenRequest> => {
      const found = waiting.get(run) ?? []
      waiting.delete(run)
      return found
    },
    /** An answer that nobody waits for any more is not kept. */
    answer: (id: string, answer: Answer): void => {
      if (asked.has(id)) answers.set(id, answer)
    },
    answerTo: (id: string): Answer | undefined => {
      const found = answers.get(id)
      answers.delete(id)
      if (found !== undefined) asked.delete(id)
      return found
    },
    /** Takes one back; false where it was taken. */
    withdraw: (run: string, id: string): boolean => {
      const all = waiting.get(run) ?? []
      const left = all.filter((one) => one.id !== id)
      if (left.length === 0) waiting.delete(run)
      else waiting.set(run, left)
      if (!answers.has(id)) asked.delete(id)
      return left.length < all.length
    },
    clear: (run: string): void => void waiting.delete(run),
  }
}
