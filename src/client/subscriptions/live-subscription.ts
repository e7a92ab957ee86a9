/** One subscription: where it stands, what it was told, and whom it tells. */
import { type Cursor, formatCursor } from '../../protocol/cursor.ts';
import type { Event } from '../../protocol/event.ts';
import type { TopicRequest } from '../connection/transport.ts';
import { guarded } from '../guarded.ts';
import type {
  MissingEvents,
  PresenceChange,
  Priority,
  SubscribeOptions,
  Subscription,
  SubscriptionObserver,
  SubscriptionState,
} from '../subscription.ts';
import type { Plannable } from './plan.ts';
import { SubscriptionRefused } from './subscription-refused.ts';
import type { Wire } from './wire.ts';

/** In ascending order. */
const PRIORITIES: readonly Priority[] = ['low', 'normal', 'high', 'critical'];

/** The most events that wait for a loop; when so few are left, there is room again. */
const FULL = 1000;
const ROOM = 500;

/** A loop over the events. */
interface Loop<Data> {
  /** Until it takes them. */
  readonly waiting: Event<Data>[];
  full: boolean;
  /** Lets it look again. */
  wake(): void;
}

export interface LiveSubscriptionContext {
  /** It came, went, or is to be read from another place. */
  readonly changed: () => void;
  /** Told what an observer threw. */
  readonly onError: (error: unknown) => void;
}

export interface LiveSubscription<Data = unknown> extends Subscription<Data>, Plannable {
  readonly presence: boolean;
  position(): Cursor | undefined;
  /** How to read history for it: on from where it stands, else from where it wants to begin. `undefined` where it wants none. */
  history(): TopicRequest | undefined;
  /** Whether it takes no more for now: a loop over it is too slow. */
  suspended(): boolean;
  /** What it takes its events from. */
  wire: Wire | undefined;
  /** Whether it takes nothing from the wire yet: it reads history by itself, or wants none, and the wire is not live. */
  joining: boolean;
  /** History is read for it, as long as it is this object. */
  reading: object | undefined;
  /** Takes an event, unless it has it. @param at where it stands in the log; absent for an ephemeral one */
  take(event: Event, at?: Cursor): void;
  /** Everything up to here was told, or was not chosen. */
  reach(at: Cursor): void;
  /** Something is missing; what comes next comes after `to`. */
  miss(gap: MissingEvents, to: Cursor | undefined): void;
  tellPresence(change: PresenceChange): void;
  enter(state: SubscriptionState): void;
}

export function createLiveSubscription<Data>(
  topic: string,
  { filter, types, conflate, since, last, after, priority = 'normal', presence = false }: SubscribeOptions,
  observer: SubscriptionObserver<Data>,
  { changed, onError }: LiveSubscriptionContext,
): LiveSubscription<Data> {
  // Sorted, so that the same wish is the same text.
  const parameters = {
    filter: filter === undefined ? undefined : [filter].flat().toSorted(),
    types: types?.toSorted(),
    conflate,
  };
  const start = { after, since, last };
  const beginsWithHistory = (after ?? 'latest') !== 'latest' || since !== undefined || last !== undefined;
  const loops = new Set<Loop<Data>>();
  let state: SubscriptionState = { kind: 'waiting' };
  let position: Cursor | undefined;

  const suspended = () => [...loops].some(({ full }) => full);

  const call = (tell: () => void) => guarded(tell, onError);

  const self: LiveSubscription<Data> = {
    topic,
    shape: JSON.stringify(parameters),
    presence,
    presenceOnly: presence && !observer.onEvent,
    priority: PRIORITIES.indexOf(priority),
    joining: false,
    reading: undefined,
    wire: undefined,
    position: () => position,
    get state() {
      return state;
    },
    get cursor() {
      return position && formatCursor(position);
    },
    suspended,
    history() {
      if (!position && !beginsWithHistory) return undefined;
      return { topic, ...(position ? { after: formatCursor(position) } : start), ...parameters };
    },
    take(event, at) {
      if (state.kind === 'closed' || (at && at.epoch === position?.epoch && at.seq <= position.seq)) return;
      position = at ?? position;
      // Its type is what the application says of it; the server was not asked to check it.
      const told = event as Event<Data>;
      for (const loop of loops) {
        if (loop.waiting.push(told) >= FULL) loop.full = true;
        loop.wake();
      }
      call(() => observer.onEvent?.(told));
      if (suspended()) changed();
    },
    reach(at) {
      if (!position || (position.epoch === at.epoch && position.seq < at.seq)) position = at;
    },
    miss(gap, to) {
      const has = position && position.epoch === to?.epoch && position.seq >= to.seq;
      // Whoever has what lies after the gap misses nothing.
      if (has && gap.reason !== 'ahead' && gap.reason !== 'disordered') return;
      position = to;
      if (observer.onGap) call(() => observer.onGap?.(gap));
      else if (beginsWithHistory && !start.after?.includes('-')) {
        position = undefined;
        self.wire = undefined;
        changed();
      }
    },
    tellPresence(change) {
      call(() => observer.onPresence?.(change));
    },
    enter(next) {
      if (state.kind === 'closed' || JSON.stringify(state) === JSON.stringify(next)) return;
      state = next;
      call(() => observer.onState?.(next));
      for (const { wake } of loops) wake();
    },
    close() {
      if (state.kind === 'closed') return;
      state = { kind: 'closed' };
      self.reading = undefined;
      for (const { wake } of loops) wake();
      changed();
    },
    async *[Symbol.asyncIterator]() {
      const loop: Loop<Data> = { waiting: [], full: false, wake: () => {} };
      loops.add(loop);
      try {
        for (;;) {
          const event = loop.waiting.shift();
          if (loop.full && loop.waiting.length <= ROOM) {
            loop.full = false;
            changed();
          }
          if (event) yield event;
          else if (state.kind === 'closed') return;
          else if (state.kind === 'refused') throw new SubscriptionRefused(topic, state.code);
          else
            await new Promise<void>((resolve) => {
              loop.wake = resolve;
            });
        }
      } finally {
        loops.delete(loop);
        changed();
      }
    },
  };
  return self;
}
