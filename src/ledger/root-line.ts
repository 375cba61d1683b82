import type { Entry } from "../domain/event.ts"
import type { Sha256 } from "../domain/sha256.ts"

/** Printable ASCII that JSON writes as it is. */
const text = String.raw`"([ !#-\[\]-~]*)"`
const hash = `"([0-9a-f]{64})"`
const runId = `"([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})"`
const count = String.raw`(0|[1-9]\d{0,14})`

const lineOf = (data: string) =>
  new RegExp(
    `^{"authid":${text},"authtype":${text},"data":{${data}},"datacontenttype":"application/json","entryhash":${hash},` +
      String.raw`"id":${text},"prevhash":${hash},"sequence":"([1-9]\d*)","source":${text},"specversion":"1\.0",` +
      `"subject":${text},"time":${text},"type":${text}}$`,
  )

type Data = (...groups: ReadonlyArray<string>) => unknown

/** The forms of data that the root's lines have, by the end of the line. */
const forms: ReadonlyArray<{ readonly type: string; readonly line: RegExp; readonly data: Data }> = [
  {
    type: "dev.dandori.stream.opened.v1",
    line: lineOf(`"first":${hash},"stream":${text}`),
    data: (first, stream) => ({ first, stream }),
  },
  {
    type: "dev.dandori.stream.closed.v1",
    line: lineOf(`"entries":${count},"head":${hash},"stream":${text}`),
    data: (entries, head, stream) => ({ entries: Number(entries), head, stream }),
  },
  {
    type: "dev.dandori.ledger.checkpointed.v1",
    line: lineOf(`"entries":${count},"keyid":${text},"tree":${text}`),
    data: (entries, keyid, tree) => ({ entries: Number(entries), keyid, tree }),
  },
  {
    type: "dev.dandori.run.purged.v1",
    line: lineOf(`"entries":${count},"head":${hash},"rule":${text},"run":${runId},"stream":${text}`),
    data: (entries, head, rule, run, stream) => ({ entries: Number(entries), head, rule, run, stream }),
  },
]

/**
 * The entry that a line (without its newline) of the root stream is, where it has the form that nearly all of them have:
 * then it is canonical, an event, and its data is what the type allows. Undefined says nothing. Whether its hash fits is
 * not looked at. This runs for each entry of a root at each start.
 */
export const parse = (line: string): Entry | undefined => {
  const form = forms.find(({ type }) => line.endsWith(`"${type}"}`))
  const found = form?.line.exec(line)
  if (form === undefined || found === null || found === undefined) return undefined
  const [, authid, authtype, ...more] = found
  const [entryhash, id, prevhash, sequence, source, subject, time] = more.slice(-8)
  return {
    authid,
    authtype,
    data: form.data(...more.slice(0, -8)),
    datacontenttype: "application/json",
    entryhash: entryhash as Sha256,
    id,
    prevhash: prevhash as Sha256,
    sequence,
    source,
    specversion: "1.0",
    subject,
    time,
    type: form.type,
  }
}
