import * as Context from "effect/Context"
import type { Sections } from "../domain/config/sections.ts"
import type { EnvironmentName } from "../domain/names.ts"
import type { Sha256 } from "../domain/sha256.ts"

/** The resolved configuration of one environment: base with the environment's files over it. Secrets stay references. */
export class Settings extends Context.Service<
  Settings,
  {
    readonly env: EnvironmentName
    readonly sections: Sections
    /** SHA-256 over the canonical JSON of a section: what cache keys and receipts name as policy. */
    readonly digest: (section: keyof Sections) => Sha256
  }
>()("dandori/services/Settings") {}
