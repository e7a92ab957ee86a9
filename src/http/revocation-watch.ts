/** Looks for revocations by other nodes: at their word, and now and then in case the word was lost. */
import type { Revocations } from '../auth/revocations.ts';
import type { Bus } from '../bus/bus.ts';
import { StoreUnavailable } from '../store/store.ts';

export interface RevocationWatchOptions {
  readonly revocations: Revocations;
  readonly bus: Bus;
  /** How often to look without word, in ms; 0 never. */
  readonly intervalMs: number;
  readonly onFault: (error: unknown) => void;
}

/** @returns how to stop watching */
export function watchRevocations({ revocations, bus, intervalMs, onFault }: RevocationWatchOptions): () => void {
  const look = async () => {
    try {
      await revocations.refresh();
    } catch (error) {
      // When the log is away, the next look comes anyway.
      if (!(error instanceof StoreUnavailable)) onFault(error);
    }
  };
  const timer = intervalMs === 0 ? undefined : setInterval(() => void look(), intervalMs);
  const stopListening = bus.listen(
    ({ signal }) => {
      if (signal.kind === 'revoked') void look();
    },
    () => void look(),
  );
  return () => {
    clearInterval(timer);
    stopListening();
  };
}
