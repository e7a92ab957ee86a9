/**
 * Presence as a Worker keeps it: each topic's is its object's, which also ends what has expired. Changes come by a socket while a topic is
 * followed, so that who watches it need not ask for them.
 */
import type { BusSignal } from '../bus/bus.ts';
import type { BoundLease, EndedStream, PresenceChange, PresenceStore } from '../store/presence-store.ts';
import { reach, reachAll } from './away.ts';
import { type Bindings, topicOf } from './bindings.ts';
import { openTopicSocket, type TopicSocket } from './topic-socket.ts';

export interface EdgePresence {
  readonly store: PresenceStore;
  /** Tells of a topic's changes from now on. @returns ends it */
  follow(topic: string): () => void;
}

export interface EdgePresenceOptions {
  readonly bindings: Bindings;
  /** Told that a topic has come to a revision. */
  readonly hear: (signal: BusSignal) => void;
}

/** Changes that were told and are not read yet. */
interface Told {
  readonly after: number;
  readonly revision: number;
  readonly changes: readonly PresenceChange[];
}

const RETRY_MS = 500;

export function createEdgePresence({ bindings, hear }: EdgePresenceOptions): EdgePresence {
  /** The newest changes of each topic that is followed. */
  const told = new Map<string, Told>();
  /** Which topics each stream may have leases of. */
  const topicsOf = new Map<string, Set<string>>();
  const at = (topic: string) => topicOf(bindings, topic);

  function bound(stream: string, topic: string): void {
    topicsOf.set(stream, (topicsOf.get(stream) ?? new Set()).add(topic));
  }

  /** Streams by the topics that they may have leases of. */
  function byTopic(streams: readonly string[]): ReadonlyMap<string, readonly string[]> {
    const topics = new Map<string, string[]>();
    for (const stream of streams)
      for (const topic of topicsOf.get(stream) ?? []) topics.set(topic, [...(topics.get(topic) ?? []), stream]);
    return topics;
  }

  function follow(topic: string): () => void {
    let socket: TopicSocket | undefined;
    let retry: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    let isOpening = false;

    async function open(): Promise<void> {
      isOpening = true;
      try {
        const opened = await openTopicSocket(
          bindings,
          { topic, presence: true },
          {
            frame(frame) {
              if (frame.kind !== 'presence') return;
              const { after, revision, changes } = frame;
              if (changes === undefined) told.delete(topic);
              else told.set(topic, joined(told.get(topic), { after, revision, changes }));
              hear({ kind: 'presence', heads: [[topic, revision]] });
            },
            lost: again,
          },
        );
        socket = opened;
        isOpening = false;
        if (isOver) {
          opened.close();
          return;
        }
        opened.start();
        // What has changed before the socket was open, or while there was none.
        const { revisions } = await reach(at(topic).presenceHead(topic));
        hear({ kind: 'presence', heads: [[topic, revisions[0] ?? 0]] });
      } catch {
        isOpening = false;
        again();
      }
    }

    function again(): void {
      socket?.close();
      told.delete(topic);
      clearTimeout(retry);
      if (!isOver && !isOpening) retry = setTimeout(() => void open(), RETRY_MS);
    }

    void open();
    return () => {
      isOver = true;
      clearTimeout(retry);
      socket?.close();
      told.delete(topic);
    };
  }

  const store: PresenceStore = {
    bound,
    async join(join) {
      if (join.stream !== undefined) bound(join.stream, join.topic);
      return reach(at(join.topic).join(join));
    },
    leave: (leave) => reach(at(leave.topic).leave(leave)),
    list: async (topic) => ({ ...(await reach(at(topic).members(topic))), due: undefined }),
    async changes(topic, after, limit) {
      const known = told.get(topic);
      if (known !== undefined && after >= known.after && after <= known.revision) {
        const changes = known.changes.filter(({ revision }) => revision > after).slice(0, limit);
        return { revision: known.revision, forgotten: false, changes, due: undefined };
      }
      return { ...(await reach(at(topic).presenceChanges(topic, after, limit))), due: undefined };
    },
    async heads(topics) {
      const heads = await reachAll(topics.map((topic) => at(topic).presenceHead(topic)));
      return { revisions: heads.map(({ revisions }) => revisions[0] ?? 0), due: undefined };
    },
    async keepAlive(streams) {
      const kept = await reachAll(Array.from(byTopic(streams), ([topic, some]) => at(topic).keepAlive(some)));
      return kept.flat() satisfies readonly BoundLease[];
    },
    async release(streams) {
      const ended = new Map<string, EndedStream>(streams.map((each) => [each.stream, each]));
      const topics = byTopic([...ended.keys()]);
      await reachAll(
        Array.from(topics, ([topic, some]) => at(topic).release(some.flatMap((stream) => ended.get(stream) ?? []))),
      );
      for (const stream of ended.keys()) topicsOf.delete(stream);
    },
    // The objects do both by their alarms.
    sweep: async () => ({ heads: [], due: undefined }),
    async prune() {},
  };
  return { store, follow };
}

/** The most changes that are held for those who are slow to read them. */
const MOST_TOLD = 1024;

function joined(before: Told | undefined, next: Told): Told {
  if (before === undefined || before.revision !== next.after || before.changes.length > MOST_TOLD) return next;
  return { ...next, after: before.after, changes: [...before.changes, ...next.changes] };
}
