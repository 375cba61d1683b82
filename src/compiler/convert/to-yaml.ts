import * as Result from "effect/Result"
import { stringify } from "yaml"
import type * as Diagnostic from "../diagnostic.ts"
import { format } from "../format/format.ts"

/** A pipeline in YAML, from its document; formatted. `file` names it in messages. */
export const toYaml = (file: string, document: unknown): Result.Result<string, Diagnostic.PipelineInvalid> =>
  format(file, stringify(document, { version: "1.2", schema: "core", lineWidth: 0, aliasDuplicateObjects: false }))
