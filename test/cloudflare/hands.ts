/** A hand on objects that have readers: their sockets can be counted and cut, and they can be ended as a deployment or an eviction would. */
import type { DurableObject } from 'cloudflare:workers';
import type { ObjectState } from '../../src/cloudflare/platform.ts';

export interface Hands {
  sockets(): Promise<number>;
  /** Closes all sockets of readers. */
  cut(): Promise<number>;
  /** Ends the object, with all that it holds in memory. */
  end(): Promise<void>;
}

/** A class whose objects can be handled so. */
export function withHands<Base extends new (...given: any[]) => DurableObject<any>>(Base: Base) {
  return class extends Base implements Hands {
    async sockets(): Promise<number> {
      return this.ctx.getWebSockets().length;
    }

    async cut(): Promise<number> {
      const sockets = this.ctx.getWebSockets();
      for (const socket of sockets) socket.close(1012, 'cut');
      return sockets.length;
    }

    async end(): Promise<void> {
      (this.ctx as ObjectState & { abort(): void }).abort();
    }
  };
}
