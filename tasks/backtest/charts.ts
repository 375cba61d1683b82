import * as Effect from "effect/Effect"
import type { Simulation } from "../../src/market/simulator.ts"
import * as Charts from "../../src/services/charts.ts"
import * as Tables from "./tables.ts"

const points = (x: Float64Array, y: Float64Array) => Array.from(x, (value, i) => [value, y[i]] as const)

/** Equity and drawdown by trading day, as `<img>` elements. */
export const draw = ({ capital, daily }: Simulation) =>
  Effect.all([
    Charts.timeLines("Equity at the day's close, US dollars", [
      { name: "equity", points: points(daily.day, daily.equity) },
    ]),
    Charts.timeLines(
      "Drawdown at the day's close, percent",
      [
        {
          name: "drawdown",
          points: points(
            daily.day,
            Tables.drawdowns(daily.equity, capital).map((each) => -100 * each),
          ),
        },
      ],
      { area: true },
    ),
  ])
