import type { Redis } from "ioredis"
import * as Sha256 from "../domain/sha256.ts"

/** A key with a digest of its value, whatever order the server keeps its members in. */
export interface Key {
  readonly key: Buffer
  readonly type: string
  readonly sha256: Sha256.Sha256
  /** It ends by itself: another copy may not have it any more. */
  readonly ends: boolean
}

type Answer = Buffer | number | null | ReadonlyArray<Answer>

/** Reads of a value's type what is the same in every copy. */
const readers: Readonly<Record<string, readonly [command: string, ...words: ReadonlyArray<string>]>> = {
  string: ["GET"],
  list: ["LRANGE", "0", "-1"],
  set: ["SMEMBERS"],
  zset: ["ZRANGE", "0", "-1", "WITHSCORES"],
  hash: ["HGETALL"],
  stream: ["XRANGE", "-", "+"],
}

const text = (answer: Answer): string =>
  Array.isArray(answer)
    ? `[${answer.map(text).join(",")}]`
    : answer instanceof Buffer
      ? `"${answer.toString("base64")}"`
      : String(answer)

const pairs = (items: ReadonlyArray<Answer>): ReadonlyArray<string> =>
  items.flatMap((item, index) => (index % 2 === 0 ? [`${text(item)}=${text(items[index + 1])}`] : []))

const plain = (type: string, answer: Answer): string => {
  if (!Array.isArray(answer)) return text(answer)
  if (type === "set") return answer.map(text).toSorted().join(",")
  return type === "hash" ? pairs(answer).toSorted().join(",") : text(answer)
}

const ask = (redis: Redis, command: string, ...words: ReadonlyArray<string | Buffer>) =>
  redis.callBuffer(command, ...words) as Promise<Answer>

const digestOf = async (redis: Redis, key: Buffer): Promise<Key | undefined> => {
  const type = await redis.type(key)
  if (type === "none") return undefined
  const reader = readers[type]
  // A module's type has only its own serialization.
  const value = await (reader === undefined ? ask(redis, "DUMP", key) : ask(redis, reader[0], key, ...reader.slice(1)))
  const ends = (await redis.pttl(key)) >= 0
  return { key, type, sha256: Sha256.of(`${type} ${plain(type, value)}`), ends }
}

const scan = async (redis: Redis): Promise<ReadonlyArray<Buffer>> => {
  const found = new Map<string, Buffer>()
  for (let cursor = "0"; ;) {
    const [next, keys] = (await ask(redis, "SCAN", cursor, "COUNT", "1000")) as [Buffer, ReadonlyArray<Buffer>]
    for (const key of keys) found.set(key.toString("base64"), key)
    cursor = next.toString()
    if (cursor === "0") return [...found.keys()].toSorted().flatMap((name) => found.get(name) ?? [])
  }
}

/** The numbers of the databases that have keys. */
export const databases = async (redis: Redis): Promise<ReadonlyArray<number>> =>
  [...(await redis.info("keyspace")).matchAll(/^db(\d+):/gm)].map(([, number]) => Number(number))

/** Every key of the database that the connection has chosen, by name. */
export const read = async (redis: Redis): Promise<ReadonlyArray<Key>> => {
  const keys: Array<Key> = []
  for (const key of await scan(redis)) {
    const found = await digestOf(redis, key)
    if (found !== undefined) keys.push(found)
  }
  return keys
}

/** Keys of `wanted` that `found` lacks, and keys of `found` that are no copy of one of `wanted`. What ends by itself may be away. */
export const compare = (wanted: ReadonlyArray<Key>, found: ReadonlyArray<Key>) => {
  const name = ({ key }: Key) => key.toString("base64")
  const there = new Map(found.map((one) => [name(one), one]))
  const known = new Map(wanted.map((one) => [name(one), one]))
  return {
    missing: wanted.filter((one) => !one.ends && !there.has(name(one))),
    strange: found.filter((one) => known.get(name(one))?.sha256 !== one.sha256),
  }
}
