/** Reads for other tabs: by subscriptions of the tab that has the connection, which share its streams with its own. */
import type { Trouble } from '../connection/state.ts';
import type { TopicRequest, TransportEnd, TransportObserver } from '../connection/transport.ts';
import type { Status } from '../status.ts';
import type { Subscribe, Subscription } from '../subscription.ts';
import type { TabLine, Told, Wish } from './tab-words.ts';

export interface ServeTabsOptions {
  readonly line: TabLine;
  readonly locks: LockManager;
  readonly subscribe: Subscribe;
  readonly status: () => Status;
  /** @returns how to stop observing */
  readonly observe: (listener: () => void) => () => void;
}

const LOST: Trouble = { kind: 'lost', why: 'ended' };

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
    // The tab holds this lock as long as it lives: to be given it is to learn that the tab is gone. Aborted when it is
    // dropped; where locks fail, the other tab ends its reading itself.
    locks.request(tab, { signal: gone.signal }, () => end(id, { trouble: LOST })).catch(() => undefined);
    return served;
  }

  function tell<Name extends keyof TransportObserver>(id: string, what: Name, data: Told<Name>['data']): void {
    line.send({ kind: 'tell', id, what, data });
  }

  function read(id: string, { topic, presence, ...rest }: TopicRequest): Subscription {
    const subscription = subscribe(
      topic,
      { ...rest, presence },
      {
        onEvent: (event) => tell(id, 'event', event),
        onGap(gap) {
          // The other tab finds disorder out by itself: it is told all events that this one is.
          const { reason } = gap;
          if (reason !== 'disordered') tell(id, 'gap', { ...gap, reason });
        },
        onPresence: (change) => tell(id, 'presence', change),
        onState(state) {
          const { cursor } = subscription;
          if (state.kind === 'live' && cursor !== undefined) tell(id, 'ready', { cursor });
          if (state.kind === 'refused')
            end(id, { trouble: { kind: 'refused', code: state.code, status: 403 }, refused: [{ topic }] });
        },
      },
    );
    return subscription;
  }

  function end(id: string, how: TransportEnd): void {
    tell(id, 'ended', how);
    drop(id);
  }

  const stopListening = line.listen((word) => {
    if (word.kind === 'end') drop(word.id);
    if (word.kind === 'read') {
      const { subscriptions } = serve(word.id, word.tab);
      for (const request of word.topics) subscriptions.set(request.topic, read(word.id, request));
      look();
    }
    if (word.kind === 'change') change(word);
  });

  function change({ id, add, remove }: Extract<Wish, { kind: 'change' }>): void {
    const subscriptions = all.get(id)?.subscriptions;
    // Of a reading that is not known only the change is: it has to begin anew.
    if (subscriptions === undefined) {
      tell(id, 'ended', { trouble: LOST });
      return;
    }
    for (const topic of remove) {
      subscriptions.get(topic)?.close();
      subscriptions.delete(topic);
    }
    for (const request of add) subscriptions.set(request.topic, read(id, request));
  }

  /** Tells each of the others what has become of the connection. */
  function look(): void {
    const { state, trouble = LOST, lastHeartbeat } = status();
    const beats = lastHeartbeat !== heartbeat;
    heartbeat = lastHeartbeat;
    for (const [id, served] of [...all]) {
      if (served.opened && state !== 'connected') end(id, { trouble });
      if (state !== 'connected') continue;
      if (!served.opened) tell(id, 'open', { stream: '', heartbeat: 0, topics: [] });
      served.opened = true;
      if (!beats || lastHeartbeat === undefined) continue;
      const cursor = [...served.subscriptions.values()]
        .flatMap((subscription) => (subscription.state.kind === 'live' ? (subscription.cursor ?? []) : []))
        .join('.');
      tell(id, 'heartbeat', { time: new Date(lastHeartbeat).toISOString(), cursor });
    }
  }

  const stopObserving = observe(look);
  return () => {
    stopListening();
    stopObserving();
    for (const id of [...all.keys()]) end(id, { trouble: LOST });
  };
}
