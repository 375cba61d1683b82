/** Draws a whole number from 0 to `max`. */
export type Draw = (max: number) => number

const texts = [
  "plain words",
  "it's",
  "a: b",
  "# no comment",
  "x #y",
  "x # y",
  "- a",
  "-flag",
  "yes",
  "2025-01",
  "10",
  "0x1F",
  "1e3",
  "null",
  " lead",
  "trail ",
  "two\nlines",
  "two\n\n  paragraphs\n",
  "\nstarts with a break",
  "ends with three\n\n\n",
  "  indented\nblock",
  "tab\there",
  "${HOME} costs $5",
  "`tick` \\d{4} \\n",
  "é 段取り 😀",
  "{a}",
  "[b",
  "a, b",
  '"q"',
  "*x",
  "&y",
  "!z",
  "%w",
  "@v",
  "|",
  ">",
  "?",
  "-",
  "---",
  "... and so on",
  ":",
  "a:",
  "bell \u0007",
  "line\u2028separator",
  "${env:TOKEN}",
  "a long text that goes on and on and on, ".repeat(4),
]
const expressions = [
  "params.name",
  "params.count",
  "params.list",
  "run.id",
  "run.pipeline",
  "env.SERVICE_ENV",
  'params.count > 3 ? "many" : "few"',
  'params.name + "}}"',
  "size(params.list)",
  '{"a": params.name}.a',
]
const words = ["params.name", "run.id", "run.pipeline", "env.SERVICE_ENV", expressions[6]]

/** The same value with the keys of its maps in another order; lists stay. */
const shuffled = <A>(draw: Draw, entries: ReadonlyArray<A>): ReadonlyArray<A> => {
  const rest = [...entries]
  return entries.map(() => rest.splice(draw(rest.length - 1), 1)[0])
}

/** A pipeline document that compiles, of simple task types, with awkward texts, expressions and settings. */
export const document = (draw: Draw): Record<string, unknown> => {
  const pick = <A>(list: ReadonlyArray<A>): A => list[draw(list.length - 1)]
  const maybe = <A extends object>(part: () => A): A | object => (draw(3) === 0 ? part() : {})
  const reference = (known: ReadonlyArray<string>): string =>
    known.length > 0 && draw(1) === 0 ? `tasks.${pick(known)}.stdout` : pick(words)
  const text = (known: ReadonlyArray<string>): string => {
    if (draw(2) > 0) return pick(texts)
    if (draw(1) === 0) return `\${{ ${reference(known)} }}`
    return `${pick(texts)}\${{${pick(["params.count", reference(known)])}}} and \${{ ${reference(known)} }}`
  }
  const json = (known: ReadonlyArray<string>, depth: number): unknown => {
    const kind = draw(depth > 2 ? 5 : 8)
    if (kind === 0) return draw(1000)
    if (kind === 1) return draw(1) === 0
    if (kind === 2) return null
    if (kind === 3) return draw(100) / 8 - 5
    if (kind === 4) return draw(3) === 0 ? `\${{ ${pick(expressions)} }}` : text(known)
    if (kind < 7) return Array.from({ length: draw(3) }, () => json(known, depth + 1))
    return map(known, depth)
  }
  const map = (known: ReadonlyArray<string>, depth: number): Record<string, unknown> =>
    Object.fromEntries(
      Array.from({ length: draw(3) }, () => [
        pick(["a", "b", "odd key", "it's", "on", "1", "x-y", "a, b", "# k", "long_key_".repeat(6)]),
        json(known, depth + 1),
      ]),
    )
  const input = (uses: string, known: ReadonlyArray<string>): Record<string, unknown> => {
    if (uses === "notify") {
      return { channel: "ml-ops", text: text(known), ...maybe(() => ({ severity: pick(["info", "critical"]) })) }
    }
    if (uses === "worm-append") return { recordType: "retrain", payload: map(known, 0) }
    return {
      argv: ["echo", ...Array.from({ length: draw(4) }, () => text(known))],
      ...maybe(() => ({ env: { A: text(known), LONG_NAME: text([]) } })),
      ...maybe(() => ({ stdin: text(known) })),
      ...maybe(() => ({ expectExit: [0, draw(5) + 1] })),
      ...maybe(() => ({ grace: pick(["5s", "1 minute", "PT2M"]), memory: "1GiB" })),
      effects: pick(["idempotent", "once", "pure"]),
    }
  }
  const readable: Array<string> = []
  const ids: Array<string> = []
  const task = (id: string, block: string): readonly [string, unknown] => {
    const uses = pick(["command", "command", "notify", "worm-append"])
    const condition = block === "tasks" && draw(4) > 0 ? undefined : pick(conditions(block, readable))
    const known = condition === undefined && block === "tasks" ? readable : []
    const matrix = uses === "command" && block === "tasks" && draw(3) === 0
    const given = input(uses, known)
    const axes = pick([{ n: [1, 2] }, { n: ["a", "b c"], odd: [true] }, { n: "${{ params.list }}" }])
    const parts: Record<string, unknown> = {
      uses,
      with: matrix ? { ...given, argv: ["echo", "${{ matrix.n }} of ${{ params.name }}"] } : given,
      ...(matrix ? { matrix: { values: axes, "fail-fast": draw(1) === 0, "max-parallel": draw(4) + 1 } } : {}),
      ...maybe(() => (matrix ? {} : { approval: { approvers: 2, timeout: "4h" }, priority: draw(9) })),
      ...maybe(() => ({ labels: ["gpu"], pauseUntil: { reason: "it's early", until: "2026-01-05T22:00:00Z" } })),
      ...maybe(() => (block === "tasks" && ids.length > 0 ? { needs: pick([[pick(ids)], pick(ids)]) } : {})),
      ...(condition === undefined ? {} : { if: condition }),
      ...maybe(() => ({ retry: { attempts: draw(4) + 1, on: ["TimedOut"], backoff: { initial: "90s" } } })),
      ...maybe(() => ({ timeout: pick(["5m", "2 hours"]), heartbeat: pick(["30s", "PT1M"]) })),
      ...maybe(() => ({ resources: { cpu: 0.5, memory: "2GiB", pools: { gpu_pool: 1 }, locks: ["a/b", "c: d"] } })),
      ...maybe(() => ({ description: pick(texts) })),
      ...maybe(() => (block === "tasks" ? {} : { continueOnError: true })),
    }
    if (block === "tasks") {
      ids.push(id)
      if (uses === "command" && !matrix) readable.push(id)
    }
    return [id, Object.fromEntries(shuffled(draw, Object.entries(parts)))]
  }
  const names = [
    "seed",
    "command",
    "task",
    "run_it",
    "when",
    "a_b",
    "a__b",
    "class",
    "params",
    "pipeline",
    "env",
    "has",
  ]
  const tasks = names.slice(0, draw(5) + 1 + draw(6)).map((id) => task(id, "tasks"))
  const handlers = (block: string) =>
    maybe(() => ({ [block]: Object.fromEntries([task(`${block.toLowerCase()}_x`, block)]) }))
  const parts = {
    version: 1,
    id: "random",
    ...maybe(() => ({ description: pick(texts) })),
    params: {
      name: { type: "string", pattern: "^[^{}]*$", default: pick(texts.filter((text) => !/[{}]/.test(text))) },
      count: { type: "integer", minimum: 0, default: draw(9) },
      list: { type: "array", items: { type: "string" }, default: ["a", "b"], description: pick(texts) },
    },
    env: ["SERVICE_ENV"],
    ...maybe(() => ({ timeout: "2h", audit: "required" })),
    ...maybe(() => ({ concurrency: { group: "retrain", limit: 1, onConflict: "queue" } })),
    ...maybe(() => ({ defaults: { retry: { attempts: 2, backoff: { factor: 1.5, jitter: "none" } } } })),
    ...maybe(() => ({ defaults: { heartbeat: "90s" } })),
    tasks: Object.fromEntries(shuffled(draw, tasks)),
    ...handlers("onFailure"),
    ...handlers("finally"),
  }
  return Object.fromEntries(shuffled(draw, Object.entries(parts)))
}

const conditions = (block: string, ids: ReadonlyArray<string>): ReadonlyArray<string | undefined> => [
  undefined,
  "params.count > 3",
  "${{ params.count == 3 }}",
  'params.name != "it\'s"',
  "params.name == 'x' && size(params.list) > 0",
  "true",
  ...(block === "tasks" ? [] : ['run.status != "succeeded"', '${{ run.status == "failed" }}']),
  ...(ids.length === 0 || block !== "tasks" ? [] : [`tasks.${ids[0]}.status == "succeeded"`]),
]
