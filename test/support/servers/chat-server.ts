import { type IncomingMessage, type ServerResponse, createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"

/** What a server does with a request: what its role says, a fixed answer, or a fault. */
export type Behaviour =
  | "accept"
  /** It never answers. */
  | "hang"
  /** It ends the connection without an answer. */
  | "reset"
  /** It does what it was asked, and ends the connection before its answer is whole. */
  | "truncate"
  | { readonly status: number; readonly text?: string; readonly headers?: Readonly<Record<string, string>> }

/** A request as it came in. */
export interface Received {
  readonly path: string
  readonly body: Record<string, any>
  readonly accepted: boolean
}

/** A server on loopback that is Slack (`/services/…`) and PagerDuty (`/v2/enqueue`). */
export interface ChatServer {
  readonly url: string
  /** The webhook that it knows, and the routing key. */
  readonly webhook: string
  readonly routingKey: string
  readonly received: ReadonlyArray<Received>
  /** What was accepted, by path. */
  readonly slack: () => ReadonlyArray<Record<string, any>>
  readonly pagerDuty: () => ReadonlyArray<Record<string, any>>
  /** What has become of each alert, by `dedup_key`. */
  readonly alerts: ReadonlyMap<string, string>
  /** What it does with the next requests to a path that begins so, one after the other, in place of what it was told before. */
  readonly script: (path: string, behaviours: ReadonlyArray<Behaviour>) => void
  /** Who hears of each request, before it is looked at and after it was answered. */
  onRequest: (path: string) => void
  onAnswered: (path: string) => void
}

interface Answer {
  readonly status: number
  readonly text: string
}

/** What Slack says to a payload (Incoming webhooks; Block Kit's limits of a section and a context). */
const slackSays = (body: any): Answer => {
  if (typeof body !== "object" || body === null) return { status: 400, text: "invalid_payload" }
  if (typeof body.text !== "string" || body.text === "") return { status: 400, text: "no_text" }
  for (const block of body.blocks ?? []) {
    const texts = block.type === "section" ? [block.text] : block.elements
    if (!Array.isArray(texts) || texts.length === 0 || texts.length > 10) return { status: 400, text: "invalid_blocks" }
    for (const { text, type } of texts) {
      const fits = type === "mrkdwn" && typeof text === "string" && text.length > 0 && text.length <= 3_000
      if (!fits) return { status: 400, text: "invalid_blocks" }
      if (/&(?!amp;|lt;|gt;)/.test(text)) return { status: 400, text: "invalid_payload" }
    }
  }
  return { status: 200, text: "ok" }
}

/** What PagerDuty says to an event (Events API v2). */
const pagerDutySays = (event: any, routingKey: string, alerts: Map<string, string>): Answer => {
  const errors: Array<string> = []
  if (event?.routing_key !== routingKey) errors.push(`'routing_key' is invalid: ${event?.routing_key}`)
  if (!["trigger", "acknowledge", "resolve"].includes(event?.event_action)) errors.push("'event_action' is missing")
  const key = event?.dedup_key
  if (typeof key !== "string" || key === "" || key.length > 255) errors.push("'dedup_key' is missing or too long")
  if (event?.event_action === "trigger") {
    const { severity, source, summary } = event.payload ?? {}
    if (typeof summary !== "string" || summary === "" || summary.length > 1_024)
      errors.push("'payload.summary' is wrong")
    if (typeof source !== "string" || source === "") errors.push("'payload.source' is missing")
    if (!["info", "warning", "error", "critical"].includes(severity)) errors.push("'payload.severity' is wrong")
  }
  if (errors.length > 0) {
    return {
      status: 400,
      text: JSON.stringify({ status: "invalid event", message: "Event object is invalid", errors }),
    }
  }
  if (event.event_action === "trigger" || alerts.get(key) !== undefined) {
    if (!(event.event_action === "acknowledge" && alerts.get(key) === "resolve")) alerts.set(key, event.event_action)
  }
  return { status: 202, text: JSON.stringify({ status: "success", message: "Event processed", dedup_key: key }) }
}

const textOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

/** Starts the server; it stops when the scope closes. */
export const start = Effect.acquireRelease(
  Effect.promise(async () => {
    const received: Array<Received> = []
    const alerts = new Map<string, string>()
    const scripts: Array<{ readonly path: string; readonly behaviours: Array<Behaviour> }> = []
    const answer = async (request: IncomingMessage, response: ServerResponse) => {
      const path = request.url ?? ""
      const text = await textOf(request)
      chat.onRequest(path)
      const body = text !== "" ? JSON.parse(text) : undefined
      const known = scripts.find((script) => path.startsWith(script.path) && script.behaviours.length > 0)
      const behaviour = known?.behaviours.shift() ?? "accept"
      const does = behaviour === "accept" || behaviour === "truncate"
      const said: Answer = path.startsWith("/v2/enqueue")
        ? does
          ? pagerDutySays(body, chat.routingKey, alerts)
          : { status: 0, text: "" }
        : path === new URL(chat.webhook).pathname
          ? slackSays(body)
          : { status: 404, text: "no_service" }
      received.push({ path, body, accepted: does && said.status >= 200 && said.status <= 299 })
      if (behaviour === "hang") return
      if (behaviour === "reset") return void request.socket.destroy()
      if (behaviour === "truncate") {
        request.socket.write(
          `HTTP/1.1 ${said.status} OK\r\ncontent-length: ${said.text.length + 10}\r\n\r\n${said.text}`,
        )
        return void request.socket.end()
      }
      const { headers = {}, status, text: words = "" } = behaviour === "accept" ? { ...said, headers: {} } : behaviour
      response.writeHead(status, headers).end(words, () => chat.onAnswered(path))
    }
    const server = createServer((request, response) => void answer(request, response))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const accepted = (path: string) => () =>
      received.filter((one) => one.accepted && one.path.startsWith(path)).map(({ body }) => body)
    const chat: ChatServer & { readonly stop: () => void } = {
      url,
      webhook: `${url}/services/T0PLANTED/B0PLANTED/plantedWebhookSecret1`,
      routingKey: "plantedroutingkey0123456789abcde",
      received,
      slack: accepted("/services/"),
      pagerDuty: accepted("/v2/enqueue"),
      alerts,
      script: (path, behaviours) => {
        for (const old of scripts) if (old.path === path) old.behaviours.length = 0
        scripts.push({ path, behaviours: [...behaviours] })
      },
      onRequest: () => {},
      onAnswered: () => {},
      stop: () => {
        server.close()
        server.closeAllConnections()
      },
    }
    return chat
  }),
  (chat) => Effect.sync(() => chat.stop()),
)
