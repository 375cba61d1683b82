import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Redacted from "effect/Redacted"
import type { Route } from "../domain/config/notifications.ts"
import { parseDuration } from "../domain/quantity.ts"
import * as HttpPost from "./http-post.ts"
import type { Entry } from "./notification-outbox.ts"
import { type Deliver, DeliveryFailed, absentSecret, refusal, routeText } from "./notification-route.ts"
import { type Message, actionOf } from "./notifier.ts"
import { Secrets } from "./secrets.ts"
import { Settings } from "./settings.ts"

/** Most characters of the text of a section block, and most elements of a context block (Block Kit reference). */
const sectionLength = 3_000
const contextElements = 10
/** Most characters of what a list of chats shows of a message; Slack cuts it at 40,000. */
const fallbackLength = 3_000
const titleLength = 500
const linkLength = 1_000

const icons = { info: ":information_source:", warning: ":warning:", critical: ":rotating_light:" } as const
const marks = {
  trigger: undefined,
  acknowledge: ":eyes: *Acknowledged*",
  resolve: ":white_check_mark: *Resolved*",
} as const

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" }

/** A text whose characters are all that Slack shows: `<!channel>` calls nobody, `<url|text>` is no link. */
export const escaped = (text: string): string => text.replace(/[&<>]/g, (character) => entities[character])

/**
 * A text as mrkdwn of at most so many characters (UTF-16 units, of which Slack counts no more than there are), without
 * control characters. What is cut ends with an ellipsis, and no entity is cut in parts.
 */
export const mrkdwn = (text: string, length: number): string => {
  // oxlint-disable-next-line no-control-regex
  const plain = text.toWellFormed().replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]+/g, " ")
  let cut = ""
  for (const character of plain) {
    const next = escaped(character)
    if (cut.length + next.length > length) {
      while (cut.length > length - 1) cut = cut.replace(/(?:&(?:amp|lt|gt);|[^])$/u, "")
      return `${cut}…`
    }
    cut += next
  }
  return cut
}

const section = (text: string) => ({ type: "section", text: { type: "mrkdwn", text, verbatim: true } })

/** The body of a post to an incoming webhook: blocks, and beside them the text of a list of chats. */
export const payload = ({ created, id, message }: Entry, channel: string | undefined): Record<string, unknown> => {
  const { dedupKey, from, links = [], severity, text, title } = message
  const mark = marks[actionOf(message)] ?? `${icons[severity]} *${severity}*`
  const heading = mrkdwn(title, titleLength)
  const body = mrkdwn(text, sectionLength)
  const seen = links.map((link) => `<${escaped(link.url).replaceAll("|", "%7C")}|${mrkdwn(link.text, 200)}>`)
  const facts = [
    ...(from === undefined ? [] : [`run ${from.run}, ${from.pipeline}/${from.task}`]),
    ...(dedupKey === undefined ? [] : [`about ${dedupKey}`]),
    `${new Date(created).toISOString()}, ${id}`,
  ]
  const context = [...seen.filter((link) => link.length <= linkLength), ...facts.map((fact) => mrkdwn(fact, 500))]
  return {
    ...(channel === undefined ? {} : { channel }),
    text: mrkdwn(`${shownMark(message)} ${title}: ${text}`, fallbackLength),
    blocks: [
      section(`${mark}  *${heading.replaceAll("*", "∗").replace(/\s+/g, " ")}*`),
      ...(body.trim() === "" ? [] : [section(body)]),
      {
        type: "context",
        elements: context.slice(-contextElements).map((text) => ({ type: "mrkdwn", text, verbatim: true })),
      },
    ],
  }
}

const shownMark = (message: Message): string => {
  const action = actionOf(message)
  return action === "resolve" ? "[resolved]" : action === "acknowledge" ? "[acknowledged]" : `[${message.severity}]`
}

/** Slack says what is wrong in a word like `invalid_payload`; what else stands in an answer is not repeated. */
const wordOf = (text: string): string => (/^[a-z][a-z_]{1,60}$/.test(text.trim()) ? text.trim() : "")

const isWeb = (url: string): boolean => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)

/**
 * Delivers to Slack's incoming webhooks: that of the route's channel, or the common one. The webhook is read anew for
 * each message, and shows up nowhere: its path is the secret. Accepted is `200 ok`; the fours are refusals, but for 429.
 */
export const deliver = Effect.fn("Slack.deliver")(function* (entry: Entry, route: Route) {
  if (route.to !== "slack") return
  const { slack, timeout } = (yield* Settings).sections.notifications
  const name = routeText(route)
  const failed = (reason: string) => new DeliveryFailed({ route: name, reason, everybody: true })
  const own = slack.webhooks?.[route.channel]
  const reference = own ?? slack.webhook
  const webhook = yield* (yield* Secrets).resolve(reference).pipe(Effect.mapError(absentSecret(name)))
  const url = Redacted.value(webhook).trim()
  if (!isWeb(url)) return yield* failed(`what ${reference} holds is not a URL; write the whole webhook into it`)
  const answer = yield* HttpPost.exchange(
    {
      url,
      headers: {},
      body: JSON.stringify(payload(entry, own === undefined ? route.channel : undefined)),
      timeoutMillis: parseDuration(timeout) ?? 5_000,
    },
    name,
  ).pipe(Effect.mapError(({ reason }) => failed(reason)))
  const { status, text } = answer
  if (status < 200 || status > 299) {
    return yield* refusal(route, answer, wordOf(text), yield* Clock.currentTimeMillis)
  }
  if (text.trim() !== "ok") return yield* failed(`HTTP ${status}, but it did not say ok`)
})

/** `deliver` with the services of where this is asked for. */
export const deliverer: Effect.Effect<Deliver, never, Settings | Secrets | HttpClient.HttpClient> = Effect.contextWith(
  (context) => Effect.succeed((entry, route) => Effect.provide(deliver(entry, route), context)),
)
