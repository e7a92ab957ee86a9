/** One stream and its readings: hands what the connection tells to the subscriptions that it concerns. */
import type { Gap } from '../../protocol/control.ts';
import { formatCursor, parseCompoundCursor, positionsOf } from '../../protocol/cursor.ts';
import type { Event } from '../../protocol/event.ts';
import { isFinal } from '../connection/answers.ts';
import { backoff } from '../connection/backoff.ts';
import { type Connection, type ConnectionContext, createConnection } from '../connection/connection.ts';
import { catchUp } from './catch-up.ts';
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

export function createTopicStream(observer: TopicStreamObserver, context: ConnectionContext): TopicStream {
  const { request, random } = context;
  let wires: ReadonlyMap<string, Wire> = new Map();
  let paused = false;

  function join(subscription: LiveSubscription, wire: Wire): void {
    subscription.wire = wire;
    subscription.enter({ kind: 'waiting' });
    subscription.joining = !subscription.presenceOnly;
    if (subscription.joining && subscription.history()) void read(subscription, wire);
    else settle(subscription, wire);
  }

  /** Reads history, for as long as it takes, while the wire begins at the present moment. Then the two are joined. */
  async function read(subscription: LiveSubscription, wire: Wire): Promise<void> {
    const isWanted = () => subscription.wire === wire;
    for (let failures = 1; isWanted(); failures += 1) {
      const end = await catchUp(subscription, request, () => isWanted() && !subscription.suspended());
      if (!isWanted()) return;
      if (subscription.suspended()) {
        // It joins again when there is room.
        subscription.wire = undefined;
        return;
      }
      if (!end) break;
      if (isFinal(end.trouble)) {
        observer.refused([subscription], end.trouble.code);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, backoff(failures, random)));
    }
    const has = subscription.position();
    // What the wire has passed meanwhile it reads once more, and those who have it leave it out.
    if (has) wire.include(has);
    subscription.joining = false;
    connection.update();
    settle(subscription, wire);
  }

  /** The wire is live: whoever wanted no history begins here. */
  function settle(subscription: LiveSubscription, wire: Wire): void {
    if (!wire.live || (subscription.joining && subscription.history())) return;
    const at = wire.newest();
    if (subscription.joining && at) subscription.reach(at);
    subscription.joining = false;
    subscription.enter({ kind: 'live' });
  }

  function take(event: Event): void {
    const wire = wires.get(event.topic);
    if (!wire) return;
    const taking = wire.subscriptions.filter(({ joining }) => !joining);
    observer.onEvent?.(event);
    const has = wire.position();
    const { arrival, at } = event.id === undefined ? {} : wire.arrive(event.id);
    if (arrival === 'repeated') return;
    // No server does this; so nobody can know what else is missing. What came too late cannot be told any more: its place has been passed.
    if (at && has && arrival !== 'new') {
      observer.onError(new Error(`an event of ${event.topic} came out of its order`));
      const to = arrival === 'late' ? has : { ...at, seq: at.seq - 1 };
      const oldest = formatCursor(to);
      const gap = {
        topic: event.topic,
        requested: formatCursor(has),
        oldest,
        latest: oldest,
        reason: 'disordered',
      } as const;
      for (const subscription of taking) subscription.miss(gap, to);
    }
    if (arrival !== 'late') for (const subscription of taking) subscription.take(event, at);
  }

  function tellGap(gap: Gap): void {
    const wire = wires.get(gap.topic);
    const to = wire?.skip(gap);
    for (const subscription of wire?.subscriptions ?? []) if (!subscription.joining) subscription.miss(gap, to);
  }

  function reach(cursor: string, live: boolean): void {
    const positions = parseCompoundCursor(cursor) ?? [];
    for (const wire of wires.values()) {
      const own = positionsOf(wire.topic, positions);
      if (own.length === 0) continue;
      wire.reach(own);
      wire.live ||= live;
      for (const subscription of wire.subscriptions) settle(subscription, wire);
    }
  }

  const connection = createConnection(
    {
      wanted: () => (paused ? [] : [...wires.values()]),
      event: take,
      gap: tellGap,
      ready: ({ cursor }) => reach(cursor, true),
      heartbeat: ({ cursor }) => reach(cursor, false),
      presence(change) {
        for (const { presence, tellPresence } of wires.get(change.topic)?.subscriptions ?? [])
          if (presence) tellPresence(change);
      },
      changed() {
        if (connection.view().state.kind !== 'connected') {
          for (const wire of wires.values()) {
            wire.live = false;
            for (const { enter } of wire.subscriptions) enter({ kind: 'waiting' });
          }
        }
        observer.changed();
      },
      refused: (topic, code) => observer.refused(wires.get(topic)?.subscriptions ?? [], code),
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
      const before = wires;
      wires = new Map(
        Array.from(readings, ([topic, { shape, subscriptions }]) => {
          const present = before.get(topic);
          const wire = present?.shape === shape ? present : createWire(topic, shape);
          wire.subscriptions = subscriptions;
          wire.setPresence(subscriptions.filter(({ presence }) => presence).length);
          return [topic, wire] as const;
        }),
      );
      for (const wire of wires.values())
        for (const subscription of wire.subscriptions) if (subscription.wire !== wire) join(subscription, wire);
      connection.update();
    },
  };
}
