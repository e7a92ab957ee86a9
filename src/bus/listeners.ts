/** Who listens on a node's bus. */
import type { Bus, Envelope } from './bus.ts';

export interface Listeners {
  readonly add: Bus['listen'];
  receive(envelope: Envelope): void;
  resumed(): void;
}

export function createListeners(): Listeners {
  const all = new Set<{ readonly receive: (envelope: Envelope) => void; readonly resumed: () => void }>();
  return {
    add(receive, resumed) {
      const listener = { receive, resumed };
      all.add(listener);
      return () => {
        all.delete(listener);
      };
    },
    receive(envelope) {
      for (const listener of all) listener.receive(envelope);
    },
    resumed() {
      for (const listener of all) listener.resumed();
    },
  };
}
