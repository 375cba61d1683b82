import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Sha256 } from "../domain/sha256.ts"

/** An object could not be read or written, or its bytes are not what was sent. */
export class ObjectStoreError extends Schema.TaggedError<ObjectStoreError>()("ObjectStoreError", {
  location: Schema.String,
  key: Schema.String,
  reason: Schema.String,
  transient: Schema.Boolean,
  /** True when the store has certainly changed nothing. */
  notApplied: Schema.optionalKey(Schema.Boolean),
  cause: Schema.optionalKey(Schema.Defect()),
}) {
  override get message() {
    return `${this.location}${this.key === "" ? "" : `/${this.key}`}: ${this.reason}`
  }
}

/** There is an object under this key already, with other bytes. */
export class ObjectExists extends Schema.TaggedError<ObjectExists>()("ObjectExists", {
  location: Schema.String,
  key: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `${this.location}/${this.key} exists with other bytes and is not replaced`
  }
}

/** What a store knows of an object. */
export interface ObjectInfo {
  readonly key: string
  readonly bytes: number
  readonly sha256: Sha256
}

/** A lock that keeps an object's bytes from being removed until then. Whoever has the right to may lift GOVERNANCE. */
export interface ObjectLock {
  readonly mode: "GOVERNANCE" | "COMPLIANCE"
  readonly until: Date
}

/** How an object is stored. */
export interface PutOptions {
  /** A class of the server's, like GLACIER_IR. A folder has only one. */
  readonly storageClass?: string
  /** A store that has no locks refuses. */
  readonly lock?: ObjectLock
}

/** A version of an object, or a marker that stands for its removal. */
export interface ObjectVersion {
  readonly key: string
  readonly version: string
  readonly isMarker: boolean
}

/** What a bucket keeps of objects that were replaced or removed, and what it would need to lose them. */
export interface Versions {
  /** Every version of the objects whose key begins so, by key, the oldest first. */
  readonly list: (prefix: string) => Effect.Effect<ReadonlyArray<ObjectVersion>, ObjectStoreError>
  readonly get: (key: string, version: string) => Effect.Effect<Uint8Array, ObjectStoreError>
  readonly lockOf: (key: string, version: string) => Effect.Effect<Option.Option<ObjectLock>, ObjectStoreError>
  /** True where the bucket keeps versions and where it has Object Lock. */
  readonly rules: Effect.Effect<{ readonly versioning: boolean; readonly lock: boolean }, ObjectStoreError>
  /** Puts bytes over what is there; answers with the version's id. Only a probe does this. */
  readonly overwrite: (key: string, bytes: Uint8Array, lock?: ObjectLock) => Effect.Effect<string, ObjectStoreError>
  /** Removes one version, or all by a marker. `bypass`: also one whose lock this user may lift. Only a probe does this. */
  readonly remove: (
    key: string,
    options: { readonly version?: string; readonly bypass?: boolean },
  ) => Effect.Effect<void, ObjectStoreError>
}

/** One place for objects: a directory, or (by configuration) a bucket. Keys are relative, `/`-separated. */
export interface Store {
  /** `file:///abs/dir` or `s3://bucket/prefix`, for messages and manifests. */
  readonly location: string
  /** Stores a file under the key unless the same bytes are there; other bytes there are a conflict. Durable on return. */
  readonly putFile: (
    key: string,
    path: string,
    options?: PutOptions,
  ) => Effect.Effect<ObjectInfo, ObjectStoreError | ObjectExists>
  readonly put: (
    key: string,
    bytes: Uint8Array,
    options?: PutOptions,
  ) => Effect.Effect<ObjectInfo, ObjectStoreError | ObjectExists>
  readonly get: (key: string) => Effect.Effect<Uint8Array, ObjectStoreError>
  readonly copyTo: (key: string, path: string) => Effect.Effect<ObjectInfo, ObjectStoreError>
  /** Reads the bytes and digests them. */
  readonly info: (key: string) => Effect.Effect<Option.Option<ObjectInfo>, ObjectStoreError>
  readonly list: (prefix: string) => Effect.Effect<ReadonlyArray<string>, ObjectStoreError>
  /** Of a bucket only. */
  readonly versions?: Versions
}

/** Opens stores by location: a path or a `file:` URL; other schemes by configuration. */
export class ObjectStore extends Context.Service<
  ObjectStore,
  { readonly open: (location: string) => Effect.Effect<Store, ObjectStoreError> }
>()("dandori/services/ObjectStore") {}
