import type { Entry } from "../domain/event.ts"
import type { Sha256 } from "../domain/sha256.ts"

/** Printable ASCII that JSON writes as it is. */
const text = String.raw`"([ !#-\[\]-~]*)"`
const hash = `"([0-9a-f]{64})"`
const count = String.raw`(0|[1-9]\d{0,14})`

const lineOf = (data: string) =>
  new RegExp(
    `^{"authid":${text},"authtype":${text},"data":{${data}},"datacontenttype":"application/json","entryhash":${hash},` +
      String.raw`"id":${text},"prevhash":${hash},"sequence":"([1-9]\d*)","source":${text},"specversion":"1\.0",` +
      `"subject":${text},"time":${text},"type":${text}}$`,
  )

type Data = (a: string, b: string, c: string) => unknown

/** The forms of data that the root's lines have, by the end of the line. The third group is empty where there are two. */
const forms: ReadonlyArray<{ readonly type: string; readonly line: RegExp; readonly data: Data }> = [
  {
    type: "dev.dandori.stream.opened.v1",
    line: lineOf(`"first":${hash},"stream":${text}()`),
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
  const [, authid, authtype, a, b, c, entryhash, id, prevhash, sequence, source, subject, time] = found
  return {
    authid,
    authtype,
    data: form.data(a, b, c),
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
