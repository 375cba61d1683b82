import { join } from "node:path"
import * as Effect from "effect/Effect"

/** Binds a Unix datagram socket and says each datagram as one line of JSON, beginning with one that says it listens. */
const receiver = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
name = sys.argv[1]
s.bind("\\0" + name[1:] if name.startswith("@") else name)
print(json.dumps("listens"), flush=True)
while True:
    print(json.dumps(s.recv(65536).decode()), flush=True)
`

/** A program of its own that receives datagrams at a path or an abstract name, until the scope ends. */
export const receive = (name: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const child = Bun.spawn(["python3", "-c", receiver, name], { stdin: "ignore", stdout: "pipe", stderr: "inherit" })
      const lines = (async function* () {
        const decoder = new TextDecoder()
        let rest = ""
        for await (const chunk of child.stdout) {
          const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n")
          rest = parts.pop() ?? ""
          for (const line of parts) yield JSON.parse(line) as string
        }
      })()
      /** The next datagram. */
      const next = Effect.promise(async () => {
        const { done, value } = await lines.next()
        if (done === true) throw new Error("the receiver has ended")
        return value
      })
      await Effect.runPromise(next)
      return { child, next }
    }),
    ({ child }) =>
      Effect.promise(async () => {
        child.kill("SIGKILL")
        await child.exited
      }),
  )

/** A name of the abstract namespace, or a path in a folder. */
export const nameIn = (folder: string, abstract: boolean): string =>
  abstract ? `@dandori/test/${Bun.randomUUIDv7()}` : join(folder, "notify")
