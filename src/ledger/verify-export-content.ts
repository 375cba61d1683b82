import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { type Entry, data as eventData } from "../domain/event.ts"
import * as Sha256 from "../domain/sha256.ts"
import * as Ed25519 from "./ed25519.ts"
import * as LedgerFiles from "./ledger-files.ts"
import * as Receipts from "./receipts.ts"
import { artifactsOf, digestList, files, receiptsOf } from "./run-export.ts"
import type { LedgerFault } from "./verify-report.ts"

const isCreated = Schema.is(eventData["dev.dandori.run.created.v1"])

const fault = (stream: string, kind: LedgerFault["kind"], reason: string): LedgerFault => ({
  stream,
  line: 1,
  offset: 0,
  kind,
  reason,
})

/** What is wrong with a receipt's bytes; undefined when one of the keys signed them. */
const signatureFault = Effect.fnUntraced(function* (
  name: string,
  bytes: Uint8Array,
  keys: ReadonlyArray<Ed25519.PublicKey>,
) {
  const opened = yield* Effect.option(Receipts.openEnvelope(bytes))
  if (opened._tag === "None") return fault(name, "altered", "it is no receipt")
  const { signatures, signed } = opened.value
  for (const { keyid, sig } of signatures) {
    const key = keys.find((known) => known.keyid === keyid)
    if (key !== undefined) {
      const holds = yield* Ed25519.verify(key, signed, Buffer.from(sig, "base64"))
      return holds ? undefined : fault(name, "altered", "its signature does not fit its content")
    }
  }
  return fault(name, "signature", "it is signed by no known key. Give the right one: --key FILE")
})

const namesIn = Effect.fnUntraced(function* (folder: string) {
  const fs = yield* FileSystem.FileSystem
  return yield* fs.readDirectory(folder).pipe(Effect.orElseSucceed((): ReadonlyArray<string> => []))
})

/** What is wrong with an export's plan, receipts and list of artifacts, measured by the run's events. */
export const check = Effect.fnUntraced(function* (
  folder: string,
  events: ReadonlyArray<Entry>,
  keys: ReadonlyArray<Ed25519.PublicKey>,
) {
  const path = yield* Path.Path
  const bytesOf = (name: string) => LedgerFiles.bytesOf(path.join(folder, name))
  const faults: Array<LedgerFault> = []
  const created = events[0]?.data
  const plan = yield* bytesOf(files.plan)
  if (!isCreated(created)) faults.push(fault(files.events, "altered", "its first event does not say what was run"))
  else if (plan === undefined) faults.push(fault(files.plan, "missing", "the plan that the first event names is gone"))
  else if (Sha256.of(plan) !== created.plan) {
    faults.push(fault(files.plan, "altered", "it is not the plan that the first event names"))
  }

  const named = new Set(receiptsOf(events).map(({ sha256 }) => `${sha256}.json`))
  for (const file of named) {
    const name = `${files.receipts}/${file}`
    const bytes = yield* bytesOf(name)
    if (bytes === undefined) faults.push(fault(name, "missing", "an event names this receipt, but its file is gone"))
    else if (`${Sha256.of(bytes)}.json` !== file) {
      faults.push(fault(name, "altered", "its bytes are not those that an event names"))
    } else {
      const wrong = yield* signatureFault(name, bytes, keys)
      if (wrong !== undefined) faults.push(wrong)
    }
  }
  for (const file of yield* namesIn(path.join(folder, files.receipts))) {
    if (!named.has(file)) faults.push(fault(`${files.receipts}/${file}`, "altered", "no event names it"))
  }

  const list = yield* bytesOf(files.artifacts)
  if (list === undefined) faults.push(fault(files.artifacts, "missing", "the list of artifacts is gone"))
  else if (new TextDecoder().decode(list) !== digestList(artifactsOf(events))) {
    faults.push(fault(files.artifacts, "altered", "it does not list the artifacts that the events name"))
  }
  return faults
})
