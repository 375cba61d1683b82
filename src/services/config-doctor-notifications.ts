/** Whether what Slack and PagerDuty are reached by looks right. Nothing is sent: no message, no alarm. */
import * as Effect from "effect/Effect"
import { bad, type Finding } from "./config-finding.ts"
import * as Reach from "./config-doctor-reach.ts"
import { usualUrl } from "./pagerduty.ts"

/** A value and how it is called. */
export interface Given {
  readonly key: string
  readonly reference: string
  readonly value: string
  readonly millis: number
}

const section = "notifications"

/** Slack's own: `https://hooks.slack.com/services/T…/B…/…`, or one of a workflow. */
const isSlacks = ({ hostname, pathname }: URL): boolean =>
  !/(^|\.)slack(-gov)?\.com$/.test(hostname) ||
  /^\/(services|workflows|triggers)\/[A-Z0-9]+\/[A-Za-z0-9]+\/[A-Za-z0-9/]+$/.test(pathname)

/** A webhook of Slack's, or of a server that takes the same. */
export const slack = ({ key, millis, reference, value }: Given): Effect.Effect<Finding> => {
  const url = URL.canParse(value.trim()) ? new URL(value.trim()) : undefined
  const refuse = (why: string) =>
    Effect.succeed(
      bad(
        section,
        "error",
        `${key}: what ${reference} holds ${why}`,
        `write the whole webhook into ${reference}, like https://hooks.slack.com/services/T…/B…/…`,
      ),
    )
  if (url === undefined || url.protocol !== "https:" || url.hostname === "")
    return refuse("is not a URL like https://host")
  if (!isSlacks(url)) return refuse("is no webhook of Slack's")
  const untried = "no message was sent, so whether the webhook is known there was not tried"
  return Reach.look({ section, key, url, millis, untried, correct: reference })
}

/** An integration key of PagerDuty's Events API v2: 32 letters and digits. */
export const pagerDuty = ({ key, millis, reference, value }: Given, url = usualUrl): Effect.Effect<Finding> => {
  if (!/^[A-Za-z0-9]{32}$/.test(value.trim())) {
    const what = `${key}: what ${reference} holds is no integration key: those have 32 letters and digits`
    const fix = `write the key of the service's Events API v2 integration into ${reference}`
    return Effect.succeed(bad(section, "error", what, fix))
  }
  const untried = `no alarm was sent, so whether the key of ${reference} is known there was not tried`
  return Reach.look({ section, key, url: new URL(url), millis, untried, correct: "notifications.pagerduty.url" })
}
