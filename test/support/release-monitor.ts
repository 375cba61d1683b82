/** A change of the halt flag as Redis carried it out, or as it stands when somebody looks. Milliseconds since the epoch. */
export interface HaltSeen {
  readonly at: number
  readonly halted: boolean
}

/** A message on any channel, as far as it is looked at. */
export interface Published {
  readonly event?: string
  readonly version?: string
  readonly previous?: string | null
}

/** What `redis-cli MONITOR` hears, for as long as there is a server; it listens again when there is one again. */
export const make = (url: string) => {
  const halts: Array<HaltSeen> = []
  const published: Array<Published> = []
  /** When nobody listened. */
  const gaps: Array<{ readonly from: number; to: number }> = [{ from: Date.now(), to: Number.POSITIVE_INFINITY }]
  let over = false
  let child: Bun.Subprocess<"ignore", "pipe", "ignore"> | undefined
  const begun = Promise.withResolvers<void>()

  const hear = (line: string) => {
    const words = [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word]) => word ?? "")
    const at = Number(/^\d+\.\d+/.exec(line)?.[0] ?? Number.NaN) * 1_000
    const command = words[0]?.toUpperCase()
    // MONITOR escapes what JSON escapes as JSON does, and bytes that are no ASCII by their number.
    const text = () => JSON.parse(`"${words[2]?.replaceAll(/\\x[0-9a-f]{2}/g, "?")}"`)
    if (command === "PUBLISH") published.push(JSON.parse(text()))
    if (command !== "HSET" || words[1] !== "core:ops:flags") return
    const flag = words.indexOf("global_halt")
    if (flag > 0) halts.push({ at, halted: words[flag + 1] === "1" })
  }

  /** The flag as it stands: what has changed it while nobody listened is in its own note. */
  const stands = async () => {
    const text = await Bun.$`redis-cli -u ${url} --json HGETALL core:ops:flags`.quiet().nothrow().text()
    const { global_halt: halt, metadata } = text.trim().startsWith("{") ? JSON.parse(text) : {}
    if (halt === undefined) return
    halts.push({ at: Date.parse(JSON.parse(metadata).updated_at), halted: halt === "1" })
  }

  const listen = async () => {
    child = Bun.spawn(["redis-cli", "-u", url, "MONITOR"], { stdin: "ignore", stdout: "pipe", stderr: "ignore" })
    const decoder = new TextDecoder()
    let rest = ""
    for await (const chunk of child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n")
      rest = lines.pop() ?? ""
      for (const line of lines) {
        if (line.trim() === "OK") {
          for (const gap of gaps.slice(-1)) gap.to = Date.now()
          void stands().then(begun.resolve)
        } else hear(line)
      }
    }
    await child.exited
    if (gaps.at(-1)?.to !== Number.POSITIVE_INFINITY) gaps.push({ from: Date.now(), to: Number.POSITIVE_INFINITY })
  }
  const listening = (async () => {
    while (!over) {
      await listen()
      await Bun.sleep(20)
    }
  })()

  return {
    begun: begun.promise,
    published: published as ReadonlyArray<Published>,
    /** Whether the flag said halt at a time; undefined before it was first seen. */
    haltedAt: (at: number): boolean | undefined =>
      halts
        .filter((each) => each.at <= at)
        .toSorted((x, y) => x.at - y.at)
        .at(-1)?.halted,
    /** Whether nobody listened for a moment between two times. */
    missed: (from: number, to: number): boolean => gaps.some((gap) => gap.from - 1_000 <= to && gap.to >= from),
    stop: async () => {
      over = true
      child?.kill()
      await listening
    },
  }
}

export type Monitor = ReturnType<typeof make>
