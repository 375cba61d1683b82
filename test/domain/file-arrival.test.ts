import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as FileArrival from "../../src/domain/file-arrival.ts"

const stable: FileArrival.Complete = { by: "stability", millis: 10 }
const names = ["a.csv", "b c.csv", "d\ne.csv"]

type Op =
  | { readonly do: "write" | "rewrite" | "replace" | "remove" | "chmod"; readonly path: string }
  | { readonly do: "rename"; readonly path: string; readonly to: string }
  | { readonly do: "look"; readonly room: number }
  | { readonly do: "pass"; readonly millis: number }
  | { readonly do: "restart" | "remount" }

const path = fc.constantFrom(...names)
const content = fc.record({ do: fc.constantFrom("write", "rewrite", "replace", "remove"), path })
const time = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("look" as const), room: fc.constantFrom(0, 1, 9, 9, 9) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("pass" as const), millis: fc.constantFrom(0, 4, 12, 12) }) },
  { weight: 1, arbitrary: fc.constant({ do: "restart" } as const) },
)
/** A disk that keeps its numbers, whatever people do on it; and one that numbers anew at each mount. */
const disk = fc.oneof(
  { weight: 10, arbitrary: time },
  content,
  fc.record({ do: fc.constant("chmod" as const), path }),
  fc.record({ do: fc.constant("rename" as const), path, to: path }),
)
const mounted = fc.oneof({ weight: 6, arbitrary: time }, content, fc.constant({ do: "remount" } as const))
const history: fc.Arbitrary<ReadonlyArray<Op>> = fc.oneof(
  fc.array(disk, { maxLength: 120, size: "max" }),
  fc.array(mounted, { maxLength: 120, size: "max" }),
) as fc.Arbitrary<ReadonlyArray<Op>>

/** A folder whose files have contents that the watch cannot see, and what somebody who can see them expects of it. */
class World {
  now = 1_000
  #time = 5_000_000_000n
  #number = 0
  readonly #files = new Map<string, FileArrival.ListedFile & { readonly content: number }>()
  readonly #seen = new Map<string, { readonly content: number; readonly since: number }>()
  readonly #taken = new Map<string, number>()
  readonly #keys = new Map<string, number>()
  /** What is durable: that, and no more, outlives a restart. */
  readonly #remembered = new Map<string, FileArrival.ListedFile>()
  state = FileArrival.begin([])

  #tick() {
    this.now++
    return String((this.#time += 1_000_000n))
  }

  do(op: Op) {
    switch (op.do) {
      case "pass":
        return void (this.now += op.millis)
      case "look":
        return this.#look(op.room)
      case "restart":
        this.#seen.clear()
        return void (this.state = FileArrival.resume(this.#remembered.values()))
      case "remount":
        for (const [at, file] of this.#files) this.#files.set(at, { ...file, inode: String(++this.#number) })
        return
    }
    const at = this.#tick()
    const file = this.#files.get(op.path)
    const anew = { content: ++this.#number, path: op.path, modified: at, changed: at }
    if (op.do === "write") {
      this.#files.set(op.path, { ...anew, size: (file?.size ?? 0) + 1, inode: file?.inode ?? String(++this.#number) })
    }
    if (file === undefined) return
    if (op.do === "remove") this.#files.delete(op.path)
    if (op.do === "chmod") this.#files.set(op.path, { ...file, changed: at })
    if (op.do === "rewrite") this.#files.set(op.path, { ...file, ...anew })
    if (op.do === "replace") {
      this.#files.set(op.path, { ...file, content: anew.content, changed: at, inode: String(++this.#number) })
    }
    if (op.do === "rename" && op.to !== op.path) {
      this.#files.delete(op.path)
      this.#files.set(op.to, { ...file, path: op.to, changed: at })
    }
  }

  #look(room: number) {
    const expected: Array<string> = []
    for (const [at, { content }] of this.#files) {
      const seen = this.#seen.get(at)
      const since = seen?.content === content ? seen.since : this.now
      this.#seen.set(at, { content, since })
      if (this.now - since >= 10 && this.#taken.get(at) !== content) expected.push(at)
    }
    for (const at of this.#seen.keys()) if (!this.#files.has(at)) this.#seen.delete(at)
    const found = FileArrival.look(this.state, [...this.#files.values()], this.now, stable)
    assert.deepStrictEqual(found.arrived.map(({ file }) => file.path).toSorted(), expected.toSorted())
    const taken = found.arrived.slice(0, room)
    for (const { file, key } of taken) {
      const { content = 0 } = this.#files.get(file.path) ?? {}
      this.#taken.set(file.path, content)
      assert.strictEqual(this.#keys.get(key) ?? content, content, "two contents have one key")
      this.#keys.set(key, content)
      this.#remembered.set(file.path, file)
    }
    this.state = FileArrival.take(found.state, taken)
    const { gone, open, taken: held } = this.state
    assert.isAtMost(open.size, this.#files.size)
    assert.isAtMost(held.size, this.#files.size)
    assert.isAtMost(gone.size, names.length)
  }
}

const file = (given: Partial<FileArrival.ListedFile> = {}): FileArrival.ListedFile => ({
  path: "a.csv",
  size: 3,
  modified: "100",
  changed: "100",
  inode: "7",
  ...given,
})
const empty = FileArrival.begin([])

describe("arrival of files", () => {
  it("takes each complete file once, whatever is written, renamed, replaced and removed, over restarts and mounts", () => {
    fc.assert(
      fc.property(history, (ops) => {
        const world = new World()
        for (const op of ops) world.do(op)
      }),
      { numRuns: 2_000 },
    )
  })

  it("knows a file again after any number of mounts and changes of its mode, as long as it looks between them", () => {
    let { state } = FileArrival.look(FileArrival.begin([file()]), [file()], 0, { by: "rename" })
    for (let nth = 1; nth <= 5; nth++) {
      for (const given of [{ changed: `${nth}` }, { changed: `${nth}`, inode: `${nth}` }]) {
        const before = nth === 1 ? "7" : `${nth - 1}`
        const next = FileArrival.look(state, [file({ inode: before, ...given })], 0, { by: "rename" })
        assert.deepStrictEqual(next.arrived, [])
        ;({ state } = next)
      }
    }
  })

  it("takes a file that replaces another of the same size and time, under another key", () => {
    const first = FileArrival.look(empty, [file()], 0, { by: "rename" })
    const other = file({ changed: "200", inode: "8" })
    const second = FileArrival.look(FileArrival.take(first.state, first.arrived), [other], 0, { by: "rename" })
    assert.strictEqual(second.arrived.length, 1)
    assert.notStrictEqual(second.arrived[0].key, first.arrived[0].key)
  })

  it("takes a file under its final name at once where those who write give it that name at the end", () => {
    const { arrived, state } = FileArrival.look(empty, [file()], 0, { by: "rename" })
    assert.deepStrictEqual(
      arrived.map(({ file }) => file.path),
      ["a.csv"],
    )
    const taken = FileArrival.take(state, arrived)
    assert.deepStrictEqual(FileArrival.look(taken, [file()], 0, { by: "rename" }).arrived, [])
  })

  it("takes a file with its marker, and the file that was written anew only with a marker made since", () => {
    const complete = { by: "marker", suffix: ".done" } as const
    const look = (state: FileArrival.State, ...listing: ReadonlyArray<FileArrival.ListedFile>) => {
      const found = FileArrival.look(state, listing, 0, complete)
      return { ...found, state: FileArrival.take(found.state, found.arrived) }
    }
    const marker = (time: string) => file({ path: "a.csv.done", size: 0, modified: time, changed: time, inode: "8" })
    const written = file({ modified: "300", changed: "300" })
    const first = look(empty, file())
    assert.strictEqual(first.arrived.length, 0)
    const second = look(first.state, file(), marker("200"))
    assert.deepStrictEqual(
      second.arrived.map(({ file }) => file),
      [file()],
    )
    const third = look(second.state, written, marker("200"))
    assert.strictEqual(third.arrived.length, 0)
    const fourth = look(third.state, written, marker("300"))
    assert.deepStrictEqual(
      fourth.arrived.map(({ file }) => file),
      [written],
    )
    assert.strictEqual(look(fourth.state, written).arrived.length, 0)
  })

  it("is not begun again by a file whose time was set to the future, or whose marker is older by its own time", () => {
    const complete = { by: "marker", suffix: ".done" } as const
    const ahead = file({ modified: "9999", changed: "100" })
    const marker = file({ path: "a.csv.done", modified: "50", changed: "200" })
    assert.strictEqual(FileArrival.look(empty, [ahead, marker], 0, complete).arrived.length, 1)
  })

  it("arrives in the order in which files were written", () => {
    const listing = [
      file({ path: "c", modified: "5" }),
      file({ path: "b", modified: "20" }),
      file({ path: "a", modified: "5" }),
    ]
    const { arrived } = FileArrival.look(empty, listing, 0, { by: "rename" })
    assert.deepStrictEqual(
      arrived.map(({ file }) => file.path),
      ["a", "c", "b"],
    )
  })

  it("remembers a folder that was away, up to a limit, and says what it forgets, oldest first", () => {
    const listing = Array.from({ length: FileArrival.mostGone + 2 }, (_, nth) =>
      file({ path: `${nth}`, modified: `${nth}`, inode: `${nth}` }),
    )
    const all = FileArrival.begin(listing.slice(0, 10_000))
    const away = FileArrival.look(all, [], 0, stable)
    assert.deepStrictEqual(away.forgotten, [])
    const back = FileArrival.look(away.state, listing.slice(0, 10_000), 100, { by: "rename" })
    assert.deepStrictEqual(back.arrived, [])
    const { forgotten, state } = FileArrival.look(FileArrival.begin(listing), [], 0, stable)
    assert.deepStrictEqual(forgotten, ["0", "1"])
    assert.strictEqual(state.gone.size, FileArrival.mostGone)
  })
})
