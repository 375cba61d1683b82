/** Whether `items` are what `pattern` says, in which an element that `isAny` stands for any number of items, none too. */
const fits = <P, T>(
  pattern: ArrayLike<P>,
  items: ArrayLike<T>,
  isAny: (element: P) => boolean,
  isSame: (element: P, item: T) => boolean,
): boolean => {
  let element = 0
  let item = 0
  let lastAny = -1
  let takenBy = 0
  while (item < items.length) {
    if (element < pattern.length && isAny(pattern[element])) {
      lastAny = element++
      takenBy = item
    } else if (element < pattern.length && isSame(pattern[element], items[item])) {
      element++
      item++
    } else if (lastAny >= 0) {
      element = lastAny + 1
      item = ++takenBy
    } else return false
  }
  while (element < pattern.length && isAny(pattern[element])) element++
  return element === pattern.length
}

/** Whether one argument is what a word says: as it stands, with `*` for any characters. */
export const wordFits = (word: string, argument: string): boolean =>
  word.includes("*")
    ? fits(
        word,
        argument,
        (character) => character === "*",
        (character, other) => character === other,
      )
    : word === argument

/** Whether arguments are what the words of a `ProcessMatch` say; the word `**` stands for any number of arguments. */
export const argvFits = (words: ReadonlyArray<string>, argv: ReadonlyArray<string>): boolean =>
  fits(words, argv, (word) => word === "**", wordFits)
