/** The people of the crash tests: publishers that do not give up, and readers that come back from where they were. */
import { randomUUID } from 'node:crypto';
import { type Block, openSse, type SseConnection } from '../support/sse-client.ts';
import { pause } from '../support/until.ts';

/** How long to wait before the next attempt when a server is away, in ms. */
const AGAIN_MS = 15;

export interface Seen {
  readonly id: string;
  readonly topic: string;
  readonly data: unknown;
}

export function eventsPath(topic: string): string {
  return `/v1/topics/${encodeURIComponent(topic)}/events`;
}

/**
 * Publishes events until the server has said that it has them.
 * @returns what was acknowledged, and how often it was asked
 */
export async function publishUntilAcknowledged(
  port: number,
  topic: string,
  data: readonly unknown[],
): Promise<{ readonly events: readonly Seen[]; readonly attempts: number }> {
  const key = randomUUID();
  const body = JSON.stringify(data.map((value) => ({ data: value })));
  for (let attempts = 1; ; attempts += 1) {
    const answer = await post(port, topic, body, key);
    if (answer?.status === 201) {
      const { events } = JSON.parse(answer.text) as { readonly events: readonly { readonly id: string }[] };
      return { events: events.map(({ id }, index) => ({ id, topic, data: data[index] })), attempts };
    }
    // Away, or on its way back; everything else would be a fault.
    if (answer !== undefined && answer.status !== 503)
      throw new Error(`publish answered ${answer.status}: ${answer.text}`);
    await pause(AGAIN_MS);
  }
}

/** One POST; `undefined` when the line broke, at whatever point. */
async function post(port: number, topic: string, body: string, key: string) {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${eventsPath(topic)}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
      body,
      signal: AbortSignal.timeout(15_000),
    });
    return { status: response.status, text: await response.text() };
  } catch {
    // Whatever it was, nobody can say what became of the write: that is what the key is for.
    return undefined;
  }
}

export interface Reader {
  readonly events: readonly Seen[];
  /** Names and data of the control events, in order. */
  readonly controls: readonly (readonly [name: string, data: unknown])[];
  /** How often it connected. */
  readonly connections: () => number;
  readonly connection: () => SseConnection;
  close(): void;
}

/**
 * Follows topics from their beginning, and comes back by `Last-Event-ID` whenever the line breaks.
 * @param keep what is kept of each event
 */
export function follow(port: number, topics: readonly string[], keep = (event: Seen): Seen => event): Reader {
  const [only] = topics;
  const path =
    topics.length === 1 && only !== undefined
      ? `${eventsPath(only)}?after=earliest`
      : `/v1/events?after=earliest${topics.map((topic) => `&topic=${encodeURIComponent(topic)}`).join('')}`;
  const events: Seen[] = [];
  const controls: (readonly [string, unknown])[] = [];
  let last: string | undefined;
  let connections = 0;
  let closed = false;

  function onBlock({ event, id, data }: Block): void {
    if (id !== undefined) last = id;
    if (event !== undefined) controls.push([event, JSON.parse(data)]);
    else if (data !== '') events.push(keep(pick(JSON.parse(data))));
  }

  function connect(): SseConnection {
    connections += 1;
    return openSse({
      port,
      path,
      lastEventId: last,
      onBlock,
      onEnd: () => {
        setTimeout(() => {
          if (!closed) connection = connect();
        }, AGAIN_MS);
      },
    });
  }

  let connection = connect();
  return {
    events,
    controls,
    connections: () => connections,
    connection: () => connection,
    close() {
      closed = true;
      connection.close();
    },
  };
}

/** The whole log of a topic, page by page. */
export async function readLog(port: number, topic: string): Promise<readonly Seen[]> {
  const events: Seen[] = [];
  for (let after = 'earliest'; ; ) {
    const response = await fetch(`http://127.0.0.1:${port}${eventsPath(topic)}?format=json&limit=1000&after=${after}`);
    if (!response.ok) throw new Error(`reading the log answered ${response.status}: ${await response.text()}`);
    const page = (await response.json()) as { events: Seen[]; cursor: string; more: boolean; gap?: unknown };
    if (page.gap !== undefined) throw new Error(`the log has a gap: ${JSON.stringify(page.gap)}`);
    events.push(...page.events.map(pick));
    if (!page.more) return events;
    after = page.cursor;
  }
}

function pick({ id, topic, data }: Seen): Seen {
  return { id, topic, data };
}

/** The seq in an event's id. */
export function seqOf(id: string): number {
  return Number(id.slice(id.lastIndexOf('-') + 1));
}
