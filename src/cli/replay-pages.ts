/** Reading a topic's past by pages (protocol section 2), each event as the text that the server sent. */
import type { Gap } from '../protocol/control.ts';
import { splitObject, textOfRaw } from '../records/row-text.ts';
import { createBackoff } from './backoff.ts';
import type { Context } from './context.ts';
import { CommandError, EXIT } from './exit.ts';
import { pause } from './pause.ts';
import { ask, laterOf, type Reply, type Server } from './server.ts';

export interface PastEvent {
  /** JSON on one line. */
  readonly json: string;
  /** Milliseconds since 1970. */
  readonly time: number;
}

export interface PastPage {
  readonly events: readonly PastEvent[];
  readonly gap: Gap | undefined;
}

export interface PagesOptions {
  readonly server: Server;
  readonly topic: string;
  /** Where to start, as a query parameter. */
  readonly start: Readonly<Record<string, string>>;
  /** `false` ends at the first failure. */
  readonly retry: boolean;
}

const LIMIT = 500;
/** Milliseconds for one page. */
const PATIENCE_MS = 30_000;

/**
 * The pages of a topic up to its end, each asked for when the one before has been dealt with. Ends early when the command is
 * interrupted.
 * @throws CommandError
 */
export async function* pagesOf(context: Context, options: PagesOptions): AsyncGenerator<PastPage, void, void> {
  const { server, topic } = options;
  const { signal } = context.interruption;
  let start = options.start;
  const backoff = createBackoff(context.random);
  for (let outage = false; !signal.aborted; ) {
    const query = new URLSearchParams({ format: 'json', limit: String(LIMIT), ...start });
    const reply = await readText(context, server, `/v1/topics/${encodeURIComponent(topic)}/events?${query}`);
    if (signal.aborted) return;
    if (reply.kind === 'refused') throw new CommandError(EXIT.refused, reply.text);
    if (reply.kind === 'later') {
      if (!options.retry) throw new CommandError(EXIT.unreachable, reply.text);
      if (!outage) context.terminal.say(`sluice: ${reply.text}; trying again`);
      outage = true;
      await pause(backoff.next(reply.afterMs), signal);
      continue;
    }
    backoff.reset();
    outage = false;
    const page = readPage(reply.text);
    if (page === undefined)
      throw new CommandError(
        EXIT.failure,
        `${server.url} answered with something else than events: is this a Sluice server?`,
      );
    yield page;
    if (!page.more) return;
    start = { after: page.cursor };
  }
}

type Answer = Exclude<Reply, { readonly kind: 'ok' }> | { readonly kind: 'text'; readonly text: string };

async function readText(context: Context, server: Server, path: string): Promise<Answer> {
  const timer = AbortSignal.timeout(PATIENCE_MS);
  try {
    const reply = await ask(context.fetch, server, path, {
      signal: AbortSignal.any([timer, context.interruption.signal]),
    });
    return reply.kind === 'ok' ? { kind: 'text', text: await reply.response.text() } : reply;
  } catch (error) {
    if (!timer.aborted) return laterOf(error, server);
    const text = `${server.url} did not answer within ${PATIENCE_MS / 1000} s`;
    return { kind: 'later', text, answered: false, afterMs: undefined };
  }
}

/** @returns `undefined` for what is no page */
function readPage(text: string): (PastPage & { readonly cursor: string; readonly more: boolean }) | undefined {
  try {
    // What is cut below is known to be JSON.
    const { cursor, more, gap } = JSON.parse(text) as { cursor: unknown; more: unknown; gap?: Gap };
    const events = splitArray(splitObject(text).get('events') ?? '').map((json) => {
      const time = Date.parse(textOfRaw(splitObject(json).get('time') ?? ''));
      if (Number.isNaN(time)) throw new TypeError('an event without a time');
      return { json, time };
    });
    return typeof cursor === 'string' ? { events, cursor, more: more === true, gap } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/** The elements of an array of objects, as they stand: parsed and written again, numbers of many digits would be others. */
function splitArray(json: string): readonly string[] {
  if (!json.startsWith('[')) throw new TypeError('not an array');
  const elements: string[] = [];
  let depth = 0;
  let start = 0;
  for (const { 0: token, index } of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{}]/g)) {
    if (token === '[' || token === '{') {
      depth += 1;
      if (depth === 2) start = index;
    } else if (token === ']' || token === '}') {
      if (depth === 2) elements.push(json.slice(start, index + 1));
      depth -= 1;
    }
  }
  return elements;
}
