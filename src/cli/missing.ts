import * as Schema from "effect/Schema"
import { exitCodes } from "./exit-code.ts"

/** What a command was asked about is not there. `what` is a sentence, `next` what to do. */
export class Missing extends Schema.TaggedError<Missing>()("Missing", { what: Schema.String, next: Schema.String }) {
  readonly exitCode = exitCodes.noInput
  override get message() {
    return `${this.what}. ${this.next}`
  }
}
