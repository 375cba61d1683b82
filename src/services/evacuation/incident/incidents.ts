import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "../../../domain/canonical-json.ts"
import { Incident, IncidentCall, type IncidentId } from "../../../domain/incident.ts"
import * as Durable from "../../durable-files.ts"
import * as LineFile from "../../line-file.ts"

/** There is no incident of this id here, or its record cannot be read. */
export class IncidentMissing extends Schema.TaggedError<IncidentMissing>()("IncidentMissing", {
  id: Schema.String,
  folder: Schema.String,
  reason: Schema.String,
}) {
  readonly notApplied = true
  override get message() {
    return `The incident ${this.id} is not in ${this.folder}: ${this.reason}`
  }
}

/**
 * The folder of one incident. It can be read at any time while the evacuation runs:
 *
 *     incident.json      what it is                          captures/          evidence that was captured
 *     call.json          what the newest call asked for      collected.ndjson   how each collector ended
 *     inventory.ndjson   files that are to be taken          not-taken.ndjson   what was seen and is not
 *     stopped.json       what was stopped                    pushed.ndjson      what the destination confirmed
 *     bundles/           the bundles' own files              recovered.json     what was brought up
 *     sealed.json        that it is complete               report.md .html    the post-mortem record
 */
export interface IncidentFolder {
  readonly path: string
  readonly incident: Incident
  readonly call: IncidentCall
}

/** Where the incidents of this machine lie. */
export class Incidents extends Context.Service<
  Incidents,
  {
    /** Folder of the incidents' folders. */
    readonly root: string
    /** The project's `.dandori`, where its cordons, ledger and models lie; it may be broken. */
    readonly projectHome: string
    /** The incident of an id that was opened before. */
    readonly find: (id: IncidentId) => Effect.Effect<IncidentFolder, IncidentMissing>
    /** Opens an incident, or finds the one of this id as it was opened. Durable on return. */
    readonly open: (
      incident: Incident,
      call: IncidentCall,
    ) => Effect.Effect<IncidentFolder, Durable.FileFailed | IncidentMissing>
  }
>()("dandori/services/evacuation/Incidents") {}

const decodeIncident = Schema.decodeUnknownOption(Schema.fromJsonString(Incident))
const decodeCall = Schema.decodeUnknownOption(Schema.fromJsonString(IncidentCall))

/** Writes a JSON document of an incident, whole or not at all. */
export const writeDocument = (
  folder: string,
  name: string,
  value: Schema.Json,
): Effect.Effect<void, Durable.FileFailed> =>
  Durable.writeFileDurably(join(folder, name), `${CanonicalJson.encode(value)}\n`)

/** A JSON document of an incident; None where it is not there, or cannot be read as one. */
export const readDocument = <A>(
  folder: string,
  name: string,
  schema: Schema.Codec<A, any>,
): Effect.Effect<Option.Option<A>> =>
  Durable.attempt("read", join(folder, name), () => Fs.readFile(join(folder, name), "utf8")).pipe(
    Effect.map(Schema.decodeUnknownOption(Schema.fromJsonString(schema))),
    Effect.orElseSucceed(() => Option.none()),
  )

/** Adds lines to one of an incident's lists; durable on return. */
export const addLines = (
  folder: string,
  name: string,
  lines: ReadonlyArray<Schema.Json>,
): Effect.Effect<void, Durable.FileFailed> =>
  lines.length === 0 ? Effect.void : LineFile.append(join(folder, name), lines.map(CanonicalJson.encode))

/** The lines of one of an incident's lists, in order; a line that a crash has torn is left out. */
export const readLines = <A>(
  folder: string,
  name: string,
  schema: Schema.Codec<A, any>,
): Effect.Effect<ReadonlyArray<A>, Durable.FileFailed> => {
  const decode = Schema.decodeUnknownOption(Schema.fromJsonString(schema))
  const path = join(folder, name)
  return Durable.attempt("read", path, () => Fs.readFile(path, "utf8")).pipe(
    Effect.catchIf(
      ({ code }) => code === "ENOENT",
      () => Effect.succeed(""),
    ),
    Effect.map((text) => text.split("\n").flatMap((line) => Option.toArray(decode(line)))),
  )
}

const make = (root: string, projectHome: string) => {
  const pathOf = (id: IncidentId) => join(root, id)
  const find = Effect.fnUntraced(function* (id: IncidentId) {
    const path = pathOf(id)
    const text = (name: string) =>
      Durable.attempt("read", join(path, name), () => Fs.readFile(join(path, name), "utf8")).pipe(
        Effect.mapError((error) => new IncidentMissing({ id, folder: root, reason: error.message })),
      )
    const incident = decodeIncident(yield* text("incident.json"))
    if (Option.isNone(incident))
      return yield* new IncidentMissing({ id, folder: root, reason: "its record is damaged" })
    const call = Option.getOrElse(decodeCall(yield* text("call.json")), () => ({ began: incident.value.opened }))
    return { path, incident: incident.value, call }
  })
  return Incidents.of({
    root,
    projectHome,
    find,
    open: Effect.fnUntraced(function* (incident, call) {
      const path = pathOf(incident.id)
      yield* Durable.makeFolderDurably(join(path, "captures"), { mode: 0o700 })
      yield* writeDocument(path, "call.json", call)
      yield* Durable.writeNewFileDurably(join(path, "incident.json"), `${CanonicalJson.encode(incident)}\n`).pipe(
        Effect.catchIf(
          ({ code }) => code === "EEXIST",
          () => Effect.void,
        ),
      )
      return yield* find(incident.id)
    }),
  })
}

export const layer = (options: { readonly root: string; readonly projectHome: string }): Layer.Layer<Incidents> =>
  Layer.succeed(Incidents, make(options.root, options.projectHome))
