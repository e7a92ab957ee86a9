/**
 * Following a stream for as long as it takes: each cut is mended by asking again from the last position that was seen
 * (`Last-Event-ID`, protocol section 2), so that whoever reads sees one unbroken sequence of blocks.
 *
 * Reading waits for the consumer: bytes that it has not asked for stay in the socket, and the server knows what to do with a
 * slow reader.
 */
import type { ControlData } from '../protocol/control.ts';
import { HEARTBEAT_SECONDS } from '../protocol/limits.ts';
import { createSseParser, type SseBlock } from '../protocol/sse.ts';
import { createBackoff } from './backoff.ts';
import { pause } from './pause.ts';
import { ask, failureText, type Server } from './server.ts';

export interface FollowOptions {
  readonly fetch: typeof fetch;
  readonly server: Server;
  /** Path and query without a place to start. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Where to start, as query parameters, until a position is known. */
  readonly start: Readonly<Record<string, string>>;
  /** A position to go on from; it wins over `start`. */
  readonly position: string | undefined;
  /** `false` ends at the first cut. */
  readonly retry: boolean;
  readonly random: () => number;
  /** Ends everything. */
  readonly signal: AbortSignal;
}

export type Step =
  /** Finished blocks in order. Asking for the next step says that these have been dealt with. */
  | { readonly kind: 'blocks'; readonly blocks: readonly SseBlock[] }
  /** The line is cut, and is mended in `ms`. `attempt` counts from 1 since the last time that it was whole. */
  | { readonly kind: 'waiting'; readonly text: string; readonly ms: number; readonly attempt: number }
  /** The server said no; nothing follows. */
  | { readonly kind: 'refused'; readonly text: string }
  /** Not a Sluice server, or one that this client does not understand; nothing follows. */
  | { readonly kind: 'foreign'; readonly text: string }
  /** The line is cut and `retry` is off; nothing follows. */
  | { readonly kind: 'ended'; readonly text: string };

/** How a connection ended. */
type End =
  | { readonly kind: 'cut'; readonly text: string; readonly askedMs: number | undefined }
  | { readonly kind: 'refused' | 'foreign'; readonly text: string };

/** Milliseconds until a server must have said its first word. */
const FIRST_WORD_MS = 20_000;

export async function* follow(options: FollowOptions): AsyncGenerator<Step, void, void> {
  const { signal } = options;
  const backoff = createBackoff(options.random);
  const line: Line = { position: options.position, advanced: false, floorMs: 0 };
  let attempt = 0;
  while (!signal.aborted) {
    line.advanced = false;
    const end = yield* connection(options, line);
    if (signal.aborted) return;
    if (end.kind !== 'cut') return yield end;
    if (!options.retry) return yield { kind: 'ended', text: end.text };
    if (line.advanced) {
      backoff.reset();
      attempt = 0;
    }
    attempt += 1;
    const ms = backoff.next(Math.max(end.askedMs ?? 0, line.floorMs));
    yield { kind: 'waiting', text: end.text, ms, attempt };
    await pause(ms, signal);
  }
}

/** What is known across connections. */
interface Line {
  position: string | undefined;
  /**
   * Whether the connection at hand moved the position. One that is cut in the middle of a long replay has done so too: what
   * remains is less than before, and need not wait longer and longer.
   */
  advanced: boolean;
  /** The `retry:` of the stream: the least wait before asking again. */
  floorMs: number;
}

async function* connection(options: FollowOptions, line: Line): AsyncGenerator<Step, End, void> {
  const { server, signal } = options;
  const dead = new AbortController();
  const either = AbortSignal.any([dead.signal, signal]);
  let patienceMs = FIRST_WORD_MS;
  let closing: ControlData['close'] | undefined;
  const cut = (text: string, askedMs?: number): End => ({ kind: 'cut', text, askedMs });
  try {
    const query = new URLSearchParams(options.query);
    const headers: Record<string, string> = { Accept: 'text/event-stream' };
    if (line.position !== undefined) headers['Last-Event-ID'] = line.position;
    else for (const [name, value] of Object.entries(options.start)) query.set(name, value);
    const text = query.size === 0 ? options.path : `${options.path}?${query}`;
    const reply = await within(patienceMs, dead, ask(options.fetch, server, text, { headers, signal: either }));
    if (reply.kind === 'refused') return { kind: 'refused', text: reply.text };
    if (reply.kind === 'later') return cut(reply.text, reply.afterMs);
    const { body } = reply.response;
    if (body === null || !(reply.response.headers.get('content-type') ?? '').startsWith('text/event-stream'))
      return { kind: 'foreign', text: `${server.url} answered with no event stream: is this a Sluice server?` };

    let blocks: SseBlock[] = [];
    const parser = createSseParser((block) => blocks.push(block));
    const decoder = new TextDecoder();
    const reader = body.getReader();
    for (;;) {
      // The clock runs only while we wait for bytes, so a consumer that takes its time is not mistaken for a dead line.
      const { done, value } = await within(patienceMs, dead, reader.read());
      if (done) return cut(closing === undefined ? 'the stream was cut' : closeText(closing), closing?.retry);
      try {
        parser.push(decoder.decode(value, { stream: true }));
      } catch (error) {
        return { kind: 'foreign', text: `${server.url} sent what cannot be read: ${(error as Error).message}` };
      }
      if (blocks.length === 0) continue;
      for (const block of blocks) {
        const control = readControl(block);
        if (control?.name === 'open') patienceMs = patience(control.data.heartbeat);
        else if (control?.name === 'close') closing = control.data;
        else if (block.retry !== undefined) line.floorMs = block.retry;
      }
      yield { kind: 'blocks', blocks };
      const last = blocks.at(-1)?.id;
      if (last !== undefined && last !== '') {
        line.position = last;
        line.advanced = true;
      }
      blocks = [];
    }
  } catch (error) {
    if (closing !== undefined) return cut(closeText(closing), closing.retry);
    if (dead.signal.aborted) return cut(`${server.url} has been silent for ${Math.round(patienceMs / 1000)} s`);
    return cut(failureText(error, server));
  } finally {
    dead.abort();
  }
}

/** Waits for `work`, and ends the connection when it takes longer than `ms`. */
async function within<Value>(ms: number, dead: AbortController, work: Promise<Value>): Promise<Value> {
  const timer = setTimeout(() => dead.abort(), ms);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

/** How long a stream may be silent: two heartbeats, and some slack for the way (a fifth of both, at most 5 s). */
function patience(heartbeatSeconds: unknown): number {
  const seconds = typeof heartbeatSeconds === 'number' && heartbeatSeconds > 0 ? heartbeatSeconds : HEARTBEAT_SECONDS;
  return 2000 * seconds + Math.max(500, Math.min(5000, 400 * seconds));
}

function closeText(close: ControlData['close']): string {
  return `the server ended the stream (${close.reason})`;
}

type Read = { readonly [Name in keyof ControlData]: { readonly name: Name; readonly data: ControlData[Name] } };

/** A control event of a block; `undefined` for an ordinary event and for data that is not JSON. */
export function readControl(block: SseBlock): Read[keyof ControlData] | undefined {
  if (block.event?.startsWith('$') !== true) return undefined;
  try {
    return { name: block.event.slice(1), data: JSON.parse(block.data) } as Read[keyof ControlData];
  } catch {
    // Not from a Sluice server that keeps to the protocol: what it says about the stream is passed over.
    return undefined;
  }
}
