/** The app as a client sees it, without a network: requests go to it directly, and streams are read as they come. */
import { createRealtime, type Realtime } from '../../src/http/realtime.ts';
import type { RealtimeOptions } from '../../src/http/realtime-options.ts';
import { createSseParser, type SseBlock } from '../../src/protocol/sse.ts';
import { SECRET, signHs256 } from '../auth/issuer.ts';
import { until } from '../support/until.ts';

export interface TokenClaims {
  readonly sub?: string;
  readonly jti?: string;
  readonly subscribe?: readonly string[];
  readonly publish?: readonly string[];
  readonly presence?: readonly string[];
  readonly admin?: boolean;
  /** Seconds from now; an hour unless told. */
  readonly expiresIn?: number;
}

/** Signs a token. */
export function tokenOf({
  subscribe,
  publish,
  presence,
  admin,
  expiresIn = 3600,
  ...claims
}: TokenClaims = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return signHs256({ ...claims, iat: now, exp: now + expiresIn, sluice: { subscribe, publish, presence, admin } });
}

export const EVERYTHING: TokenClaims = {
  sub: 'root',
  subscribe: ['**'],
  publish: ['**'],
  presence: ['**'],
  admin: true,
};

export interface Ask {
  readonly method?: string;
  /** Claims of a token to send, or `null` for none; everything is granted unless told. */
  readonly as?: TokenClaims | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, or as it is when it is text, bytes or a stream. */
  readonly body?: unknown;
  readonly type?: string;
  readonly signal?: AbortSignal;
}

export interface Streaming {
  readonly response: Response;
  readonly blocks: readonly SseBlock[];
  /** Data of the events so far. */
  data(): readonly any[];
  control(name: string): readonly any[];
  /** Waits for a control event, and gives its data. */
  told(name: string): Promise<any>;
  /** Whether the body has ended. */
  ended(): boolean;
  close(): Promise<void>;
}

export class TestApp {
  readonly realtime: Realtime;
  /** Where it is reached: the app itself, unless it is mounted. */
  request: (url: string, init: RequestInit) => Response | Promise<Response>;
  readonly #streams: Streaming[] = [];

  constructor(options: RealtimeOptions = {}) {
    this.realtime = createRealtime({ ...options, auth: { secret: SECRET, ...options.auth } });
    this.request = (url, init) => this.realtime.request(url, init);
  }

  async ask(path: string, { method, as = EVERYTHING, headers = {}, body, type, signal }: Ask = {}): Promise<Response> {
    const all = new Headers(headers);
    if (as !== null) all.set('Authorization', `Bearer ${await tokenOf(as)}`);
    const raw = typeof body === 'string' || body instanceof Uint8Array || body instanceof ReadableStream;
    if (body !== undefined && !all.has('Content-Type')) all.set('Content-Type', type ?? 'application/json');
    const init: RequestInit & { duplex?: 'half' } = {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: all,
      ...(signal && { signal }),
      ...(body !== undefined && { body: (raw ? body : JSON.stringify(body)) as BodyInit, duplex: 'half' }),
    };
    return this.request(path, init);
  }

  async json(path: string, ask?: Ask): Promise<{ status: number; body: any; headers: Headers }> {
    const response = await this.ask(path, ask);
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text), headers: response.headers };
  }

  /** Status and code of a refusal. */
  async refusal(path: string, ask?: Ask): Promise<string> {
    const { status, body, headers } = await this.json(path, ask);
    const type = headers.get('Content-Type');
    return type === 'application/problem+json' ? `${status} ${body.code}` : `${status} ${type}`;
  }

  /** Publishes one event for each value; gives their ids. */
  async publish(topic: string, ...data: readonly unknown[]): Promise<readonly string[]> {
    const { status, body } = await this.json(`/v1/topics/${encodeURIComponent(topic)}/events`, {
      body: data.map((each) => ({ data: each })),
    });
    if (status !== 201) throw new Error(`publishing gave ${status}`);
    return body.events.map(({ id }: { id: string }) => id);
  }

  async stream(path: string, ask?: Ask): Promise<Streaming> {
    const response = await this.ask(path, ask);
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
    const blocks: SseBlock[] = [];
    const parser = createSseParser((block) => blocks.push(block));
    const reader = response.body!.getReader();
    let ended = false;
    const reading = (async () => {
      const decoder = new TextDecoder();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        parser.push(decoder.decode(value, { stream: true }));
      }
      ended = true;
    })();
    const control = (name: string) =>
      blocks.filter(({ event }) => event === `$${name}`).map(({ data }) => JSON.parse(data));
    const streaming: Streaming = {
      response,
      blocks,
      data: () => blocks.filter(({ event }) => !event?.startsWith('$')).map(({ data }) => JSON.parse(data).data),
      control,
      async told(name) {
        await until(`$${name}`, () => control(name).length > 0);
        return control(name).at(-1);
      },
      ended: () => ended,
      async close() {
        await reader.cancel();
        await reading;
      },
    };
    this.#streams.push(streaming);
    return streaming;
  }

  async close(): Promise<void> {
    for (const streaming of this.#streams) await streaming.close();
    await this.realtime.close();
  }
}

/** Apps that are closed after each test. */
export function testApps(afterEach: (work: () => Promise<void>) => void): (options?: RealtimeOptions) => TestApp {
  const apps: TestApp[] = [];
  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close();
  });
  return (options) => {
    const app = new TestApp(options);
    apps.push(app);
    return app;
  };
}
