/**
 * What a tab knows of the mutations, and how it changes them. It learns what others have changed with every step of its own, in order, and
 * tells it.
 *
 * Of mutations that are gone, the last {@link KEPT} are kept in the store. Who has missed so many learns everything again, and what is not
 * among it is gone as well.
 */
import { mutationKey } from '../mutation.ts';
import { follow } from './follow.ts';
import type { Kept, OutboxStore } from './store.ts';

/** How many mutations that are gone are kept, for tabs that have not yet heard of it. */
export const KEPT = 100;

/** How long an acknowledged mutation waits for the stream to show it, in ms. A change that changes nothing is never shown. */
export const SETTLE_MS = 60_000;

/** A mutation as it is to be from now on; without an `order`, it is added after all others. */
export type Draft = Omit<Kept, 'order' | 'seq'> & { readonly order?: number };

/**
 * What is to become of one mutation; `undefined` when nothing is. Synchronous, and not to throw: it runs inside a transaction.
 * @param found as it is now, if it is there @param all that there are, by the order of enqueueing
 */
export type Decide = (found: Kept | undefined, all: readonly Kept[]) => Draft | undefined;

export interface Ledger {
  /** All that are not gone, by the order of enqueueing. */
  all(): readonly Kept[];
  /** Those that are gone among them, the last of them. */
  readonly known: ReadonlyMap<string, Kept>;
  /**
   * Changes one mutation. Steps are done one after the other.
   * @returns what has become of it, once that is stored and told; `undefined` when nothing has. @throws OutboxError `quota` or `storage`
   */
  step(id: string, decide: Decide): Promise<Kept | undefined>;
}

/**
 * @param shown the keys of events that a stream has shown
 * @param tell told of each change, whoever made it
 * @param onStep called after each step that has succeeded, with how many mutations it has changed
 */
export function createLedger(
  store: () => Promise<OutboxStore>,
  clock: () => number,
  shown: ReadonlySet<string>,
  tell: (kept: Kept) => void,
  onStep: (changed: number) => void,
): Ledger {
  /** By id, in the order of their changes. */
  const known = new Map<string, Kept>();
  /** Up to which change everything is known. */
  let told = 0;
  let last: Promise<Kept | undefined> = Promise.resolve(undefined);

  const all = () => [...known.values()].filter(({ gone }) => !gone).sort((a, b) => a.order - b.order);

  function learn(kept: Kept): void {
    const { id, seq, gone } = kept;
    const before = known.get(id);
    known.delete(id);
    known.set(id, kept);
    told = seq;
    if (!gone || (before && !before.gone)) tell(kept);
  }

  async function run(id: string, decide: Decide): Promise<Kept | undefined> {
    const changes = new Map<string, Kept>();
    let isLate = false;
    await (await store()).transact(told, (news, writer) => {
      isLate = told > 0 && news.filter(({ gone }) => gone).length >= KEPT;
      if (isLate) return;
      // If these are all that there are, the others are gone.
      if (told === 0)
        for (const kept of all()) if (!news.some((each) => each.id === kept.id)) learn({ ...kept, gone: 'settled' });
      news.forEach(learn);

      const now = clock();
      let seq = told;
      const change = (draft: Draft) => {
        seq = Math.max(now, seq + 1);
        changes.set(draft.id, { order: seq, ...draft, seq });
      };
      const kept = all();
      const decided = decide(
        kept.find((each) => each.id === id),
        kept,
      );
      if (decided) change(decided);

      const after = [...new Map([...known, ...changes]).values()];
      const applied = after.filter(({ answer }) => answer);
      for (const kept of after) {
        const { state, sent, answer, refusal, gone } = kept;
        if (gone) continue;
        const isShown = shown.has(mutationKey(kept));
        // The stream has shown it, or a list has, or will not. That is proof also of what was thought to be uncertain.
        if (answer ? isShown || Math.abs(now - kept.seq) >= SETTLE_MS : isShown && refusal?.kind === 'uncertain')
          change({ ...kept, gone: 'settled' });
        // What was sent must not be changed: the server would refuse the key.
        if (state !== 'pending' || sent !== undefined) continue;
        const base = follow(kept, applied);
        if (base !== kept.base) change({ ...kept, base });
      }
      for (const kept of changes.values()) {
        writer.delete(known.get(kept.id)?.seq ?? 0);
        writer.put(kept);
      }
      for (const kept of [...known.values()].filter(({ gone }) => gone).slice(0, -KEPT)) {
        known.delete(kept.id);
        writer.delete(kept.seq);
      }
    });
    if (isLate) {
      told = 0;
      return run(id, decide);
    }
    for (const kept of changes.values()) learn(kept);
    onStep(changes.size);
    return changes.get(id);
  }

  return {
    all,
    known,
    step(id, decide) {
      // A step that failed was told to whoever asked for it.
      last = last.catch(() => undefined).then(() => run(id, decide));
      return last;
    },
  };
}
