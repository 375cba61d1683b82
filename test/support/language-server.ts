import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"

const program = fileURLToPath(
  new URL("../../node_modules/yaml-language-server/bin/yaml-language-server", import.meta.url),
)

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: unknown
  readonly result?: unknown
}

/** Takes messages of the Language Server Protocol (base protocol, section "Header Part") out of a stream of bytes. */
const reader = (take: (message: Message) => void) => {
  let buffer = Buffer.alloc(0)
  return (bytes: Uint8Array) => {
    buffer = Buffer.concat([buffer, bytes])
    while (true) {
      const header = buffer.indexOf("\r\n\r\n")
      if (header === -1) return
      const length = Number(/Content-Length: (\d+)/i.exec(buffer.subarray(0, header).toString())?.[1])
      if (buffer.length < header + 4 + length) return
      take(JSON.parse(buffer.subarray(header + 4, header + 4 + length).toString()))
      buffer = buffer.subarray(header + 4 + length)
    }
  }
}

/** The language server that editors use for YAML, with the settings of a project's editor. */
export interface LanguageServer {
  /** Labels that are offered at the end of a text that stands in a file of the project. */
  readonly complete: (file: string, text: string) => Effect.Effect<ReadonlyArray<string>>
  /** What is wrong with a text that stands in a file of the project. */
  readonly problems: (file: string, text: string) => Effect.Effect<ReadonlyArray<string>>
}

/** Starts the server for a project folder; `settings` are those of `.vscode/settings.json`. */
export const start = (folder: string, settings: Readonly<Record<string, unknown>>) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const child = Bun.spawn([process.execPath, program, "--stdio"], { cwd: folder, stdin: "pipe", stdout: "pipe" })
      const answers = new Map<number, (result: unknown) => void>()
      const diagnosed = new Map<string, (problems: ReadonlyArray<string>) => void>()
      let last = 0
      const send = (message: object) => {
        const body = JSON.stringify({ jsonrpc: "2.0", ...message })
        child.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
        child.stdin.flush()
      }
      const request = (method: string, params: unknown): Promise<unknown> => {
        const id = ++last
        send({ id, method, params })
        return new Promise((resolve) => answers.set(id, resolve))
      }
      /** `a.b` of the settings, whose keys are written with dots. */
      const section = (name = ""): unknown => {
        const inner = Object.entries(settings).flatMap(([key, value]) =>
          key.startsWith(`${name}.`) ? [[key.slice(name.length + 1), value]] : [],
        )
        return Object.fromEntries(inner)
      }
      const take = ({ id, method, params, result }: Message) => {
        if (method === undefined) return answers.get(id ?? 0)?.(result)
        if (method === "textDocument/publishDiagnostics") {
          const { uri, diagnostics } = params as { uri: string; diagnostics: ReadonlyArray<{ message: string }> }
          diagnosed.get(uri)?.(diagnostics.map(({ message }) => message))
        }
        if (id === undefined) return
        const items = (params as { items?: ReadonlyArray<{ section?: string }> } | undefined)?.items
        send({ id, result: items?.map((item) => section(item.section)) ?? null })
      }
      const feed = reader(take)
      const pumped = (async () => {
        for await (const bytes of child.stdout) feed(bytes)
      })()
      const rootUri = pathToFileURL(folder).href
      await request("initialize", {
        processId: process.pid,
        rootUri,
        workspaceFolders: [{ uri: rootUri, name: "project" }],
        capabilities: { workspace: { configuration: true, workspaceFolders: true }, textDocument: { completion: {} } },
      })
      send({ method: "initialized", params: {} })
      let opened = 0
      const open = (file: string, text: string) => {
        const uri = pathToFileURL(join(folder, file.replace(/(\.\w+)$/, `-${++opened}$1`))).href
        const problems = new Promise<ReadonlyArray<string>>((resolve) => diagnosed.set(uri, resolve))
        send({
          method: "textDocument/didOpen",
          params: { textDocument: { uri, languageId: "yaml", version: 1, text } },
        })
        return { uri, problems }
      }
      const server: LanguageServer = {
        complete: (file, text) =>
          Effect.promise(async () => {
            const { uri, problems } = open(file, text)
            await problems
            const lines = text.split("\n")
            const position = { line: lines.length - 1, character: lines.at(-1)?.length ?? 0 }
            const found = await request("textDocument/completion", { textDocument: { uri }, position })
            const { items } = found as { readonly items: ReadonlyArray<{ readonly label: string }> }
            return items.map(({ label }) => label)
          }),
        problems: (file, text) => Effect.promise(() => open(file, text).problems),
      }
      return { child, pumped, server }
    }),
    ({ child, pumped }) =>
      Effect.promise(async () => {
        child.kill()
        await child.exited
        await pumped
      }),
  ).pipe(Effect.map(({ server }) => server))
