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
 * then for one that was taken before. Another lane cancels some of them, wherever they are then.
 */
export const begin = ({ apis, bearer, random }: Options) => {
  /** The runs that were taken, by key. */
  const taken = new Map<string, string>()
  /** The runs that somebody tried to cancel; of those that it was acknowledged for, true. */
  const cancelled = new Map<string, boolean>()
  const faults: Array<string> = []
  let repeated = 0
  let unanswered = 0
  let isOver = false

  /** What some daemon answers; undefined where none does. */
  const post = async (path: string, body: unknown, headers: Readonly<Record<string, string>> = {}) => {
    const all = apis().flatMap((api) => api ?? [])
    const api = all[random(Math.max(1, all.length))]
    if (api === undefined) return undefined
    try {
      const response = await fetch(`${api}${path}`, {
        method: "POST",
        headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(patience),
      })
      return { status: response.status, text: await response.text() }
    } catch {
      return undefined
    }
  }

  const ask = async (key: string): Promise<boolean> => {
    const response = await post(`/pipelines/${onRequest}/runs`, {}, { "idempotency-key": key })
    if (response === undefined) return false
    const { text } = response
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
  }

  /** Cancels a run that was taken. One that has ended is not there to be cancelled. */
  const cancel = async (run: string) => {
    const isFirst = !cancelled.has(run)
    cancelled.set(run, cancelled.get(run) ?? false)
    const response = await post(`/runs/${run}/cancel`, { reason: "a trial" })
    if (response?.status === 200) return void cancelled.set(run, true)
    const isOdd = response !== undefined && response.status < 500 && ![404, 409, 429].includes(response.status)
    if (isOdd || (response?.status === 404 && isFirst)) {
      faults.push(`to cancel ${run} the API answered ${response?.status}: ${response?.text}`)
    }
  }
  const cancelling = async () => {
    while (!isOver) {
      await Bun.sleep(random(6 * pauseMillis))
      const run = [...taken.values()].at(-1)
      if (run !== undefined) await cancel(run)
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
  const lanes = [...[1, 2].map(asking), cancelling()]

  return {
    taken,
    cancelled,
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
