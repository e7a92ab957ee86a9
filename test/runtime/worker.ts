/**
 * A worker that is nothing but the app with the memory store. It lives in a Durable Object, where all requests share one memory
 * and one life; a plain worker ends a stream once nothing of its own request is under way, though another would write to it.
 */
import { createRealtime, type Realtime } from '../../src/index.ts';

interface Bindings {
  readonly AUTH_SECRET: string;
  readonly SLUICE: {
    idFromName(name: string): unknown;
    get(id: unknown): { fetch(request: Request): Promise<Response> };
  };
}

export class Sluice {
  readonly #realtime: Realtime;

  constructor(_: unknown, { AUTH_SECRET }: Bindings) {
    this.#realtime = createRealtime({ auth: { secret: AUTH_SECRET } });
  }

  fetch(request: Request): Response | Promise<Response> {
    return this.#realtime.fetch(request);
  }
}

export default {
  fetch(request: Request, { SLUICE }: Bindings): Promise<Response> {
    return SLUICE.get(SLUICE.idFromName('the only one')).fetch(request);
  },
};
