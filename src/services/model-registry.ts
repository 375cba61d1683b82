import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Hold } from "../domain/hold.ts"
import type { Slot } from "../domain/model.ts"
import type {
  AliasMove,
  ChainProblem,
  FilesEvent,
  FilesState,
  ModelRow,
  NewModel,
  OutboxMessage,
  PendingMessage,
  RegistryEvent,
  Warrant,
} from "../domain/registry.ts"
import { ModelStatus, successors } from "../domain/registry.ts"
import type { Sha256 } from "../domain/sha256.ts"

/** The registry could not be reached or did not answer. */
export class RegistryUnavailable extends Schema.TaggedError<RegistryUnavailable>()("RegistryUnavailable", {
  reason: Schema.String,
  transient: Schema.Boolean,
  notApplied: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect()),
}) {
  override get message() {
    return `The model registry did not answer: ${this.reason}`
  }
}

/** There is no such version. */
export class VersionUnknown extends Schema.TaggedError<VersionUnknown>()("VersionUnknown", { version: Schema.String }) {
  readonly notApplied = true
  override get message() {
    return `The registry has no version ${this.version}; see dandori model list`
  }
}

/** The version is there already, with other bytes. */
export class VersionConflict extends Schema.TaggedError<VersionConflict>()("VersionConflict", {
  version: Schema.String,
  found: Schema.String,
  offered: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `Version ${this.version} exists with other bytes (${this.found.slice(0, 12)}…, offered ${this.offered.slice(0, 12)}…) and is not replaced; publish under a new version`
  }
}

/** A version may not go from its status to this one. */
export class TransitionRefused extends Schema.TaggedError<TransitionRefused>()("TransitionRefused", {
  version: Schema.String,
  from: ModelStatus,
  to: ModelStatus,
}) {
  readonly notApplied = true
  override get message() {
    const next = successors(this.from).join(" or ")
    return `Version ${this.version} is ${this.from} and cannot become ${this.to}; it may become ${next}`
  }
}

/** A change without a reason. */
export class ReasonMissing extends Schema.TaggedError<ReasonMissing>()("ReasonMissing", { version: Schema.String }) {
  readonly notApplied = true
  override get message() {
    return `Changing ${this.version} in the registry needs a reason; give one`
  }
}

/** A copy is put only into an empty registry. */
export class RegistryNotEmpty extends Schema.TaggedError<RegistryNotEmpty>()("RegistryNotEmpty", {
  versions: Schema.Int,
}) {
  readonly notApplied = true
  override get message() {
    return `The registry has ${this.versions} versions already and is not what the copy holds; put a copy into an empty database (database.dsn)`
  }
}

/** All that a registry knows, oldest first: what is copied and put into an empty one. */
export interface RegistryCopy {
  readonly models: ReadonlyArray<ModelRow>
  readonly events: ReadonlyArray<RegistryEvent>
  readonly moves: ReadonlyArray<AliasMove>
  readonly files: ReadonlyArray<FilesEvent>
  readonly holds: ReadonlyArray<Hold>
  /** What was not delivered yet. */
  readonly messages: ReadonlyArray<Omit<PendingMessage, "id">>
}

/** The files of a version are gone, or about to be: retention has purged them. */
export class FilesPurged extends Schema.TaggedError<FilesPurged>()("FilesPurged", {
  version: Schema.String,
  at: Schema.String,
  who: Schema.String,
  reason: Schema.String,
}) {
  readonly notApplied = true
  static of({ at, reason, version, who }: FilesEvent) {
    return new FilesPurged({ version, at, who, reason })
  }
  override get message() {
    return `The files of ${this.version} were purged at ${this.at} by ${this.who} (${this.reason}) and do not come back; take another version, or train one again`
  }
}

/** The files of a version may not come to this state. */
export class FilesStateRefused extends Schema.TaggedError<FilesStateRefused>()("FilesStateRefused", {
  version: Schema.String,
  reason: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `The files of ${this.version} are left as they are: ${this.reason}`
  }
}

/** How an alias is moved. */
export interface Deploy {
  /** What becomes of the version that is deployed now: superseded, or taken out for cause. */
  readonly previousBecomes: "archived" | "rolled_back"
  /** Digest of the receipt that let the version pass. */
  readonly receipt: Sha256 | null
  /** Told to others once the transaction has committed. */
  readonly outbox: ReadonlyArray<OutboxMessage>
}

/** A version with all that the registry knows of it, oldest first. */
export interface ModelRecord {
  readonly row: ModelRow
  readonly events: ReadonlyArray<RegistryEvent>
  readonly moves: ReadonlyArray<AliasMove>
  readonly files: ReadonlyArray<FilesEvent>
}

/** Rows of the three histories, oldest first. */
export interface Histories {
  readonly events: ReadonlyArray<RegistryEvent>
  readonly moves: ReadonlyArray<AliasMove>
  readonly files: ReadonlyArray<FilesEvent>
}

type Refused = RegistryUnavailable | VersionUnknown | TransitionRefused | ReasonMissing

/**
 * The model versions, their statuses and who is `champion` of each slot. Every change is one transaction with its rows
 * in the append-only histories; at most one version of a slot is `deployed`.
 */
export class ModelRegistry extends Context.Service<
  ModelRegistry,
  {
    /** Makes one transaction of several changes; readers see all of them or none. */
    readonly atomically: <A, E, R>(changes: Effect.Effect<A, E, R>) => Effect.Effect<A, E | RegistryUnavailable, R>
    /** Puts a version in as `candidate` or `draft`. The same version and digest again changes nothing. */
    readonly register: (
      model: NewModel,
      as: "candidate" | "draft",
      warrant: Warrant,
    ) => Effect.Effect<ModelRow, RegistryUnavailable | VersionConflict | ReasonMissing>
    /** Changes the status, but not to `deployed`. A version that leaves `deployed` leaves its slot without champion. */
    readonly transition: (
      version: string,
      to: Exclude<ModelStatus, "deployed">,
      warrant: Warrant,
    ) => Effect.Effect<ModelRow, Refused>
    /** Moves `champion` to the version, demotes the one before it, and writes the outbox. Not to one whose files go. */
    readonly deploy: (version: string, how: Deploy, warrant: Warrant) => Effect.Effect<AliasMove, Refused | FilesPurged>
    /** Writes what becomes of the files of a version; the same again changes nothing. Only of an archived one they go. */
    readonly recordFiles: (
      version: string,
      state: FilesState,
      bytes: number,
      warrant: Warrant,
    ) => Effect.Effect<void, RegistryUnavailable | VersionUnknown | ReasonMissing | FilesStateRefused>
    /** The last that was written of the files of a version; none where they were never marked. */
    readonly filesOf: (version: string) => Effect.Effect<Option.Option<FilesEvent>, RegistryUnavailable>
    readonly find: (version: string) => Effect.Effect<Option.Option<ModelRow>, RegistryUnavailable>
    readonly show: (version: string) => Effect.Effect<ModelRecord, RegistryUnavailable | VersionUnknown>
    /** Newest first. */
    readonly list: (filter?: {
      readonly slot?: Slot
      readonly status?: ModelStatus
    }) => Effect.Effect<ReadonlyArray<ModelRow>, RegistryUnavailable>
    /** The version that is deployed in the slot now. */
    readonly champion: (slot: Slot) => Effect.Effect<Option.Option<ModelRow>, RegistryUnavailable>
    /** The move that decided who was champion of the slot at a time (milliseconds since the epoch). */
    readonly at: (slot: Slot, time: number) => Effect.Effect<Option.Option<AliasMove>, RegistryUnavailable>
    /** Every move of the slot's champion, oldest first. */
    readonly history: (slot: Slot) => Effect.Effect<ReadonlyArray<AliasMove>, RegistryUnavailable>
    /** What a task of a run did, by its idempotency key: for probes. */
    readonly doneBy: (key: string) => Effect.Effect<Histories, RegistryUnavailable>
    /** All rows of the histories: what a check against the ledger reads. */
    readonly histories: Effect.Effect<Histories, RegistryUnavailable>
    /** Rows of the histories that are not what was written. */
    readonly verify: Effect.Effect<ReadonlyArray<ChainProblem>, RegistryUnavailable>
    /** Messages that were not delivered yet, of one kind where it is named, oldest first. */
    readonly pendingOutbox: (
      limit: number,
      kind?: string,
    ) => Effect.Effect<ReadonlyArray<PendingMessage>, RegistryUnavailable>
    readonly markDelivered: (ids: ReadonlyArray<number>) => Effect.Effect<void, RegistryUnavailable>
    /**
     * Removes messages that were delivered before a time (milliseconds since the epoch), those of kind "signal" before one of
     * their own; answers with how many.
     */
    readonly sweepOutbox: (before: {
      readonly signals: number
      readonly others: number
    }) => Effect.Effect<number, RegistryUnavailable>
    /** Everything, as of one moment. */
    readonly copy: Effect.Effect<RegistryCopy, RegistryUnavailable>
    /** Puts a copy into an empty registry, all of it or nothing; where it holds that copy already it changes nothing. */
    readonly load: (copy: RegistryCopy) => Effect.Effect<void, RegistryUnavailable | RegistryNotEmpty>
  }
>()("dandori/services/ModelRegistry") {}
