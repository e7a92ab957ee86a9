/** One reading of a topic by a connection: where it stands, and what it has seen. Shared by the subscriptions that want the same. */
import type { Gap } from '../../protocol/control.ts';
import { type Cursor, formatCursor, parseCursor, positionsIn } from '../../protocol/cursor.ts';
import type { Event } from '../../protocol/event.ts';
import type { WantedTopic } from '../connection/topic-sync.ts';
import type { LiveSubscription } from './live-subscription.ts';

/** What an event is to a reading: to be told; seen before; or too late, after others that should have come later. */
export type Arrival = 'new' | 'repeated' | 'late';

/** Where delivery goes on after a gap (protocol section 2.6). */
export function endOfGap({ reason, oldest, latest }: Gap): Cursor | undefined {
  return parseCursor(reason === 'ahead' ? latest : oldest);
}

export interface Wire extends WantedTopic {
  /** See `Plannable`. */
  readonly shape: string;
  /** Whose it is. */
  subscriptions: readonly LiveSubscription[];
  /** Whether replay is over, of all that it is to read. */
  live: boolean;
  /** Everything up to here was told; `undefined` while it is not known. */
  position(): Cursor | undefined;
  /** What came while somebody read history, to be told after it. Another list, where what was kept is not all any more. */
  kept: (readonly [Event, Cursor])[] | undefined;
  /** Whether to ask for presence too. */
  setPresence(wanted: boolean): void;
  /** Whoever comes later has to be told of all members first: a topic that is read anew begins with them. */
  tellMembers(): void;
  /**
   * Takes in an event.
   * @throws SyntaxError when the id is none of ours, or of another log, of which no gap has told: then whoever sent it is not to be believed
   */
  arrive(id: string): { readonly arrival: Arrival; readonly at: Cursor };
  /**
   * Everything up to this cursor, plain or compound, was told. Of another log than the events so far it is not believed: a gap would say so.
   * @returns whether it says anything of this topic
   */
  reach(cursor: string): boolean;
  /** Goes on after a gap. @returns from where */
  skip(gap: Gap): Cursor | undefined;
}

/** @param shape what is asked for of the topic, besides where to begin, as JSON */
export function createWire(topic: string, shape: string): Wire {
  let mark = {};
  let presence = false;
  /** Several where names cannot be told apart; then only the server knows which it is. */
  let positions: readonly Cursor[] = [];
  /** Up to here nothing was left out since the reading began: what comes from before is a repetition. Beyond, it may be missing. */
  let whole = 0;

  const position = () => (positions.length === 1 ? positions[0] : undefined);

  function begin(at: Cursor): void {
    positions = [at];
    whole = at.seq;
  }

  return {
    topic,
    shape,
    subscriptions: [],
    live: false,
    kept: undefined,
    position,
    mark: () => mark,
    request() {
      const after = positions.map(formatCursor).join('.') || 'latest';
      return { topic, after, ...JSON.parse(shape), presence: presence || undefined };
    },
    setPresence(wanted) {
      if (wanted !== presence) mark = {};
      presence = wanted;
    },
    tellMembers() {
      mark = {};
    },
    arrive(id) {
      const at = parseCursor(id);
      const now = position();
      if (!at || (now && now.epoch !== at.epoch)) throw new SyntaxError(id);
      if (!now) begin({ ...at, seq: at.seq - 1 });
      else if (at.seq <= now.seq) return { arrival: at.seq <= whole || at.seq === now.seq ? 'repeated' : 'late', at };
      positions = [at];
      if (at.seq === whole + 1) whole = at.seq;
      return { arrival: 'new', at };
    },
    reach(cursor) {
      const told = positionsIn(cursor, topic);
      const [next] = told;
      const now = position();
      if (told.length > 1) positions = told;
      else if (next && !now) begin(next);
      else if (next && next.epoch === now?.epoch && next.seq > now.seq) positions = told;
      return next !== undefined;
    },
    skip(gap) {
      const to = endOfGap(gap);
      if (to) begin(to);
      return to;
    },
  };
}
