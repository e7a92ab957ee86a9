/** What becomes of a function of `scope()` that throws: the row is hidden, and the fault is told. */
import type { Collection } from './collection.ts';

/** Such a function may be asked a thousand times a second. */
const QUIET_MS = 60_000;

/**
 * @param onFault told of what the function throws, at most once a minute for each collection
 * @param now milliseconds of a clock that does not jump
 * @returns the collection with a visibility that never throws; others as they are
 */
export function guardScope(
  collection: Collection,
  onFault: (error: unknown) => void,
  now: () => number = () => performance.now(),
): Collection {
  const { name, visibility } = collection;
  if (visibility.kind !== 'scope') return collection;
  let told = Number.NEGATIVE_INFINITY;
  return {
    ...collection,
    visibility: {
      kind: 'scope',
      sees(claims, row) {
        try {
          return visibility.sees(claims, row);
        } catch (cause) {
          if (now() - told >= QUIET_MS) {
            told = now();
            onFault(new Error(`the scope() of ${name} threw: its row is hidden`, { cause }));
          }
          return false;
        }
      },
    },
  };
}
