import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { pipeline, plan, told } from "./compiled.ts"

const text = (argv: string) =>
  pipeline("params: { n: { type: string } }", "tasks:", `  a: { uses: command, with: { argv: ${argv} } }`)
const n = "'${{ params.n }}'"

describe("a script in the arguments of a command", () => {
  const scripts: ReadonlyArray<readonly [argv: string, pass: RegExp]> = [
    [`[sh, -c, 'echo \${{ params.n }}']`, /argument after it, or in "env"/],
    [`[bash, -euo, pipefail, -c, 'echo \${{ params.n }}']`, /argument/],
    [`[bash, -ce, ${n}]`, /argument/],
    [`[docker, exec, box, sh, -c, ${n}]`, /argument/],
    [`[sh, -c, 'exec "$@"', _, python3, -c, ${n}]`, /argument/],
    [`[python3, -Ic, 'print(\${{ params.n }})']`, /argument/],
    [`[python3, -W, ignore, '-cprint(\${{ params.n }})']`, /argument/],
    [`[perl, -ne, ${n}]`, /argument/],
    [`[perl, -e, 'print 1;', -E, ${n}]`, /argument/],
    [`[perl, '-wesay \${{ params.n }}']`, /argument/],
    [`[ruby, -rjson, -e, ${n}]`, /argument/],
    [`[node, --eval, ${n}]`, /argument/],
    [`[node, '--eval=\${{ params.n }}']`, /argument/],
    [`[node, --import, ./a.js, -pe, ${n}]`, /argument/],
    [`[deno, eval, --ext=ts, ${n}]`, /argument/],
    [`[/usr/bin/env, A=b, php, -r, ${n}]`, /argument/],
    [`[pwsh, -NoProfile, -Command, 'echo', ${n}]`, /argument/],
    [`[Rscript, -e, ${n}]`, /argument/],
    [`[env, -S, 'sh -c "\${{ params.n }}"']`, /argument/],
    [`[env, '--split-string=sh \${{ params.n }}']`, /argument/],
    [`[awk, '$1 == \${{ params.n }}', in.txt]`, /-v name=VALUE/],
    [`[gawk, -F, ',', -v, a=b, ${n}, in.txt]`, /-v name=VALUE/],
    [`[sudo, -u, me, awk, '-F:', --, ${n}]`, /-v name=VALUE/],
    [`[jq, -r, '.a == \${{ params.n }}', in.json]`, /--arg NAME VALUE/],
    [`[jq, --arg, a, b, --tab, ${n}]`, /--arg NAME VALUE/],
    [`[sed, -i, 's/a/\${{ params.n }}/', in.txt]`, /"env"/],
    [`[sed, -ne, '/\${{ params.n }}/p', in.txt]`, /"env"/],
    [`[sed, in.txt, '--expression=s/a/\${{ params.n }}/']`, /"env"/],
    [`[ssh, host, 'cat \${{ params.n }}']`, /standard input/],
    [`[ssh, -p, '22', -i, key, '${"${{ params.n }}"}', cat, ${n}]`, /standard input/],
    [`[psql, -d, db, -c, 'select \${{ params.n }}']`, /-v NAME=VALUE/],
    [`[psql, db, '--command=select \${{ params.n }}']`, /-v NAME=VALUE/],
    [`[mysql, -e, ${n}, db]`, /bind/],
    [`[sqlite3, -json, my.db, 'select \${{ params.n }}']`, /bind/],
    [`[sqlite3, -cmd, ${n}, my.db]`, /bind/],
    [`[duckdb, -c, ${n}]`, /bind/],
  ]
  for (const [argv, pass] of scripts) {
    it.effect(`holds no expression: ${argv}`, () =>
      Effect.gen(function* () {
        const found = yield* told(text(argv))
        assert.lengthOf(found, 1, found.join("\n"))
        assert.match(found[0], /^5:\d+ An expression inside a script would become code\. /)
        assert.match(found[0], pass)
      }),
    )
  }

  const arguments_ = [
    `[sh, -c, 'echo "$1"', _, ${n}]`,
    `[sh, -c, 'printf "$@"', sh, -e, ${n}]`,
    `[bash, -e, ${n}]`,
    `[python3, train.py, -lr, ${n}, -c, ${n}]`,
    `[python3, -m, train, -c, ${n}]`,
    `[python3, -c, 'import sys', -c, ${n}]`,
    `[perl, -i.bake, ${n}]`,
    `[node, -e, 'process.argv', ${n}]`,
    `[node, app.js, -e, ${n}]`,
    `[deno, run, ${n}]`,
    `[sort, -S, ${n}, in.txt]`,
    `[env, 'A=\${{ params.n }}', sh, -c, 'echo "$A"']`,
    `[awk, -v, 'a=\${{ params.n }}', '$1 == a', ${n}]`,
    `[awk, '-va=\${{ params.n }}', -f, prog.awk, ${n}]`,
    `[jq, --arg, a, ${n}, '.a == $a', ${n}]`,
    `[jq, -f, prog.jq, ${n}]`,
    `[jq, --args, '.a', ${n}]`,
    `[sed, -e, s/a/b/, ${n}]`,
    `[sed, s/a/b/, ${n}]`,
    `[sed, -f, prog.sed, ${n}]`,
    `[ssh, -p, ${n}, 'me@\${{ params.n }}', uptime]`,
    `[psql, -v, 'a=\${{ params.n }}', -f, q.sql, ${n}]`,
    `[sqlite3, ${n}, 'select 1']`,
    `[apt-get, install, jq, ${n}]`,
    `[echo, awk, ${n}]`,
  ]
  for (const argv of arguments_) {
    it.effect(`leaves arguments alone: ${argv}`, () =>
      Effect.gen(function* () {
        assert.lengthOf((yield* plan(text(argv))).tasks, 1)
      }),
    )
  }
})
