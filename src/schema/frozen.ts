/** `Object.freeze` does not reach the entries of a Map or Set; these do not change afterwards. */

/** Makes the writing methods of this Map or Set throw, and freezes it. */
export function freezeCollection<Collection extends object>(collection: Collection): Collection {
  for (const method of ['set', 'add', 'delete', 'clear']) {
    if (method in collection) Object.defineProperty(collection, method, { value: refuse })
  }
  return Object.freeze(collection)
}

function refuse(): never {
  throw new TypeError(
    'this collection is read-only: copy it with `new Map(…)` or `new Set(…)` to change it',
  )
}
