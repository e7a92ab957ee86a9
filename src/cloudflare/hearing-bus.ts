/** The bus of an object: no other node appends to its topic, and what its broker is to hear is handed to it here. */
import type { Bus, BusSignal, Envelope } from '../bus/bus.ts';

export interface HearingBus extends Bus {
  /** Hands a signal to those who listen. */
  hear(signal: BusSignal): void;
}

export function createHearingBus(): HearingBus {
  const listeners = new Set<(envelope: Envelope) => void>();
  return {
    send() {},
    listen(receive) {
      listeners.add(receive);
      return () => listeners.delete(receive);
    },
    hear(signal) {
      for (const receive of listeners) receive({ from: '', signal });
    },
    connected: true,
    async close() {},
  };
}
