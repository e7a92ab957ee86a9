/** Makes a write of a record follow those that were made just before it, so that a user's second edit does not conflict with their first. */
import type { Kept } from './store.ts';

/**
 * The version that a mutation starts from once those before it in its lane were applied. Where both began with the same version, who made the
 * second had seen the first: it now starts from what the first made. Where that holds changes of others too (`merged`), which nobody had seen,
 * the second stays where it is, and the server compares.
 *
 * @param applied what was applied, in the order of that
 */
export function follow({ lane, order, base }: Kept, applied: readonly Kept[]): number | undefined {
  let version = base;
  for (const before of version ? applied : [])
    if (before.lane === lane && before.order < order && before.base === version && !before.answer?.merged)
      version = before.answer?.version ?? version;
  return version;
}
