import * as Fs from "node:fs/promises"
import { connect } from "node:net"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Durable from "./durable-files.ts"

/** A daemon answers at the socket already. */
export class SocketTaken extends Schema.TaggedError<SocketTaken>()("SocketTaken", { path: Schema.String }) {
  override get message() {
    return "another daemon of this project listens there"
  }
}

/** The local socket of a project's daemon; `home` is the project's. */
export const daemonIn = (home: string): string => join(home, "daemon.sock")

/** Longest path of a socket, bytes (`sun_path` of unix(7), with its end). */
export const longestPath = 107

/** Whether a process answers at a socket. */
export const answers = (path: string): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const socket = connect(path)
    const told = (is: boolean) => {
      socket.destroy()
      resume(Effect.succeed(is))
    }
    socket.once("connect", () => told(true))
    socket.once("error", () => told(false))
    return Effect.sync(() => socket.destroy())
  })

/** Removes a socket that a process left which is gone. */
export const clear = Effect.fnUntraced(function* (path: string) {
  if (yield* answers(path)) return yield* new SocketTaken({ path })
  yield* Durable.attempt("remove", path, () => Fs.rm(path, { force: true }))
})

/** Lets nobody but its owner open a socket. */
export const close = (path: string): Effect.Effect<void, Durable.FileFailed> =>
  Durable.attempt("change the mode of", path, () => Fs.chmod(path, 0o600))
