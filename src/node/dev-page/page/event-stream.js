/**
 * The stream of the watched topics over the browser's own `EventSource`, which reconnects and resumes by itself.
 *
 * The line can also be cut on purpose: the stream is closed, events go on without us, and the next stream begins with the last
 * id that was seen.
 */
import { manyEventsPath, problemText } from './addresses.js';
import { createContinuity } from './continuity.js';

/** Events of a topic's past that are shown when it begins to be watched. */
const PAST = 20;
/** How long a cut lasts unless it is ended by hand, and how long until another try after a refusal, in ms. */
const CUT_MS = 4000;
const RETRY_MS = 5000;
const CONTROLS = ['$open', '$ready', '$gap', '$heartbeat', '$presence', '$expiring', '$close'];

/** @param listener called with `{kind: 'event'|'control'|'state'|'verdict', …}` in order */
export function createEventStream({ listener }) {
  let topics = [];
  let source;
  let cursor;
  let timer;
  let cut;
  /** Topics that joined a stream which goes on from a cursor: their past is fetched once it is ready. */
  let newcomers = [];
  /** Ids that came from the past of a newcomer, and may still come down the stream. */
  let fetched = new Set();
  const continuity = createContinuity();

  const say = (state, text) => listener({ kind: 'state', state, text });

  function close() {
    clearTimeout(timer);
    source?.close();
    source = undefined;
  }

  function open() {
    close();
    if (topics.length === 0) return say('idle', 'not watching');
    const start = cursor === undefined ? { last: String(PAST) } : { lastEventId: cursor };
    const path = manyEventsPath(topics, start);
    say('opening', 'connecting');
    source = new EventSource(path);
    source.onmessage = receive;
    for (const name of CONTROLS) source.addEventListener(name, control);
    source.onerror = () => {
      if (source?.readyState === EventSource.CLOSED) void refused();
      else say('retrying', 'reconnecting');
    };
  }

  function receive(block) {
    if (block.lastEventId !== '') cursor = block.lastEventId;
    const event = JSON.parse(block.data);
    // Its topic's past was fetched while it was already on its way.
    if (event.id !== undefined && fetched.delete(event.id)) return;
    const order = continuity.see(event);
    if (cut?.back) cut.count(order);
    listener({ kind: 'event', event, order, replayed: cut?.back === true });
  }

  function control(block) {
    if (block.lastEventId !== '') cursor = block.lastEventId;
    const name = block.type.slice(1);
    const data = JSON.parse(block.data);
    listener({ kind: 'control', name, data, at: Date.now() });
    if (name === 'gap') continuity.forget(data.topic);
    if (name === 'close') say('retrying', `closed by the server: ${data.reason}`);
    if (name !== 'ready') return;
    say('live', 'live');
    if (cut?.back) listener({ kind: 'verdict', ...cut.verdict() });
    cut = undefined;
    const joined = newcomers;
    newcomers = [];
    if (joined.length > 0) void past(joined);
  }

  /** A native `EventSource` tells nothing of a refusal, so the same is asked as a page, and then tried again. */
  async function refused() {
    source = undefined;
    say('ended', 'refused');
    timer = setTimeout(open, RETRY_MS);
    try {
      const response = await fetch(manyEventsPath(topics, { format: 'json', limit: '1', after: 'latest' }));
      if (!response.ok) say('ended', await problemText(response));
    } catch {
      say('retrying', 'the server cannot be reached');
    }
  }

  /** What topics held before they joined. The stream is live already, so nothing can fall between the two. */
  async function past(joined) {
    try {
      const response = await fetch(manyEventsPath(joined, { format: 'json', last: String(PAST) }));
      if (!response.ok) throw new Error(await problemText(response));
      const { events } = await response.json();
      const fresh = events.filter((event) => continuity.see(event) !== 'repeat');
      fetched = new Set(fresh.map((event) => event.id));
      for (const event of fresh) listener({ kind: 'event', event, order: 'next', past: true });
    } catch (error) {
      say('live', `live, but the past cannot be read: ${error.message}`);
    }
  }

  return {
    cursor: () => cursor,
    /** Changes the topics; those that stay go on where they are. */
    watch(next) {
      if (cursor !== undefined)
        newcomers = next.filter((topic) => !topics.includes(topic) || newcomers.includes(topic));
      const stays = next.some((topic) => topics.includes(topic));
      topics = [...next];
      if (!stays) {
        newcomers = [];
        cursor = undefined;
        cut = undefined;
        continuity.clear();
      }
      if (cut === undefined || cut.back) open();
    },
    /** Closes the line, and opens it again after a while, or when called once more. */
    cut() {
      if (cut !== undefined && !cut.back) return this.rejoin();
      if (source === undefined || cursor === undefined) return;
      close();
      cut = createCut();
      say('cut', 'line cut: events go on without this page');
      timer = setTimeout(() => this.rejoin(), CUT_MS);
    },
    rejoin() {
      if (cut !== undefined) cut.back = true;
      open();
    },
    isCut: () => cut !== undefined && !cut.back,
  };
}

/** Counts what comes between the end of a cut and the next `$ready`. */
function createCut() {
  const began = Date.now();
  const counts = { first: 0, next: 0, hole: 0, repeat: 0 };
  return {
    back: false,
    count(order) {
      if (order in counts) counts[order] += 1;
    },
    verdict: () => ({
      ms: Date.now() - began,
      replayed: counts.first + counts.next + counts.hole,
      holes: counts.hole,
      repeats: counts.repeat,
    }),
  };
}
