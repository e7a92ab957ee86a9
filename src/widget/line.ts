/**
 * A line to a server: one native `EventSource` for the topics of all readers with the same ticket and filter.
 *
 * `line-state.ts` decides; this does it. A line goes on from its own cursor after a cut, and from a stream to polls and back. Whoever
 * comes to it later catches up by pages, once it is live (`reader.ts`).
 */
import type { Event } from '../protocol/event.ts';
import { IDLE, type LineEvent, type Phase, type Status, statusOf, step } from './line-state.ts';
import { type Answer, readPage } from './page.ts';
import type { Reader } from './reader.ts';

/** Where a line leads, and what it asks for. Readers with an equal one can share it. */
export interface LineAddress {
  /** The server's URL, with a slash at the end. */
  readonly server: string;
  readonly ticket: string;
  /** Conditions as in protocol section 2.3, one a line. */
  readonly filter: string;
}

export interface Line {
  readonly address: LineAddress;
  status(): Status;
  /** The topics of its readers. */
  topics(): ReadonlySet<string>;
  join(reader: Reader): void;
  leave(reader: Reader): void;
  /** The page is seen again, or there is a network again. */
  wake(how: 'shown' | 'online'): void;
  /** Tells every reader, and who else wants to know, how the line is. */
  tell(): void;
}

type Parameters = Readonly<Record<string, string>>;

/** Topics come and go together when a page is drawn: a line is opened once for all of them, after so long, in ms. */
const GATHER_MS = 20;
/** How long a poll waits, in s: below what proxies commonly allow. */
const WAIT_S = 25;
/** How long a page may take beyond what it waits, in ms. */
const PAGE_MS = 10_000;
const CONTROLS = ['message', '$open', '$ready', '$gap', '$heartbeat', '$expiring', '$close'];

/** @param changed called when its status or its readers may have changed */
export function createLine(address: LineAddress, changed: (line: Line) => void): Line {
  const readers = new Set<Reader>();
  let state = IDLE;
  /** The topics that are asked for now, in their order. */
  let asked: readonly string[] = [];
  /** Topics that the server refuses, and by which code. */
  const refused = new Map<string, string>();
  let cursor: string | undefined;
  /** The topics that the cursor holds. */
  let held: readonly string[] = [];
  let run = new AbortController();
  /** Whether whatever commits now will arrive. */
  let isLive = false;
  /** Readers who wait for a page. */
  let busy = new Map<Reader, Promise<Answer>>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let gathering: ReturnType<typeof setTimeout> | undefined;

  const topics = () => new Set(Array.from(readers, ({ topic }) => topic));
  const of = (topic: string) => [...readers].filter((reader) => reader.topic === topic);
  const status = () => (asked.length === 0 && refused.size > 0 ? 'refused' : statusOf(state, navigator.onLine));

  function tell(): void {
    for (const { topic, observer } of readers) {
      const code = refused.get(topic);
      observer.status(code === undefined ? status() : 'refused', code);
    }
    changed(line);
  }

  function gather(): void {
    clearTimeout(gathering);
    gathering = setTimeout(settle, GATHER_MS);
  }

  /** Asks for the topics that are wanted now. */
  function settle(): void {
    const all = topics();
    for (const topic of refused.keys()) if (!all.has(topic)) refused.delete(topic);
    const wanted = [...all].filter((topic) => !refused.has(topic)).sort();
    const isSame = JSON.stringify(wanted) === JSON.stringify(asked);
    asked = wanted;
    if (isSame) catchUp();
    else dispatch(wanted.length === 0 ? 'unwanted' : 'wanted');
    tell();
  }

  function dispatch(event: LineEvent, retry?: number): void {
    const before = status();
    const { state: next, entered, ms } = step(state, event, { now: Date.now(), random: Math.random(), retry });
    state = next;
    if (entered || ms !== undefined) clearTimeout(timer);
    if (ms !== undefined) timer = setTimeout(dispatch, ms, 'due');
    if (entered) ENTER[next.phase]();
    if (status() !== before) tell();
  }

  /** Ends what was before. */
  function begin(): AbortSignal {
    run.abort();
    run = new AbortController();
    isLive = false;
    busy = new Map();
    // To a reader of one topic the cursor of others would be a gap.
    if (!asked.some((topic) => held.includes(topic))) cursor = undefined;
    return run.signal;
  }

  function url(of: readonly string[], parameters: Parameters): string {
    const { server, ticket, filter } = address;
    const query = new URLSearchParams(parameters);
    for (const topic of of) query.append('topic', topic);
    for (const each of filter.split('\n')) if (each.trim()) query.append('filter', each.trim());
    if (ticket) query.set('ticket', ticket);
    return `${server}v1/events?${query}`;
  }

  function page(of: readonly string[], parameters: Parameters): Promise<Answer> {
    const timeout = Number(parameters['wait'] ?? 0) * 1000 + PAGE_MS;
    return readPage(url(of, { format: 'json', limit: '1000', ...parameters }), run.signal, timeout);
  }

  const test = (of: readonly string[]) => page(of, { after: 'latest', limit: '1' });

  function open(): void {
    const signal = begin();
    const source = new EventSource(url(asked, cursor === undefined ? {} : { after: cursor }));
    signal.onabort = () => source.close();
    // The browser would come back by itself, but not after every end, and at a fixed pace: so we do, in the same way always.
    source.onerror = () => dispatch('failed');
    for (const name of CONTROLS)
      source.addEventListener(name, ({ data, lastEventId }: MessageEvent<string>) => {
        if (lastEventId) reach(lastEventId);
        dispatch('heard');
        const told = JSON.parse(data);
        if (name === 'message') take(told);
        else if (name === '$ready') begun();
        else if (name === '$gap') {
          for (const reader of of(told.topic)) reader.takeGap(told);
          catchUp();
        } else if (name === '$expiring') for (const { observer } of readers) observer.expiring(told.at);
        else if (name === '$close') dispatch('failed', told.retry);
      });
  }

  async function poll(): Promise<void> {
    const signal = begin();
    // The first tells at once where every topic stands.
    for (let wait = 0; ; wait = WAIT_S) {
      const answer = await page(asked, { after: cursor ?? 'latest', wait: `${wait}` });
      if (signal.aborted) return;
      const read = answer.page;
      if (read === undefined) return answer.code === undefined ? dispatch('failed') : refuse(answer.code);
      dispatch('heard');
      const { gap } = read;
      if (gap !== undefined) for (const reader of of(gap.topic)) reader.takeGap(gap);
      read.events.forEach(take);
      reach(read.cursor);
      if (wait === 0) begun();
      else catchUp();
    }
  }

  async function check(): Promise<void> {
    const { signal } = run;
    const answer = await test(asked);
    if (signal.aborted) return;
    if (answer.code === undefined) dispatch(answer.page === undefined ? 'unanswered' : 'answered');
    else await refuse(answer.code);
  }

  /** What is refused may be one topic of many: the others need not suffer for it. */
  async function refuse(code: string): Promise<void> {
    const { signal } = run;
    for (const topic of asked) {
      const answer = asked.length === 1 ? { code } : await test([topic]);
      if (signal.aborted) return;
      if (answer.code !== undefined) deny(topic, answer.code);
    }
    // Each alone is allowed, but not all of them together.
    if (!asked.some((topic) => refused.has(topic))) for (const topic of asked) deny(topic, code);
    settle();
  }

  function deny(topic: string, code: string): void {
    refused.set(topic, code);
    console.warn(`sluice: ${topic} is refused: ${code}`);
  }

  function reach(to: string): void {
    cursor = to;
    held = asked;
  }

  function take(event: Event): void {
    for (const reader of of(event.topic)) reader.take(event);
  }

  function begun(): void {
    isLive = true;
    catchUp();
  }

  /** Reads pages for those who have something to catch up on. */
  function catchUp(): void {
    const behind = [...readers].filter(
      (reader) => isLive && reader.pending() && asked.includes(reader.topic) && !busy.has(reader),
    );
    // Who asks for the same shares it.
    for (const group of Map.groupBy(behind, ({ topic, start }) => JSON.stringify([topic, start()])).values())
      void read(group);
  }

  async function read(group: readonly Reader[]): Promise<void> {
    const { signal } = run;
    const [first] = group;
    if (first === undefined) return;
    const asking = page([first.topic], first.start());
    for (const reader of group) busy.set(reader, asking);
    const answer = await asking;
    if (signal.aborted) return;
    if (answer.code !== undefined) {
      deny(first.topic, answer.code);
      settle();
    } else if (answer.page === undefined) dispatch('failed');
    else {
      for (const reader of group) {
        // Who has left meanwhile, and may have come back, has missed what the page does not tell.
        if (busy.get(reader) !== asking) continue;
        busy.delete(reader);
        reader.takePage(answer.page);
      }
      // There may be more.
      catchUp();
    }
  }

  const ENTER: Readonly<Record<Phase, () => void>> = {
    idle: begin,
    opening: open,
    checking: check,
    open() {},
    waiting: begin,
    polling: poll,
  };

  const line: Line = {
    address,
    status,
    topics,
    tell,
    join(reader) {
      readers.add(reader);
      gather();
    },
    leave(reader) {
      readers.delete(reader);
      busy.delete(reader);
      reader.pause();
      gather();
    },
    wake(how) {
      dispatch(how);
      tell();
    },
  };
  return line;
}
