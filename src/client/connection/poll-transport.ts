/** Reading by long polls, where streams do not come through. */
import { type Page, readPage } from './page.ts';
import type { OpenTransport, TopicRequest, TransportEnd } from './transport.ts';

/** How long a poll waits, in s: below what proxies commonly allow. Halved, down to the least, when one does not allow even this. */
const WAIT_S = 25;
const LEAST_WAIT_S = 5;

/** How much longer than its wait a poll may take, in ms. */
const GRACE_MS = 10_000;

export const openPoll: OpenTransport = (topics, observer, { request, clock }) => {
  const wanted = new Map(topics.map((topic) => [topic.topic, topic]));
  let polling = new AbortController();
  let done = false;
  let opened = false;
  let fresh = true;
  let wait = WAIT_S;
  let lastHeard = clock();

  async function run(): Promise<void> {
    while (!done) {
      const asked = [...wanted.values()];
      // Of a topic that is new here it is told at once where it stands, and that it is live.
      const seconds = fresh ? 0 : wait;
      fresh = false;
      const { signal } = polling;
      const page = await readPage(request, asked, seconds, {
        signal,
        timeout: seconds * 1000 + GRACE_MS,
      });
      if (done) return;
      if (signal.aborted) polling = new AbortController();
      else if (!('trouble' in page)) tryToTake(page, asked);
      else if (seconds > LEAST_WAIT_S && isCut(page)) wait = Math.max(LEAST_WAIT_S, wait >> 1);
      else {
        done = true;
        observer.ended(page);
      }
    }
  }

  function tryToTake(page: Page, asked: readonly TopicRequest[]): void {
    try {
      take(page, asked);
    } catch {
      // An event without a place: whoever answers here is not a server of this protocol.
      done = true;
      observer.ended({ trouble: { kind: 'lost', why: 'malformed' } });
    }
  }

  function take({ events, cursor, more, gap }: Page, asked: readonly TopicRequest[]): void {
    lastHeard = clock();
    if (!opened) observer.open({ stream: '', heartbeat: wait, topics: [] });
    opened = true;
    if (gap !== undefined) observer.gap(gap);
    for (const event of events) observer.event(event);
    // The next page begins here, for the topics that nobody has asked to be read from elsewhere meanwhile.
    for (const topic of asked)
      if (wanted.get(topic.topic) === topic) wanted.set(topic.topic, { ...topic, after: cursor });
    if (more) observer.heartbeat({ time: '', cursor });
    else observer.ready({ cursor });
  }

  void run();

  return {
    kind: 'poll',
    lastHeard: () => lastHeard,
    async change(add, remove) {
      for (const topic of remove) wanted.delete(topic);
      for (const topic of add) wanted.set(topic.topic, topic);
      fresh = true;
      polling.abort();
      return undefined;
    },
    // Each poll carries the token of its moment.
    renew: async () => true,
    close() {
      done = true;
      polling.abort();
    },
  };
};

/** A proxy that cuts what waits says 504, or nothing. */
function isCut({ trouble }: TransportEnd): boolean {
  return trouble.kind === 'strange' ? trouble.status === 504 : 'why' in trouble && trouble.why === 'timeout';
}
