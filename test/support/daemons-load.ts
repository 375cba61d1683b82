import { onRequest } from "./daemons-place.ts"

/** Who is asked, and how. */
export interface Options {
  readonly bearer: string
  readonly random: (below: number) => number
  /** Where daemons listen, those that do. */
  readonly apis: () => ReadonlyArray<string | undefined>
}

/** How long an answer is waited for, milliseconds. */
const patience = 4_000
const pauseMillis = 400

/**
 * Asks one daemon after the other for runs, each with a key of its own, again and again until it is answered; and now and
 * then for one that was taken before.
 */
export const begin = ({ apis, bearer, random }: Options) => {
  /** The runs that were taken, by key. */
  const taken = new Map<string, string>()
  const faults: Array<string> = []
  let repeated = 0
  let unanswered = 0
  let isOver = false

  const ask = async (key: string): Promise<boolean> => {
    const all = apis().flatMap((api) => api ?? [])
    const api = all[random(Math.max(1, all.length))]
    if (api === undefined) return false
    try {
      const response = await fetch(`${api}/pipelines/${onRequest}/runs`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${bearer}`,
          "content-type": "application/json",
          "idempotency-key": key,
        },
        body: "{}",
        signal: AbortSignal.timeout(patience),
      })
      const text = await response.text()
      if (response.status !== 200 && response.status !== 201) {
        // What goes by may be asked again; anything else is no answer to a request that is in order.
        if (response.status < 500 && ![404, 409, 429].includes(response.status)) {
          faults.push(`the API answered ${response.status}: ${text}`)
        }
        return false
      }
      const { run } = JSON.parse(text) as { readonly run: string }
      const before = taken.get(key)
      if (before !== undefined && before !== run) faults.push(`key ${key} is run ${before}, and run ${run}`)
      taken.set(key, run)
      return true
    } catch {
      return false
    }
  }

  const asking = async (lane: number) => {
    for (let n = 0; !isOver; n++) {
      const key = `lane-${lane}-request-${n}`
      while (!(await ask(key))) {
        unanswered++
        await Bun.sleep(pauseMillis)
      }
      const again = [...taken.keys()][random(taken.size)]
      if (random(4) === 0 && (await ask(again))) repeated++
      await Bun.sleep(pauseMillis + random(2 * pauseMillis))
    }
  }
  const lanes = [1, 2].map(asking)

  return {
    taken,
    faults,
    repeated: () => repeated,
    unanswered: () => unanswered,
    /** Resolves when the last request was answered. */
    end: () => {
      isOver = true
      return Promise.all(lanes)
    },
  }
}
