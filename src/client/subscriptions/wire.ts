/** One reading of a topic by a connection: where it stands, and what it has seen. Shared by the subscriptions that want the same. */
import type { Gap } from '../../protocol/control.ts';
import { type Cursor, formatCompoundCursor, parseCursor } from '../../protocol/cursor.ts';
import type { WantedTopic } from '../connection/topic-sync.ts';
import type { TopicRequest } from '../connection/transport.ts';
import type { PresenceChange, PresentMember } from '../subscription.ts';

/** What is asked for of a topic, besides where to begin. */
export type Parameters = Pick<TopicRequest, 'filter' | 'types' | 'conflate'>;

/**
 * What an event is to a reading: to be told; seen before; too late, after others that should have come later; or of another log, of which
 * no gap told.
 */
export type Arrival = 'new' | 'repeated' | 'late' | 'foreign';

export interface Wire extends WantedTopic {
  /** See `Plannable`. */
  readonly shape: string;
  /** Whether replay is over, of all that it is to read. */
  live: boolean;
  /** Everything up to here was told; `undefined` while it is not known. */
  position(): Cursor | undefined;
  /** The newest place that it has ever been at. */
  newest(): Cursor | undefined;
  /** Who is there, as far as the server told; `undefined` before it has. */
  members(): ReadonlyMap<string, PresentMember> | undefined;
  /** Whether to ask for presence too. */
  setPresence(wanted: boolean): void;
  /** @returns what is to be told: of a sync that comes in parts, the whole */
  noteMembers(change: PresenceChange): PresenceChange | undefined;
  /** Takes in an event. @throws SyntaxError when the id is none of ours: then whoever sent it is not to be believed */
  arrive(id: string): { readonly arrival: Arrival; readonly at: Cursor };
  /** Everything up to these positions was told. Of another log than the events so far it is not believed: a gap would say so. */
  reach(positions: readonly Cursor[]): void;
  /** Goes on after a gap. @returns from where */
  skip(gap: Gap): Cursor | undefined;
}

/** @param parameters what is asked for of the topic, besides where to begin */
export function createWire(topic: string, shape: string, parameters: Parameters): Wire {
  let mark = {};
  let presence = false;
  /** Several where names cannot be told apart; then only the server knows which it is. */
  let positions: readonly Cursor[] = [];
  let newest: Cursor | undefined;
  let members: Map<string, PresentMember> | undefined;
  /** Of a sync that is not complete. */
  let parts: PresentMember[] = [];
  /** Up to here nothing was left out since the reading began: what comes from before is a repetition. Beyond, it may be missing. */
  let whole = 0;

  const position = () => (positions.length === 1 ? positions[0] : undefined);

  function move(to: Cursor): void {
    positions = [to];
    if (newest?.epoch !== to.epoch || newest.seq < to.seq) newest = to;
  }

  function begin(at: Cursor): void {
    move(at);
    whole = at.seq;
  }

  return {
    topic,
    shape,
    live: false,
    position,
    mark: () => mark,
    newest: () => newest,
    members: () => members,
    request() {
      const after = positions.length > 0 ? formatCompoundCursor(positions) : 'latest';
      return { topic, after, ...parameters, presence: presence || undefined };
    },
    setPresence(wanted) {
      if (wanted === presence) return;
      presence = wanted;
      members = undefined;
      parts = [];
      mark = {};
    },
    noteMembers(change) {
      if (change.change === 'sync') {
        parts.push(...change.members);
        if (change.more) return undefined;
        members = new Map(parts.map((member) => [member.member, member]));
        parts = [];
        return { topic, change: 'sync', members: [...members.values()] };
      }
      const { member, state } = change;
      const since = 'since' in change ? change.since : (members?.get(member)?.since ?? '');
      if (change.change === 'leave') members?.delete(member);
      else members?.set(member, { member, state, since });
      return change;
    },
    arrive(id) {
      const at = parseCursor(id);
      if (at === undefined) throw new SyntaxError('not a cursor');
      const now = position();
      const foreign = now !== undefined && now.epoch !== at.epoch;
      if (now !== undefined && !foreign && at.seq <= now.seq)
        return { arrival: at.seq <= whole || at.seq === now.seq ? 'repeated' : 'late', at };
      if (now === undefined || foreign) begin({ ...at, seq: at.seq - 1 });
      move(at);
      if (at.seq === whole + 1) whole = at.seq;
      return { arrival: foreign ? 'foreign' : 'new', at };
    },
    reach(told) {
      const [next] = told;
      const now = position();
      if (told.length > 1) positions = told;
      else if (next !== undefined && now === undefined) begin(next);
      else if (next !== undefined && next.epoch === now?.epoch && next.seq > now.seq) move(next);
    },
    skip({ reason, oldest, latest }) {
      const to = parseCursor(reason === 'ahead' ? latest : oldest);
      if (to !== undefined) begin(to);
      return to;
    },
  };
}
