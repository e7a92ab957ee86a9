/** Keeps what a transport reads equal to what is wanted, by one change after the other. */
import type { TopicRequest, Transport, TransportEnd } from './transport.ts';

/** A topic that is wanted. */
export interface WantedTopic {
  readonly topic: string;
  /** Another object whenever it has to be read anew, from another place or by other parameters. */
  mark(): object;
  /** As it would be asked for now. */
  request(): TopicRequest;
}

export interface TopicSync {
  /** What a transport is to be opened with; the one before is gone. */
  begin(topics: readonly WantedTopic[]): readonly TopicRequest[];
  /** Tells the transport what is wanted otherwise than it was last told. */
  update(transport: Transport | undefined): Promise<void>;
}

type Marks = ReadonlyMap<string, object>;

/** @param onRefused told why a transport would not read some topics; nothing is known of what it reads then */
export function createTopicSync(
  wanted: () => readonly WantedTopic[],
  onRefused: (by: Transport, how: TransportEnd, topics: readonly WantedTopic[]) => void,
): TopicSync {
  let sent: Marks = new Map();
  /** The transport that is told at the moment. */
  let telling: Transport | undefined;

  const marksOf = (topics: readonly WantedTopic[]): Marks => new Map(topics.map(({ topic, mark }) => [topic, mark()]));
  const requestsOf = (topics: readonly WantedTopic[]) => topics.map((topic) => topic.request());

  async function update(transport: Transport | undefined): Promise<void> {
    if (!transport || transport === telling) return;
    telling = transport;
    for (;;) {
      const topics = wanted();
      const marks = marksOf(topics);
      const fresh = topics.filter(({ topic, mark }) => sent.get(topic) !== mark());
      const stale = [...sent].flatMap(([topic, mark]) => (marks.get(topic) === mark ? [] : [topic]));
      // Without a topic there is nothing to read, and the connection is ended as a whole.
      if ((fresh.length === 0 && stale.length === 0) || topics.length === 0) break;
      sent = marks;
      const refusal = await transport.change(requestsOf(fresh), stale);
      if (transport !== telling) return;
      if (!refusal) continue;
      telling = undefined;
      onRefused(transport, refusal, fresh);
      return;
    }
    telling = undefined;
  }

  return {
    begin(topics) {
      sent = marksOf(topics);
      telling = undefined;
      return requestsOf(topics);
    },
    update,
  };
}
