import * as Effect from "effect/Effect"
import type { EndpointCollector } from "../../../domain/config/evacuation.ts"
import * as Http from "../../http.ts"
import { type Capture, CaptureFailed } from "./capture.ts"

/** What an endpoint answers to GET, whatever its status: the status, the headers, the body as text. */
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
      }).pipe(Effect.mapError(({ message }) => new CaptureFailed({ reason: message })))
      lines.add(`GET ${collector.url}`)
      lines.add(`${answer.status}`)
      for (const [name, value] of answer.headers) lines.add(`${name}: ${value}`)
      lines.add("")
      lines.add(Buffer.from(answer.body).toString("utf8"))
      if (!answer.whole) lines.cut()
    })
