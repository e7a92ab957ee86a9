/** One stream and its readings: hands what the connection tells to the subscriptions that it concerns. */
import type { Gap } from '../../protocol/control.ts';
import { type Cursor, formatCursor, parseCompoundCursor, positionsOf } from '../../protocol/cursor.ts';
import type { Event } from '../../protocol/event.ts';
import { type Connection, type ConnectionContext, createConnection } from '../connection/connection.ts';
import { createHistory } from './history.ts';
import type { LiveSubscription } from './live-subscription.ts';
import type { Reading } from './plan.ts';
import { createWire, type Wire } from './wire.ts';

export interface TopicStreamObserver {
  /** Told every event, before the subscriptions are. */
  readonly onEvent?: ((event: Event) => void) | undefined;
  /** The connection has changed. */
  changed(): void;
  refused(subscriptions: readonly LiveSubscription[], code: string): void;
  tooMany(topics: number): void;
  /** Told of what no server of this protocol sends. */
  onError(error: unknown): void;
}

export interface TopicStream {
  readonly connection: Connection;
  /** Reads this from now on. */
  assign(readings: ReadonlyMap<string, Reading<LiveSubscription>>): void;
  /** Nothing is read while paused; every place is kept. */
  pause(paused: boolean): void;
}

interface Read {
  readonly wire: Wire;
  readonly subscriptions: readonly LiveSubscription[];
}

export function createTopicStream(observer: TopicStreamObserver, context: ConnectionContext): TopicStream {
  let reads: ReadonlyMap<string, Read> = new Map();
  let paused = false;

  const history = createHistory({
    ...context,
    onEvent: observer.onEvent,
    refused: (subscription, code) => observer.refused([subscription], code),
    joined: settle,
  });
  const of = (topic: string): readonly LiveSubscription[] => reads.get(topic)?.subscriptions ?? [];

  function join(subscription: LiveSubscription, wire: Wire): void {
    subscription.wire = wire;
    subscription.enter({ kind: 'waiting' });
    const members = subscription.presence ? wire.members() : undefined;
    if (members !== undefined)
      subscription.tellPresence({ topic: wire.topic, change: 'sync', members: [...members.values()] });
    subscription.joining = !subscription.presenceOnly;
    if (subscription.joining && subscription.history() !== undefined) history.read(subscription, wire);
    else settle(subscription, wire);
  }

  /** The wire is live: whoever wanted no history begins here. */
  function settle(subscription: LiveSubscription, wire: Wire): void {
    if (!wire.live || (subscription.joining && subscription.history() !== undefined)) return;
    const at = wire.newest();
    if (subscription.joining && at !== undefined) subscription.reach(at);
    subscription.joining = false;
    subscription.enter({ kind: 'live' });
  }

  function take(event: Event): void {
    const wire = reads.get(event.topic)?.wire;
    if (wire === undefined) return;
    const taking = of(event.topic).filter((subscription) => !subscription.joining);
    const joining = of(event.topic).filter((subscription) => subscription.joining);
    observer.onEvent?.(event);
    const before = wire.position();
    const { arrival, at } = event.id === undefined ? {} : wire.arrive(event.id);
    if (arrival === 'repeated') return;
    if (at !== undefined && arrival !== 'new') {
      tellDisordered(event.topic, before ?? at, at, taking);
      for (const subscription of joining) history.interrupt(subscription);
    }
    // What came too late cannot be told any more: its place has been passed.
    if (arrival === 'late') return;
    for (const subscription of taking) subscription.take(event, at);
    for (const subscription of joining) history.keep(subscription, event, at);
  }

  /** No server does this; so nobody can know what else is missing. */
  function tellDisordered(topic: string, has: Cursor, at: Cursor, subscriptions: readonly LiveSubscription[]): void {
    observer.onError(new Error(`an event of ${topic} came out of its order`));
    const to = at.epoch === has.epoch ? has : { ...at, seq: at.seq - 1 };
    const [requested, oldest] = [formatCursor(has), formatCursor(to)];
    for (const subscription of subscriptions)
      subscription.miss({ topic, requested, oldest, latest: oldest, reason: 'disordered' }, to);
  }

  function tellGap(gap: Gap): void {
    const to = reads.get(gap.topic)?.wire.skip(gap);
    for (const subscription of of(gap.topic)) {
      if (subscription.joining) history.interrupt(subscription);
      else subscription.miss(gap, to);
    }
  }

  function reach(cursor: string, live: boolean): void {
    const positions = parseCompoundCursor(cursor) ?? [];
    for (const { wire, subscriptions } of reads.values()) {
      const own = positionsOf(wire.topic, positions);
      if (own.length === 0) continue;
      wire.reach(own);
      wire.live ||= live;
      if (!wire.live) continue;
      for (const subscription of subscriptions) {
        history.live(subscription);
        settle(subscription, wire);
      }
    }
  }

  const connection = createConnection(
    {
      wanted: () => (paused ? [] : Array.from(reads.values(), ({ wire }) => wire)),
      event: take,
      gap: tellGap,
      ready: ({ cursor }) => reach(cursor, true),
      heartbeat: ({ cursor }) => reach(cursor, false),
      presence(change) {
        const told = reads.get(change.topic)?.wire.noteMembers(change);
        if (told === undefined) return;
        for (const subscription of of(change.topic)) if (subscription.presence) subscription.tellPresence(told);
      },
      changed() {
        if (connection.view().state.kind !== 'connected') {
          for (const { wire, subscriptions } of reads.values()) {
            wire.live = false;
            for (const subscription of subscriptions) subscription.enter({ kind: 'waiting' });
          }
        }
        observer.changed();
      },
      refused: (topic, code) => observer.refused(of(topic), code),
      tooMany: observer.tooMany,
    },
    context,
  );

  return {
    connection,
    pause(wanted) {
      paused = wanted;
      connection.update();
    },
    assign(readings) {
      const joining: (() => void)[] = [];
      const before = reads;
      reads = new Map(
        Array.from(readings, ([topic, { shape, subscriptions }]) => {
          const present = before.get(topic)?.wire;
          const { parameters } = subscriptions.find(({ presenceOnly }) => !presenceOnly) ?? {};
          const wire = present?.shape === shape ? present : createWire(topic, shape, parameters ?? {});
          wire.setPresence(subscriptions.some(({ presence }) => presence));
          for (const subscription of subscriptions)
            if (subscription.wire !== wire) joining.push(() => join(subscription, wire));
          return [topic, { wire, subscriptions }] as const;
        }),
      );
      history.retain(
        (subscription, wire) => subscription.wire === wire && reads.get(subscription.topic)?.wire === wire,
      );
      for (const each of joining) each();
      connection.update();
    },
  };
}
