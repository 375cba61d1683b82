import * as Effect from "effect/Effect"

/** One request as it came in, and whether it was accepted. */
export interface Received {
  readonly path: string
  readonly headers: Headers
  readonly body: string
  readonly accepted: boolean
}

/** How a collector behaves: it answers with this status, or never. */
export type Behaviour = number | "hangs"

/** A real HTTP server on loopback that fails as it is told. */
export interface Collector {
  readonly url: string
  readonly received: ReadonlyArray<Received>
  readonly accepted: () => ReadonlyArray<Received>
  readonly refused: () => ReadonlyArray<Received>
  /** From now on; a function is asked before each answer. */
  readonly behave: (next: Behaviour | ((body: string) => Behaviour)) => void
  /** The text of its answers, and who hears of each request before it is answered. */
  answer: string | ((received: Received) => string)
  onRequest: (received: Received) => void
}

/** Starts a collector that accepts everything; it stops when the scope closes. */
export const start = Effect.acquireRelease(
  Effect.sync(() => {
    let behaviour: (body: string) => Behaviour = () => 200
    const received: Array<Received> = []
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 0,
      fetch: async (request) => {
        const body = await request.text()
        const now = behaviour(body)
        const accepted = now !== "hangs" && now >= 200 && now <= 299
        const one: Received = { path: new URL(request.url).pathname, headers: request.headers, body, accepted }
        received.push(one)
        collector.onRequest(one)
        if (now === "hangs") await new Promise(() => {})
        const text = typeof collector.answer === "string" ? collector.answer : collector.answer(one)
        return new Response(text, { status: Number(now), headers: { location: "http://127.0.0.1:1/" } })
      },
    })
    const collector: Collector & { readonly stop: () => Promise<void> } = {
      url: `http://127.0.0.1:${server.port}`,
      received,
      accepted: () => received.filter(({ accepted }) => accepted),
      refused: () => received.filter(({ accepted }) => !accepted),
      behave: (next) => {
        behaviour = typeof next === "function" ? next : () => next
      },
      answer: "{}",
      onRequest: () => {},
      stop: () => server.stop(true),
    }
    return collector
  }),
  (collector) => Effect.promise(() => collector.stop()),
)
