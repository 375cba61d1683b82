import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"
import { RunId } from "../../domain/names.ts"
import type { Begun } from "./idempotency.ts"

/** What a client names a request by, so that it may send it again: at most 128 letters, digits and `._:-`. */
const Key = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9._:-]{1,128}$/u))

/** The header of requests that begin a run. */
export const keyed = { "idempotency-key": Schema.optionalKey(Key) }

const begun = Schema.Struct({ run: RunId, isNew: Schema.Boolean })

/** A run that is there under a key that was used before. */
export const Known = begun.annotate({ identifier: "KnownRun" })
/** A run that was created. */
export const Created = begun.annotate({ identifier: "CreatedRun" }).pipe(HttpApiSchema.status(201))

/** The answer to a request that begins a run. */
export const answerOf = ({ isNew, run }: Begun): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe({ run, isNew }, { status: isNew ? 201 : 200 })
