/**
 * What a connection falls back on where streams do not come through: long polls. Which of the two is opened is decided here, by what was
 * seen of the streams before; whoever reads is told that the line has ended and opens the next one, from where each topic stands.
 */
import { createEvidence } from './evidence.ts';
import { readPage } from './page.ts';
import { openPoll } from './poll-transport.ts';
import { openStream } from './stream-transport.ts';
import type { OpenTransport, Transport, TransportEnd } from './transport.ts';

/** Why streams are thought not to come through. */
export type Obstacle =
  /** The server answered at once, but the first bytes of the stream did not come. */
  | 'first-bytes-late'
  /** Heartbeats came in clumps. */
  | 'clumps';

export interface Fallback {
  readonly open: OpenTransport;
  /** Why polls are in use; `undefined` while they are not. */
  obstacle(): Obstacle | undefined;
  /** The network may be another: streams are tried again. */
  network(): void;
}

/** How long the first bytes of a stream may take, in ms, before another request is sent to see whether it is answered. */
const FIRST_BYTES_MS = 3000;
/** How long that other request may take, in ms. */
const PROBE_TIMEOUT_MS = 4000;
/** How much longer the stream has once it was answered, in ms. */
const AFTER_ANSWER_MS = 1000;
/** When streams are tried again: first, and at the latest, in ms. */
const FIRST_AGAIN_MS = 60_000;
const LAST_AGAIN_MS = 15 * 60_000;

/** There is nothing to wait for: the other way is open. */
const AT_ONCE: TransportEnd = { trouble: { kind: 'lost', why: 'obstructed' }, retryAfter: 0 };

/** Long polls; streams are tried again after a minute, and each time they do not come through, after twice as long, up to 15 minutes. */
export function longPoll(): Fallback {
  let obstacle: Obstacle | undefined;
  /** Doubled at each obstacle, so that the first wait is the first. */
  let again = FIRST_AGAIN_MS / 2;
  /** How to end each poll that is under way. */
  const polls = new Set<() => void>();

  const poll: OpenTransport = (topics, observer, context) => {
    function forget(): void {
      clearTimeout(timer);
      polls.delete(giveUp);
    }
    function stop(): void {
      forget();
      transport.close();
    }
    function giveUp(): void {
      stop();
      obstacle = undefined;
      observer.ended(AT_ONCE);
    }
    polls.add(giveUp);
    const timer = setTimeout(giveUp, again);
    const transport = openPoll(
      topics,
      {
        ...observer,
        ended(how) {
          forget();
          observer.ended(how);
        },
      },
      context,
    );
    return { ...transport, close: stop };
  };

  const stream: OpenTransport = (topics, observer, context) => {
    const evidence = createEvidence();
    let isOver = false;
    function stop(): void {
      isOver = true;
      clearTimeout(late);
      transport.close();
    }
    function obstruct(seen: Obstacle): void {
      stop();
      obstacle = seen;
      again = Math.min(again * 2, LAST_AGAIN_MS);
      observer.ended(AT_ONCE);
    }
    // Nothing came yet: whether that is the stream's fault, the same question tells, asked for as a page.
    const late = setTimeout(async () => {
      const page = await readPage(context.request, topics, 0, { timeout: PROBE_TIMEOUT_MS });
      // Both may have waited for the same token: then the stream was only just asked for.
      await new Promise((resolve) => setTimeout(resolve, AFTER_ANSWER_MS));
      if (!isOver && (!('trouble' in page) || page.trouble.kind === 'refused')) obstruct('first-bytes-late');
    }, FIRST_BYTES_MS);
    const transport: Transport = openStream(
      topics,
      {
        ...observer,
        open(data) {
          isOver = true;
          clearTimeout(late);
          again = FIRST_AGAIN_MS / 2;
          observer.open(data);
        },
        heartbeat(beat) {
          const found = evidence.heartbeat(Date.parse(beat.time), context.clock());
          observer.heartbeat(beat);
          if (found !== undefined) obstruct(found);
        },
        ended(how) {
          stop();
          observer.ended(how);
        },
      },
      context,
    );
    return { ...transport, paused: evidence.paused, close: stop };
  };

  return {
    open: (...all) => (obstacle === undefined ? stream : poll)(...all),
    obstacle: () => obstacle,
    network() {
      obstacle = undefined;
      for (const giveUp of [...polls]) giveUp();
    },
  };
}
