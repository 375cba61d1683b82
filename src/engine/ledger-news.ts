import type { Recorder } from "./recorder.ts"

/**
 * Records that the ledger of a best-effort run cannot be written any more, and that it can again: who watches the run
 * hears of it at once, who reads its record later finds from where to where it was late.
 */
export const record = (recorder: Recorder): void =>
  recorder.writer.watch((news) => {
    if (recorder.state().phase === "ended") return
    if (news._tag === "Recovered") {
      const { lines, since } = news
      return void recorder.record({ type: "dev.dandori.ledger.recovered.v1", data: { events: lines, since } })
    }
    const { error, lines } = news.behind
    const data = { events: lines, code: error.code, reason: error.message }
    recorder.record({ type: "dev.dandori.ledger.stalled.v1", data })
  })
