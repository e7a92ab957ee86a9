/** The bus of a node that is alone: nobody hears, and there is nobody to hear. */
import type { Bus } from './bus.ts';

export function createLocalBus(): Bus {
  return {
    send() {},
    listen: () => () => {},
    connected: true,
    async close() {},
  };
}
