/** The bus of a node that is alone: nobody hears, and there is nobody to hear. */
import type { Bus } from './bus.ts';
import { createListeners } from './listeners.ts';

export function createLocalBus(): Bus {
  const listeners = createListeners();
  return {
    send() {},
    listen: listeners.add,
    connected: true,
    async close() {},
  };
}
