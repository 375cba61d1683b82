import { assert, describe, it } from "@effect/vitest"
import { argvFits, wordFits } from "../../src/domain/process-pattern.ts"
import { usual } from "../../src/domain/config/evacuation-usual.ts"

const wordsOf = (name: string) => {
  const target = usual.stop.find((each) => each.name === name)
  return target !== undefined && "match" in target ? target.match.argv : assert.fail(`${name} is no target`)
}

const says = (argv: string, name: string) => argvFits(wordsOf(name), argv.split(" "))

describe("a word of a process match", () => {
  it("is an argument as it stands, but for its stars", () => {
    for (const [word, argument, fits] of [
      ["full", "full", true],
      ["full", "full ", false],
      ["full", "Full", false],
      ["a.c", "abc", false],
      ["*", "", true],
      ["*uvicorn", "/venv/bin/uvicorn", true],
      ["*uvicorn", "uvicorn2", false],
      ["a*b*c", "a-b-b-c", true],
      ["a*b*c", "a-c-b", false],
      ["*api.app*", "src.api.app:app", true],
      ["**", "any\nthing", true],
      ["(a|b)+", "(a|b)+", true],
    ] as const)
      assert.strictEqual(wordFits(word, argument), fits, `${word} and ${argument}`)
  })

  it("is done with a long argument at once, whatever its stars", () => {
    const argument = "a".repeat(20_000)
    assert.isFalse(wordFits("*a*a*a*a*a*a*a*b", argument))
    assert.isTrue(wordFits("*a*a*a*a*a*a*a*a", argument))
  })
})

describe("the words of a process match", () => {
  it("stand for the arguments one by one, and ** for any number of them", () => {
    for (const [words, argv, fits] of [
      [["a"], ["a"], true],
      [["a"], ["a", "b"], false],
      [["a", "**"], ["a"], true],
      [["a", "**"], ["a", "b", "c"], true],
      [["**", "c"], ["a", "b", "c"], true],
      [["**", "b", "**", "b"], ["b", "b"], true],
      [["**", "b", "**", "b"], ["b"], false],
      [["a", "*", "c"], ["a", "c"], false],
      [["a", "**", "--mode", "full"], ["a", "--mode", "fast", "--mode", "full"], true],
      [["a", "**", "b"], [], false],
      [["a", "b"], ["a b"], false],
    ] as const)
      assert.strictEqual(argvFits(words, argv), fits, `${words.join(" ")} and ${argv.join(" ")}`)
  })
})

describe("what is stopped where a project says nothing", () => {
  it("is the API, however uvicorn was started", () => {
    for (const argv of [
      "python -m uvicorn api.app --port 8000",
      "/venv/bin/python /venv/bin/uvicorn api.app",
      "/venv/bin/python3.11 /venv/bin/uvicorn api.app:app --host 0.0.0.0 --port 8000",
      "uvicorn --workers 4 src.api.app:app",
      "uvicorn src.api.app:app --reload",
      "python -m uvicorn --host 0.0.0.0 src.api.app:create --factory",
    ])
      assert.isTrue(says(argv, "api"), argv)
  })

  it("is the training with everything that its command line may have between", () => {
    for (const argv of [
      "python -u src/train.py --config x --mode full",
      "python3 -u src/train.py --mode full",
      "/venv/bin/python3.11 -u src/train.py --mode full --seed 7",
    ])
      assert.isTrue(says(argv, "training"), argv)
  })

  it("runs in the project's own folder: the same words elsewhere are a stranger's", () => {
    assert.deepStrictEqual(
      usual.stop.map((target) => "match" in target && target.match.cwd),
      [".", "."],
    )
  })

  it("is no program that only speaks of them", () => {
    for (const [argv, name] of [
      ["vim src/train.py", "training"],
      ["python -u src/train.py --mode fast", "training"],
      ["python -u src/train.py.bak --mode full", "training"],
      ["python src/train.py --mode full", "training"],
      ["grep uvicorn.log api.app", "api"],
      ["uvicorn other:app", "api"],
      ["gunicorn api.app", "api"],
    ])
      assert.isFalse(says(argv, name), argv)
    assert.isFalse(argvFits(wordsOf("api"), ["sh", "-c", "uvicorn api.app"]))
  })
})
