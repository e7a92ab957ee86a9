/** A client over a whole app without a network: its `fetch` is the app, which a test can take away, delay, or replace. */
import { type afterEach, expect } from 'vitest';
import { type ConnectOptions, connect, type Link } from '../../src/client/connect.ts';
import type { Fallback } from '../../src/client/connection/fallback.ts';
import type { Environment, Signals } from '../../src/client/environment.ts';
import type { MissingEvents, SubscribeOptions, Subscription } from '../../src/client/subscription.ts';
import type { RealtimeOptions } from '../../src/http/realtime-options.ts';
import type { Event } from '../../src/protocol/event.ts';
import { TestApp, type TokenClaims, tokenOf } from '../http/app.ts';

export interface System {
  readonly app: TestApp;
  readonly link: Link;
  /** Every request that the client made: method and path. */
  readonly requests: string[];
  /** Errors told to `onError`. */
  readonly errors: unknown[];
  /** What the surroundings tell the client. */
  readonly signals: Signals;
  /** Cuts what is open, and answers nothing until `restore`. */
  cut(): void;
  restore(): void;
  /** Answers requests in the place of the server, as long as it gives a response. */
  intercept(
    answer: ((url: URL, init: RequestInit) => Promise<Response | undefined> | Response | undefined) | undefined,
  ): void;
}

export interface SystemOptions extends Omit<Partial<ConnectOptions>, 'token'> {
  /** Told when the network changes. */
  readonly fallback?: Fallback;
  readonly app?: TestApp | undefined;
  readonly realtime?: RealtimeOptions;
  readonly claims?: TokenClaims;
  readonly token?: ConnectOptions['token'];
}

export const READER: TokenClaims = { sub: 'reader', subscribe: ['**'], publish: ['**'] };

/** Makes systems, and ends each after its test. */
export function systems(after: typeof afterEach): (options?: SystemOptions) => System {
  const open: { close(): void | Promise<void> }[] = [];
  after(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
  });
  return ({ app: given, realtime, claims = READER, ...options } = {}) => {
    const app = given ?? new TestApp(realtime);
    if (given === undefined) open.push({ close: () => app.realtime.close() });
    const system = systemOver(app, { token: () => tokenOf(claims), ...options });
    open.push(system.link);
    return system;
  };
}

function systemOver(app: TestApp, { fallback, ...options }: SystemOptions): System {
  const requests: string[] = [];
  const errors: unknown[] = [];
  const line = createLine();
  let intercepted: Parameters<System['intercept']>[0];
  /** Of each connection, and of whoever else listens. */
  const all: Signals[] = [];
  const environment: Environment = {
    hidden: () => false,
    listen(to) {
      all.push(to);
      return () => undefined;
    },
  };
  const request: typeof fetch = async (input, init = {}) => {
    const url = new URL(String(input));
    requests.push(`${init.method} ${url.pathname}`);
    line.check();
    const answer = await orAborted(intercepted?.(url, init), init.signal);
    if (answer !== undefined) return answer;
    return line.carry(app, url, init);
  };
  const link = connect({
    url: 'http://sluice.test',
    fetch: request,
    environment,
    ...(fallback && { open: fallback.open }),
    onError: (error) => errors.push(error),
    ...options,
  });
  return {
    app,
    link,
    requests,
    errors,
    get signals() {
      if (all.length === 0) throw new Error('the client listens to nothing');
      return {
        network() {
          fallback?.network();
          for (const { network } of all) network();
        },
        offline() {
          for (const { offline } of all) offline();
        },
        wake() {
          for (const { wake } of all) wake();
        },
      };
    },
    cut: line.cut,
    restore: line.restore,
    intercept(answer) {
      intercepted = answer;
    },
  };
}

/** A line to an app without a network. */
export interface Line {
  /** @throws TypeError while it is cut, as `fetch` does */
  check(): void;
  /** Sends a request, and gives up when that is told to. @throws TypeError while it is cut */
  carry(app: TestApp, url: URL, init: RequestInit): Promise<Response>;
  /** Breaks what is open, and carries nothing until `restore`. */
  cut(): void;
  restore(): void;
}

export function createLine(): Line {
  let whole = new AbortController();
  let isCut = false;
  function check(): void {
    if (isCut) throw new TypeError('cut');
  }
  return {
    check,
    async carry(app, { pathname, search }, init) {
      check();
      const response = await orAborted(app.request(pathname + search, { ...init, signal: null }), init.signal);
      return cuttable(response, [whole.signal, ...(init.signal ? [init.signal] : [])]);
    },
    cut() {
      isCut = true;
      whole.abort();
      whole = new AbortController();
    },
    restore() {
      isCut = false;
    },
  };
}

/** As `fetch` does, gives up when it is told to. */
function orAborted<Value>(value: Value, signal: AbortSignal | null | undefined): Promise<Awaited<Value>> {
  const aborted = new Promise<never>((_, reject) => {
    signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
  });
  return Promise.race([value, aborted]);
}

/** A response whose body breaks when one of the signals is given, as that of a connection does. */
export function cuttable(response: Response, signals: readonly AbortSignal[]): Response {
  if (response.body === null) return response;
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const signal of signals)
        signal.addEventListener('abort', () => {
          controller.error(new TypeError('cut'));
          void reader.cancel();
        });
    },
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: () => reader.cancel(),
  });
  return new Response(body, { status: response.status, headers: response.headers });
}

export interface Told {
  readonly subscription: Subscription;
  readonly events: Event[];
  /** Data of the events so far. */
  data(): unknown[];
  readonly gaps: MissingEvents[];
  readonly states: string[];
}

/** Subscribes, and keeps what is told. */
export function listen(link: Pick<Link, 'subscribe'>, topic: string, options: SubscribeOptions = {}): Told {
  const [events, gaps, states]: [Event[], MissingEvents[], string[]] = [[], [], []];
  const subscription = link.subscribe(topic, options, {
    onEvent: (event) => events.push(event),
    onGap: (gap) => gaps.push(gap),
    onState: (state) =>
      states.push(
        'why' in state ? `${state.kind} ${state.why}` : 'code' in state ? `${state.kind} ${state.code}` : state.kind,
      ),
  });
  return { subscription, events, data: () => events.map(({ data }) => data), gaps, states };
}

/** Waits until a subscription is live. */
export async function untilLive(...told: readonly Told[]): Promise<void> {
  for (const { subscription } of told)
    await expect.poll(() => subscription.state.kind, { timeout: 10_000 }).toBe('live');
}
