import * as Schema from "effect/Schema"

/** Another process writes this stream. */
export class StreamBusy extends Schema.TaggedError<StreamBusy>()("StreamBusy", {
  stream: Schema.String,
  pid: Schema.optionalKey(Schema.Int),
}) {
  override get message() {
    const owner = this.pid === undefined ? "another process" : `process ${this.pid}`
    return `${this.stream} is being written by ${owner}. Wait for it to end, or watch it: dandori runs watch ${this.stream.replace("runs/", "")}`
  }
}

/** Another process has gone on with this stream: what was decided on its earlier head is to be decided anew. */
export class StreamMoved extends Schema.TaggedError<StreamMoved>()("StreamMoved", { stream: Schema.String }) {
  override get message() {
    return `Another process has gone on with ${this.stream} meanwhile. Nothing was written; try again`
  }
}

/** There is no such stream. */
export class StreamMissing extends Schema.TaggedError<StreamMissing>()("StreamMissing", { stream: Schema.String }) {
  override get message() {
    return `The ledger has no ${this.stream.startsWith("runs/") ? `run ${this.stream.slice(5)}` : `stream ${this.stream}`}. See what there is: dandori runs list`
  }
}

/** The run has ended and its books are closed: nothing is added to its stream. */
export class StreamEnded extends Schema.TaggedError<StreamEnded>()("StreamEnded", { stream: Schema.String }) {
  override get message() {
    return `Run ${this.stream.replace("runs/", "")} has ended; nothing is added to it. Start a new one`
  }
}

/** A stream's entries do not verify; it is not written to. */
export class StreamDamaged extends Schema.TaggedError<StreamDamaged>()("StreamDamaged", {
  stream: Schema.String,
  line: Schema.Int,
  reason: Schema.String,
}) {
  override get message() {
    return `The ledger of ${this.stream} is damaged: ${this.reason}. Nothing was written. Look: dandori ledger verify`
  }
}

/** Entries of the root stream are gone that other streams testify to; nothing is made anew in their place. */
export class RootMissing extends Schema.TaggedError<RootMissing>()("RootMissing", { reason: Schema.String }) {
  /** As `dandori ledger verify` ends for what is missing. */
  readonly exitCode = 13
  override get message() {
    return `The ledger's root stream lacks entries: ${this.reason}. Nothing was written. Put root.ndjson back as it was (from a snapshot), or look: dandori ledger verify`
  }
}

/** An event is larger than any reader of the ledger has to take; it was not written. */
export class EventTooLarge extends Schema.TaggedError<EventTooLarge>()("EventTooLarge", {
  stream: Schema.String,
  type: Schema.String,
  characters: Schema.Int,
  limit: Schema.Int,
}) {
  override get message() {
    return `An event ${this.type} of ${this.stream} would be ${this.characters} characters long, at most ${this.limit} are allowed. It was not written; large data belongs into an artifact`
  }
}

/** The ledger could not be read or written. */
export class LedgerFailed extends Schema.TaggedError<LedgerFailed>()("LedgerFailed", {
  stream: Schema.String,
  reason: Schema.String,
  /** The database that holds it is away, or busy: try again. */
  away: Schema.optionalKey(Schema.Boolean),
  cause: Schema.optionalKey(Schema.Defect()),
}) {
  get exitCode() {
    return this.away === true ? 69 : 74
  }
  override get message() {
    return `The ledger of ${this.stream} cannot be used: ${this.reason}`
  }
}

/** The refusal to make the stream of a run anew that was purged: its id names what is gone. */
export const wasPurged = (stream: string) =>
  new LedgerFailed({ stream, reason: "it existed, and was purged; a run of this id is not made again" })

/** The refusal to remove a stream that the root does not say was purged. */
export const notPurged = (stream: string) =>
  new LedgerFailed({ stream, reason: "the root does not say that it was purged, so it is not removed" })
