import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { EnvironmentName } from "../domain/names.ts"
import type { RunResult } from "../engine/run.ts"
import { runStatus } from "../engine/run-state.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import type { Delivery } from "../services/notification-delivery.ts"
import type { Deliver } from "../services/notification-route.ts"
import { Alarms, actionOf, failureKey } from "../services/notifier.ts"
import * as NotifierEmbedded from "../services/notifier-embedded.ts"
import * as OutboxSweep from "../services/outbox-sweep.ts"
import * as RegistryOutbox from "../services/registry-outbox.ts"
import { Secrets } from "../services/secrets.ts"
import { Settings } from "../services/settings.ts"
import * as Output from "./output.ts"

/** Where messages leave the machine; what it takes is imported with the first one that does. */
const outside = Effect.gen(function* () {
  const services = yield* Effect.context<Settings | Secrets>()
  const deliverers = yield* Effect.cached(
    Effect.gen(function* () {
      const [slack, pagerDuty, http] = yield* Effect.promise(() =>
        Promise.all([
          import("../services/slack.ts"),
          import("../services/pagerduty.ts"),
          import("../services/http-post.ts"),
        ]),
      )
      const given = Effect.all({ slack: slack.deliverer, pagerduty: pagerDuty.deliverer })
      return yield* given.pipe(Effect.provide(http.layer), Effect.provide(services))
    }),
  )
  const by =
    (kind: "slack" | "pagerduty"): Deliver =>
    (entry, route) =>
      Effect.flatMap(deliverers, (all) => all[kind](entry, route))
  return { slack: by("slack"), pagerduty: by("pagerduty") }
})

/** What `system` says of a delivery; nothing of one that is only delayed. */
const eventOf = ({ id, message, outcome, problem, route, tries }: Delivery, env: EnvironmentName) => {
  const { dedupKey, from, severity } = message
  const data = {
    notification: id,
    route,
    action: actionOf(message),
    severity,
    ...(dedupKey === undefined ? {} : { dedupKey }),
    ...(from === undefined ? {} : { run: from.run }),
    env,
    tries,
  }
  if (outcome === "delivered") return { type: "dev.dandori.notification.delivered.v1", data } as const
  return { type: "dev.dandori.notification.refused.v1", data: { ...data, reason: problem ?? "" } } as const
}

/** The notifier of a project: console, file, Slack and PagerDuty, its deliveries as events of `system`. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const { env } = yield* Settings
    const record = (delivery: Delivery) =>
      delivery.outcome === "delayed"
        ? Effect.void
        : ledger
            .record(StreamName.system, [eventOf(delivery, env)])
            .pipe(
              Effect.catch(({ message }) =>
                Output.message(
                  `That ${delivery.route} has ${delivery.outcome} a notification is not recorded: ${message}`,
                ),
              ),
            )
    return NotifierEmbedded.layer({ deliverers: yield* outside, onDelivery: record })
  }),
)

const successes: ReadonlySet<string> = new Set(["succeeded", "warned"])

/**
 * What is told to others when a run has ended: what publishing has left in the registry's outbox, and, where all of the
 * pipeline went well, that its failure is over. Whatever goes wrong here is said, and changes nothing of the run.
 */
export const afterRun =
  (only: string | undefined) =>
  ({ run, state }: RunResult) =>
    Effect.gen(function* () {
      const { problems } = yield* RegistryOutbox.deliver
      yield* Effect.forEach(problems, Output.message)
      yield* OutboxSweep.sweep
      if (only !== undefined || !successes.has(runStatus(state))) return
      const { env } = yield* Settings
      const { id } = state.plan.plan
      yield* (yield* Alarms).recover({
        dedupKey: failureKey(env, id),
        run,
        title: `${id} succeeds again`,
        text: `Run ${run} has ended as ${runStatus(state)}.`,
      })
    }).pipe(Effect.catch(({ message }) => Output.message(`Not everything was told to others: ${message}`)))
