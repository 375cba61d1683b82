import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Artifact } from "../domain/artifact.ts"

/** The bytes of an artifact are missing, unreadable, or not what their digest says; or could not be stored. */
export class ArtifactError extends Schema.TaggedError<ArtifactError>()("ArtifactError", {
  sha256: Schema.String,
  reason: Schema.String,
  cause: Schema.optionalKey(Schema.Defect()),
}) {
  override get message() {
    return `Artifact ${this.sha256.slice(0, 12)}…: ${this.reason}`
  }
}

/** Content-addressed bytes: `sha256/ab/cdef…`. Bytes are durable when a `put` returns. */
export class Artifacts extends Context.Service<
  Artifacts,
  {
    readonly put: (
      name: string,
      mediaType: string,
      bytes: Uint8Array | string,
    ) => Effect.Effect<Artifact, ArtifactError>
    /** Stores a copy of a file (streamed). */
    readonly putFile: (name: string, mediaType: string, path: string) => Effect.Effect<Artifact, ArtifactError>
    /** The bytes, checked against the digest. */
    readonly get: (sha256: string) => Effect.Effect<Uint8Array, ArtifactError>
    /** Writes the bytes to a new file at `path`, checked against the digest. */
    readonly copyTo: (sha256: string, path: string) => Effect.Effect<void, ArtifactError>
    /** True when the bytes are there and have their digest. */
    readonly has: (sha256: string) => Effect.Effect<boolean>
    /** Where the bytes lie on this machine (read only). */
    readonly pathOf: (sha256: string) => string
  }
>()("dandori/services/Artifacts") {}
