import * as G from "./src/compiler/graph-terminal.ts"
const t = (id: string, needs: string[], type = id, more = {}) => ({ id, type, version: 1, effects: "pure", needs, with: {}, ...more }) as any
console.log(G.draw({ format: 1, id: "p", params: {}, env: [], audit: "required", tasks: [t("seed", []), t("eur", ["seed"], "dq"), t("gbp", ["seed"]), t("train", ["eur", "gbp", "seed"]), t("report", [], "notify", {block: "finally", if: "x"})] } as any))
