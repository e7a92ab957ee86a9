/** A worker whose objects are stores and nothing else: each request is a call of one method. */
import { createDurableObjectStore } from '../../../src/store/durable-object/durable-object-store.ts';
import type { SqlStorage } from '../../../src/store/durable-object/sql.ts';
import { type Retention, type Store, StoreUnavailable } from '../../../src/store/store.ts';

export interface StoreCall {
  /** Whose. */
  readonly object: string;
  /** How far the store's clock is ahead, in ms. */
  readonly ahead: number;
  /** `log.append` */
  readonly method: string;
  readonly args: readonly unknown[];
}

export type StoreAnswer = { readonly value?: unknown } | { readonly error: string; readonly isAway: boolean };

interface Bindings {
  readonly STORE: {
    idFromName(name: string): unknown;
    get(id: unknown): { fetch(request: Request): Promise<Response> };
  };
}

export class StoreObject {
  readonly #store: Store;
  #ahead = 0;

  constructor(ctx: { readonly storage: SqlStorage }) {
    this.#store = createDurableObjectStore(ctx.storage, { clock: () => Date.now() + this.#ahead });
  }

  async fetch(request: Request): Promise<Response> {
    const { method, args, ahead } = (await request.json()) as StoreCall;
    this.#ahead = ahead;
    return Response.json(await this.#call(method, args));
  }

  async #call(method: string, args: readonly unknown[]): Promise<StoreAnswer> {
    try {
      if (method === 'log.prune') {
        const [bounds, now] = args as [Readonly<Record<string, Retention>>, number];
        return { value: await this.#store.log.prune((topic) => bounds[topic] ?? {}, now) };
      }
      const path = method.split('.');
      const name = path.pop() ?? '';
      // The method is one of the port's: the test that calls it is checked for that.
      let target: any = this.#store;
      for (const part of path) target = target[part];
      const value = await target[name](...args);
      return { value: value instanceof Uint8Array ? { bytes: [...value] } : value };
    } catch (error) {
      return { error: String(error), isAway: error instanceof StoreUnavailable };
    }
  }
}

export default {
  async fetch(request: Request, { STORE }: Bindings): Promise<Response> {
    const { object } = (await request.clone().json()) as StoreCall;
    return STORE.get(STORE.idFromName(object)).fetch(request);
  },
};
