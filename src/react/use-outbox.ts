/** What waits to be written, and what was refused. */
import { useCallback, useMemo } from 'react';
import type { Client } from '../client/create-client.ts';
import type { Mutation } from '../client/mutation.ts';
import { useClient } from './use-client.ts';
import { useStore, whole } from './use-store.ts';

export interface OutboxView extends Pick<Client['outbox'], 'retry' | 'edit' | 'discard'> {
  /** Writes that the server has not confirmed yet, in order. */
  readonly queued: readonly Mutation[];
  /** Writes that were refused, and wait for somebody to decide: `retry`, `edit` or `discard` them by their `id`. */
  readonly dead: readonly Mutation[];
}

const EMPTY: Pick<OutboxView, 'queued' | 'dead'> = { queued: [], dead: [] };

/**
 * The outbox: what waits to be written, and what the server refused.
 *
 * @example
 * ```tsx
 * const { dead, retry, discard } = useOutbox();
 * return dead.map(({ id, refusal }) => (
 *   <li key={id}>{refusal?.problem?.title} <button onClick={() => retry(id)}>Again</button> <button onClick={() => discard(id)}>Forget</button></li>
 * ));
 * ```
 */
export function useOutbox(): OutboxView {
  const { outbox } = useClient();
  const subscribe = useCallback((listener: () => void) => outbox.observe(listener), [outbox]);
  const read = useCallback(
    () => ({ queued: outbox.pending().filter(({ state }) => state !== 'acknowledged'), dead: outbox.deadLetters() }),
    [outbox],
  );
  const view = useStore({ subscribe, read, initial }, whole);
  return useMemo(() => {
    const { retry, edit, discard } = outbox;
    return { ...view, retry, edit, discard };
  }, [view, outbox]);
}

const initial = () => EMPTY;
