import * as Schema from "effect/Schema"

const annotation = "mergeBy"

/**
 * A list of named things: `key` is the property that names an item, unique in the list. An environment's list is merged
 * into the base's item by item, by that name; every other list replaces the base's whole.
 */
export const NamedList = <
  const Key extends string,
  Item extends Schema.Codec<{ readonly [K in Key]: string }, unknown>,
>(
  key: Key,
  item: Item,
) =>
  Schema.Array(item)
    .check(
      Schema.makeFilter((items: ReadonlyArray<{ readonly [K in Key]: string }>) => {
        const names = items.map((each) => each[key])
        const twice = names.find((name, index) => names.indexOf(name) !== index)
        return twice === undefined || `${key} ${twice} is there twice`
      }),
    )
    .annotate({ [annotation]: key })

/** The property that names the items of a list with these annotations; undefined for a plain list. */
export const keyOf = (annotations: Readonly<Record<string, unknown>> | undefined): string | undefined => {
  const key = annotations?.[annotation]
  return typeof key === "string" ? key : undefined
}
