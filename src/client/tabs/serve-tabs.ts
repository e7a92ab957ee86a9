/** Reads for other tabs: by subscriptions of the tab that has the connection, which share its streams with its own. */
import type { TopicRequest } from '../connection/transport.ts';
import type { Status } from '../status.ts';
import type { Subscribe, Subscription } from '../subscription.ts';
import type { TabLine } from './tab-words.ts';

export interface ServeTabsOptions {
  readonly line: TabLine;
  readonly locks: LockManager;
  readonly subscribe: Subscribe;
  readonly status: () => Status;
  /** @returns how to stop observing */
  readonly observe: (listener: () => void) => () => void;
}

interface Served {
  readonly subscriptions: Map<string, Subscription>;
  opened: boolean;
  /** Ends the wait for the other tab's end. */
  readonly gone: AbortController;
}

/** @returns how to stop: the other tabs are told that it is over */
export function serveTabs({ line, locks, subscribe, status, observe }: ServeTabsOptions): () => void {
  const all = new Map<string, Served>();
  let heartbeat = status().lastHeartbeat;

  function drop(id: string): void {
    const served = all.get(id);
    all.delete(id);
    served?.gone.abort();
    for (const subscription of served?.subscriptions.values() ?? []) subscription.close();
  }

  function serve(id: string, tab: string): Served {
    const known = all.get(id);
    if (known !== undefined) return known;
    const gone = new AbortController();
    const served: Served = { subscriptions: new Map(), opened: false, gone };
    all.set(id, served);
    // The tab holds this lock as long as it lives: to be given it is to learn that the tab is gone.
    locks.request(tab, { signal: gone.signal }, () => drop(id)).catch(() => undefined);
    return served;
  }

  function read(id: string, { topic, presence, ...rest }: TopicRequest): Subscription {
    const subscription = subscribe(
      topic,
      { ...rest, presence },
      {
        onEvent: (event) => line.send({ kind: 'event', id, event }),
        onGap(gap) {
          // The other tab finds disorder out by itself: it is told all events that this one is.
          const { reason } = gap;
          if (reason !== 'disordered') line.send({ kind: 'gap', id, gap: { ...gap, reason } });
        },
        onPresence: (change) => line.send({ kind: 'presence', id, change }),
        onState(state) {
          const { cursor } = subscription;
          if (state.kind === 'live' && cursor !== undefined) line.send({ kind: 'position', id, cursor, live: true });
          if (state.kind !== 'refused') return;
          const trouble = { kind: 'refused', code: state.code, status: 403 } as const;
          end(id, { trouble, refused: [topic] });
        },
      },
    );
    return subscription;
  }

  function end(id: string, how: Extract<Parameters<TabLine['send']>[0], { kind: 'ended' }>['end']): void {
    line.send({ kind: 'ended', id, end: how });
    drop(id);
  }

  const stopListening = line.listen((word) => {
    if (word.kind === 'end') drop(word.id);
    if (word.kind !== 'read') return;
    const { id, tab, add, remove } = word;
    const served = serve(id, tab);
    const { subscriptions } = served;
    for (const topic of remove) {
      subscriptions.get(topic)?.close();
      subscriptions.delete(topic);
    }
    for (const request of add) subscriptions.set(request.topic, read(id, request));
    tell();
  });

  /** Tells each of the others what has become of the connection. */
  function tell(): void {
    const { state, trouble, lastHeartbeat } = status();
    const beats = lastHeartbeat !== heartbeat;
    heartbeat = lastHeartbeat;
    for (const [id, served] of [...all]) {
      if (served.opened && state !== 'connected') {
        end(id, { trouble: trouble ?? { kind: 'lost', why: 'ended' } });
        continue;
      }
      if (state !== 'connected') continue;
      if (!served.opened) line.send({ kind: 'opened', id });
      served.opened = true;
      if (!beats || lastHeartbeat === undefined) continue;
      line.send({ kind: 'heartbeat', id, sent: lastHeartbeat });
      for (const { cursor, state: reading } of served.subscriptions.values())
        if (cursor !== undefined && reading.kind === 'live') line.send({ kind: 'position', id, cursor, live: false });
    }
  }

  const stopObserving = observe(tell);
  return () => {
    stopListening();
    stopObserving();
    for (const id of [...all.keys()]) end(id, { trouble: { kind: 'lost', why: 'ended' } });
  };
}
