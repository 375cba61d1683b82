import * as G from "./src/compiler/graph-terminal.ts"
import * as M from "./src/compiler/graph-mermaid.ts"
import * as D from "./src/compiler/graph-dot.ts"
const t = (id: string, needs: string[], type = "command", more = {}) => ({ id, type, version: 1, effects: "pure", needs, with: {}, ...more }) as any
const p = { format: 1, id: "p", params: {}, env: [], audit: "required", tasks: [t("seed", [], "seed"), t("dq_eur", ["seed"], "dq"), t("dq_gbp", ["seed"], "dq"), t("features", ["dq_eur"]), t("train", ["features", "dq_gbp"], "train"), t("backtest", ["train", "seed"], "backtest"), t("publish", ["backtest"], "publish", { if: 'params.go == "yes"' }), t("snap", ["train"]), t("report", [], "notify", { block: "finally", if: "run.status != \"succeeded\"" })] } as any
console.log(G.draw(p)); console.log(M.draw(p)); console.log(D.draw(p))
console.log(G.draw({ ...p, tasks: [t("a", []), t("b", []), t("c", []), t("x", ["a", "b"]), t("y", ["b", "c"]), t("z", ["a", "c"])] }))
console.log(G.draw({ ...p, tasks: [t("a", [], "a"), ...[..."bcdefg"].map((x) => t(x, ["a"], x)), t("h", [..."bcdefg"], "h")] }))
