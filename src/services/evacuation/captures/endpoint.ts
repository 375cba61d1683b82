import * as Effect from "effect/Effect"
import type { EndpointCollector } from "../../../domain/config/evacuation.ts"
import * as Http from "../../http.ts"
import { type Capture, CaptureFailed, NothingToTake } from "./capture.ts"

/**
 * What an endpoint answers to GET, whatever its status: the status, the headers, the body as text. Where nobody listens
 * there is nothing to take.
 */
export const of =
  (collector: EndpointCollector): Capture =>
  (lines, { limitMillis, maxBytes }) =>
    Effect.gen(function* () {
      const answer = yield* Http.send({
        method: "GET",
        url: collector.url,
        headers: { accept: "*/*" },
        timeoutMillis: limitMillis,
        maxBytes,
        isAnswer: () => false,
      }).pipe(
        Effect.mapError((error) => {
          const { message: reason } = error
          return error._tag === "HttpUnreachable" ? new NothingToTake({ reason }) : new CaptureFailed({ reason })
        }),
      )
      lines.add(`GET ${collector.url}`)
      lines.add(`${answer.status}`)
      for (const [name, value] of answer.headers) lines.add(`${name}: ${value}`)
      lines.add("")
      lines.add(Buffer.from(answer.body).toString("utf8"))
      if (!answer.whole) lines.cut()
    })
