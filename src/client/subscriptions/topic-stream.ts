/** One stream and its readings: hands what the connection tells to the subscriptions that it concerns. */
import type { Gap } from '../../protocol/control.ts';
import { formatCursor, parseCursor, positionsIn } from '../../protocol/cursor.ts';
import type { Event } from '../../protocol/event.ts';
import { isFinal } from '../connection/answers.ts';
import { backoff } from '../connection/backoff.ts';
import { type Connection, type ConnectionContext, createConnection } from '../connection/connection.ts';
import { readPage } from '../connection/page.ts';
import { guarded } from '../guarded.ts';
import type { LiveSubscription } from './live-subscription.ts';
import type { Reading } from './plan.ts';
import { createWire, endOfGap, type Wire } from './wire.ts';

/** The most events that are kept while somebody reads history: beyond, that is read on, and what comes then is kept anew. */
const MOST_KEPT = 1000;

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
}

export function createTopicStream(observer: TopicStreamObserver, context: ConnectionContext): TopicStream {
  const { request, random } = context;
  let wires: ReadonlyMap<string, Wire> = new Map();

  const onEvent = (event: Event) => guarded(() => observer.onEvent?.(event), observer.onError);

  function join(subscription: LiveSubscription, wire: Wire): void {
    subscription.wire = wire;
    subscription.reading = undefined;
    if (subscription.presence) wire.tellMembers();
    subscription.enter({ kind: 'waiting' });
    subscription.joining = !subscription.presenceOnly;
    settle(subscription, wire);
  }

  /** The wire is live: whoever wants no history begins here, and for the others it is read. */
  function settle(subscription: LiveSubscription, wire: Wire): void {
    if (!wire.live) return;
    if (subscription.joining && subscription.history()) {
      if (!subscription.reading) void read(subscription, wire);
      return;
    }
    const at = wire.position();
    if (subscription.joining && at) subscription.reach(at);
    begin(subscription, wire);
  }

  function begin(subscription: LiveSubscription, wire: Wire): void {
    subscription.joining = false;
    subscription.enter({ kind: 'live' });
    if (!wire.subscriptions.some(({ joining }) => joining)) wire.kept = undefined;
  }

  /**
   * Reads history by pages, while what the wire tells is kept. Asked for after the wire had told where it stands, they hold all up to there;
   * so what was kept goes on from them. The wire itself is never set back: nobody could tell what it says of before from what it says of after.
   */
  async function read(subscription: LiveSubscription, wire: Wire): Promise<void> {
    const token = {};
    subscription.reading = token;
    wire.kept ??= [];
    let { kept } = wire;
    let failures = 0;
    for (;;) {
      const topic = subscription.history();
      const page = topic && (await readPage(request, [topic]));
      if (!page || subscription.reading !== token) return;
      if ('trouble' in page) {
        const { trouble } = page;
        if (isFinal(trouble)) return observer.refused([subscription], trouble.code);
        failures += 1;
        await new Promise((resolve) => setTimeout(resolve, backoff(failures, random)));
        continue;
      }
      const { gap, events, cursor, more } = page;
      if (gap) subscription.miss(gap, endOfGap(gap));
      for (const event of events) {
        const at = parseCursor(event.id ?? '');
        if (!at) continue;
        onEvent(event);
        subscription.take(event, at);
      }
      const [end] = positionsIn(cursor, subscription.topic);
      if (end) subscription.reach(end);
      // A loop over the subscription may be slower than the server: then it joins again when there is room.
      if (subscription.suspended()) {
        subscription.wire = undefined;
        return;
      }
      if (more) continue;
      if (kept === wire.kept) break;
      // Something was missed: there is more to be read.
      kept = wire.kept ?? [];
    }
    for (const [event, at] of kept) subscription.take(event, at);
    subscription.reading = undefined;
    begin(subscription, wire);
  }

  function take(event: Event): void {
    const wire = wires.get(event.topic);
    if (!wire) return;
    const taking = wire.subscriptions.filter(({ joining }) => !joining);
    onEvent(event);
    const { arrival, at } = event.id === undefined ? {} : wire.arrive(event.id);
    if (arrival === 'repeated') return;
    const position = wire.position();
    if (arrival === 'late' && position) {
      // No server does this; so nobody can know what else is missing. What came too late cannot be told any more: its place has been passed.
      observer.onError(new Error(`out of order: ${event.topic}`));
      const oldest = formatCursor(position);
      const gap = { topic: event.topic, requested: oldest, oldest, latest: oldest, reason: 'disordered' } as const;
      if (wire.kept) wire.kept = [];
      for (const subscription of taking) subscription.miss(gap, position);
      return;
    }
    if (at && wire.kept) {
      if (wire.kept.length >= MOST_KEPT) wire.kept = [];
      wire.kept.push([event, at]);
    }
    for (const subscription of taking) subscription.take(event, at);
  }

  function tellGap(gap: Gap): void {
    const wire = wires.get(gap.topic);
    if (!wire) return;
    const to = wire.skip(gap);
    // What was kept is not all any more: whoever reads history has to read on.
    if (wire.kept) wire.kept = [];
    for (const subscription of wire.subscriptions) if (!subscription.joining) subscription.miss(gap, to);
  }

  function reach(cursor: string, live: boolean): void {
    for (const wire of wires.values()) {
      if (!wire.reach(cursor)) continue;
      wire.live ||= live;
      for (const subscription of wire.subscriptions) settle(subscription, wire);
    }
  }

  const connection = createConnection(
    {
      wanted: () => [...wires.values()],
      event: take,
      gap: tellGap,
      ready: ({ cursor }) => reach(cursor, true),
      heartbeat: ({ cursor }) => reach(cursor, false),
      presence(change) {
        for (const { presence, tellPresence } of wires.get(change.topic)?.subscriptions ?? [])
          if (presence) tellPresence(change);
      },
      changed() {
        const { state } = connection.view();
        if (state.kind !== 'connected') {
          for (const wire of wires.values()) {
            wire.live = false;
            wire.kept = undefined;
            for (const subscription of wire.subscriptions) {
              subscription.reading = undefined;
              subscription.enter({ kind: 'waiting' });
            }
          }
        }
        // Without another token nothing can be had.
        if (state.kind === 'disconnected' && state.trouble?.kind === 'refused')
          observer.refused(
            [...wires.values()].flatMap(({ subscriptions }) => subscriptions),
            state.trouble.code,
          );
        observer.changed();
      },
      refused(topic, code, presence) {
        const subscriptions = wires.get(topic)?.subscriptions ?? [];
        observer.refused(presence ? subscriptions.filter((each) => each.presence) : subscriptions, code);
      },
      tooMany: observer.tooMany,
    },
    context,
  );

  return {
    connection,
    assign(readings) {
      const before = wires;
      wires = new Map(
        Array.from(readings, ([topic, { shape, subscriptions }]) => {
          const present = before.get(topic);
          const wire = present?.shape === shape ? present : createWire(topic, shape);
          wire.subscriptions = subscriptions;
          wire.setPresence(subscriptions.some(({ presence }) => presence));
          return [topic, wire] as const;
        }),
      );
      for (const wire of wires.values())
        for (const subscription of wire.subscriptions) if (subscription.wire !== wire) join(subscription, wire);
      connection.update();
    },
  };
}
