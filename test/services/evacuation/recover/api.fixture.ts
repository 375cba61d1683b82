// An API for tests to bring up: `bun api.fixture.ts PORT FILE [WAIT_FOR]`. GET answers what FILE holds, POST makes a
// prediction; `/env` tells its environment. It answers 503 until the file WAIT_FOR is there.
import { existsSync, readFileSync } from "node:fs"

const [port, file, waitFor] = process.argv.slice(2)

const answer = async (request: Request): Promise<Response> => {
  if (waitFor !== undefined && !existsSync(waitFor)) return new Response("starting", { status: 503 })
  if (new URL(request.url).pathname === "/env") return Response.json(process.env)
  if (request.method === "GET") return new Response(readFileSync(file, "utf8"))
  const { features } = (await request.json()) as { readonly features?: ReadonlyArray<number> }
  return features === undefined ? new Response("no features", { status: 422 }) : Response.json({ p: 0.5 })
}

Bun.serve({ hostname: "127.0.0.1", port: Number(port), fetch: answer })
console.log("up")
