import type { ASTNode, Environment } from "@marcbachmann/cel-js"
import type { Duration } from "@marcbachmann/cel-js/evaluator"
import { formatDuration, parseDuration } from "../quantity.ts"
import { celLibrary } from "./cel-library.ts"

/** What `duration` is called inside: CEL's own knows no days and cannot be replaced. As long, so that places stay. */
const durationName = "_length_"

/** A duration as pipelines write it: `1h30m`; one that goes back in time has a minus. */
export const durationText = (duration: Duration): string => {
  const millis = Math.round(duration.valueOf())
  return `${millis < 0 ? "-" : ""}${formatDuration(Math.abs(millis))}`
}

/** Adds what expressions know beside CEL's own functions: durations as pipelines write them, and times as text. */
export const register = (environment: Environment): void => {
  environment.registerFunction(`${durationName}(string): google.protobuf.Duration`, (text: string) => {
    const millis = parseDuration(text)
    if (millis === undefined) throw new Error(`"${text}" is no duration, like 90s, 5m or 2d`)
    return celLibrary().Duration.fromMilliseconds(millis)
  })
  environment.registerFunction("string(google.protobuf.Duration): string", durationText)
  environment.registerFunction("string(google.protobuf.Timestamp): string", (time: Date) => time.toISOString())
}

/** The source with `duration` called by its inner name, given where its calls begin. */
export const renamed = (source: string, starts: ReadonlyArray<number>): string => {
  let text = source
  for (const start of starts) text = text.slice(0, start) + durationName + text.slice(start + durationName.length)
  return text
}

/** A message without the inner name. */
export const plain = (message: string): string => message.replaceAll(durationName, "duration")

const isConstant = (node: unknown): boolean =>
  typeof node === "object" && node !== null && "op" in node && node.op === "value"

let constantsOnly: Environment | undefined

/** An environment without variables. */
const forConstants = (): Environment => {
  if (constantsOnly !== undefined) return constantsOnly
  const { Environment } = celLibrary()
  constantsOnly = new Environment()
  register(constantsOnly)
  return constantsOnly
}

/** Where a call of `duration` begins; undefined for any other node. */
export const durationStart = (node: ASTNode): number | undefined =>
  node.op === "call" && node.args[0] === "duration" ? node.range.start : undefined

/** Why a function or a division cannot take the constants that it is given; undefined when it can. */
export const constantFault = (source: string, node: ASTNode): string | undefined => {
  if (node.op === "/" || node.op === "%") {
    const divisor = (node.args as [unknown, ASTNode])[1]
    return isConstant(divisor) && divisor.args === 0n ? "This is a division by zero, which has no result" : undefined
  }
  if (node.op !== "call" || !(node.args[1] as ReadonlyArray<unknown>).every(isConstant)) return undefined
  const text = source.slice(node.range.start, node.range.end)
  const start = durationStart(node)
  const checked = start === undefined ? text : renamed(text, [0])
  const constants = forConstants()
  if (!constants.check(checked).valid) return undefined
  try {
    constants.evaluate(checked)
    return undefined
  } catch (error) {
    const reason = (error as Error).message.split("\n")[0]
    return start === undefined ? `${text} has no result: ${reason}` : reason
  }
}
