import * as Sample from "./sample-project.ts"
import * as Crashes from "./release-crashes.ts"
import * as Commits from "./release-commits.ts"
import * as End from "./release-end.ts"
import * as Monitor from "./release-monitor.ts"
import * as Place from "./release-place.ts"
import * as Steps from "./release-steps.ts"
import * as Watch from "./release-watch.ts"

/** How a trial goes: after so many crashes it lets the run that is under way end. */
export interface Trial {
  readonly crashes: number
  readonly seed: number
  /** What crashes: by default Dandori's processes and all servers. */
  readonly kinds?: ReadonlyArray<Crashes.Crash["what"]>
  /** So many releases and rollbacks at least, by default a release, a release and a rollback. */
  readonly steps?: number
  /** Breaks a promise before the end is looked at: a trial that finds nothing then is worth nothing. */
  readonly spoil?: (place: Place.Place, watch: Watch.Watch) => Promise<void>
  readonly say?: (line: string) => void
}

/** What the crashes of a trial came to. `faults` is empty when every promise holds. */
export interface Tally extends Crashes.Crashed {
  readonly seconds: number
  releases: number
  rollbacks: number
  /** Of those, runs that a server's absence made fail: the model that was live stays. */
  failed: number
  calls: number
  /** Calls that began nothing because the database was away. */
  refused: number
  looks: number
  /** Errors of attempts, by task and tag. */
  readonly errors: Readonly<Record<string, number>>
  readonly found: End.Found | undefined
  readonly faults: ReadonlyArray<string>
}

/** So many faults are enough to look at. */
const mostFaults = 30

/**
 * Releases gated versions of one slot and rolls them back while the processes and servers that do it are killed, stopped
 * and started. A reader that knows the tables and the files alone looks all the time.
 */
export const campaign = async ({
  crashes: most,
  say = () => {},
  seed,
  kinds = Crashes.usual,
  spoil,
  steps: least = 3,
}: Trial): Promise<Tally> => {
  const began = performance.now()
  const faults: Array<string> = []
  const fault = (what: string) => {
    if (faults.length >= mostFaults || faults.includes(what)) return
    faults.push(what)
    say(`FAULT at ${new Date().toISOString()}: ${what}`)
  }
  const place = await Place.open()
  const watch = Watch.make(place, fault)
  const monitor = Monitor.make(place.redis)
  const crashes = Crashes.make(place, seed, kinds, most)
  const steps = Steps.make(watch, crashes, fault)
  /** Runs that let a version pass, by version. */
  const gated = new Map<string, string>()

  const gate = async () => {
    const said = await Sample.dandori(place.project, "run", "gated", "--json", "--param", `seed=${gated.size}`)
    const [run, version] = [/"run":"([0-9a-f-]{36})"/, /"version":"(\d{8}_\d{4}_[0-9a-f]{8})"/].map(
      (each) => each.exec(said.out)?.[1],
    )
    if (said.code !== 0 || run === undefined || version === undefined)
      throw new Error(`no gated version: ${said.code} ${said.out.slice(-2_000)}${said.err}`)
    gated.set(version, run)
  }

  const one = async (number: number) => {
    const { move, versions } = await watch.now()
    const statusOf = (version: string | null | undefined) => versions.find((row) => row.version === version)?.status
    const wantsBack = number % 3 === 2 && statusOf(move?.from_version) === "archived"
    const choice = () => Steps.releasable(gated, versions)
    if (!wantsBack) while (choice().length === 0) await gate()
    if (crashes.draw(3) === 0) {
      place.chat.script(
        "/services/",
        [["reset", { status: 503 }, "truncate"] as const].flatMap((all) => all[crashes.draw(3)] ?? []),
      )
    }
    const ended = await steps.step(number, wantsBack ? undefined : choice()[crashes.draw(choice().length)])
    await watch.now()
    say(
      `step ${number}: ${ended?.pipeline} ${ended?.status}, ${crashes.crashed.total} of ${most} crashes, ${watch.seen.looks} looks`,
    )
  }

  let found: End.Found | undefined
  try {
    await monitor.begun
    await gate()
    await Commits.install(watch)
    for (let number = 0; (crashes.left() > 0 || number < least) && faults.length === 0; number++) await one(number)
    await crashes.settled()
    await spoil?.(place, watch)
    found = await End.check({ place, watch, monitor, steps, fault })
  } catch (cause) {
    fault(`the trial itself: ${cause instanceof Error ? cause.stack : String(cause)}`)
  }
  await Promise.all([watch.stop(), monitor.stop()])
  const keep = faults.length > 0 && spoil === undefined
  if (keep) say(`kept: ${place.project.folder} and ${place.folder}`)
  await place.close(keep)
  const count = (pipeline: string) => steps.ended.filter((each) => each.pipeline === pipeline).length
  return {
    ...crashes.crashed,
    seconds: Math.round((performance.now() - began) / 1_000),
    releases: count("release"),
    rollbacks: count("rollback"),
    failed: steps.ended.filter(({ status }) => status === "failed").length,
    calls: steps.calls.all,
    refused: steps.calls.refused,
    looks: watch.seen.looks,
    errors: steps.errors,
    found,
    faults,
  }
}
