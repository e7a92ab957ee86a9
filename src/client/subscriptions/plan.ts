/**
 * Which subscription is read by which stream: pure, and made anew whenever subscriptions come or go.
 *
 * One stream reads all topics. It can read each only once, so whoever wants to read a topic by other parameters (filters, types,
 * conflation) needs a stream of its own beside it; of those there are few, because a browser has few connections to a host over HTTP/1.1.
 * Where there is no room, subscriptions of low priority wait: they are parked.
 */

/** What the plan needs to know of a subscription. */
export interface Plannable {
  readonly topic: string;
  /** Equal for subscriptions that can share a reading. */
  readonly shape: string;
  /** Of use beside any other reading of the topic: it wants only the presence of its members. */
  readonly presenceOnly: boolean;
  /** The greater is served first; among equals, who came first. */
  readonly priority: number;
}

/** A reading of a topic, and whose it is: at least one subscription's. */
export interface Reading<Subscription> {
  readonly shape: string;
  readonly subscriptions: Subscription[];
}

export interface Plan<Subscription> {
  /** For each stream, its readings by topic. */
  readonly streams: readonly ReadonlyMap<string, Reading<Subscription>>[];
  readonly parked: ReadonlyMap<Subscription, 'topics' | 'streams'>;
}

export interface PlanLimits {
  /** Of one stream. */
  readonly topics: number;
  readonly streams: number;
}

/** @param subscriptions in the order in which they came */
export function plan<Subscription extends Plannable>(
  subscriptions: readonly Subscription[],
  limits: PlanLimits,
): Plan<Subscription> {
  const streams: Map<string, Reading<Subscription>>[] = [];
  const parked = new Map<Subscription, 'topics' | 'streams'>();
  // Who wants presence only takes part in whatever reading there is, so the others come first.
  const ordered = subscriptions.toSorted(
    (a, b) => Number(a.presenceOnly) - Number(b.presenceOnly) || b.priority - a.priority,
  );
  for (const subscription of ordered) {
    const { topic, shape, presenceOnly } = subscription;
    let why: 'topics' | 'streams' | undefined = 'streams';
    for (let index = 0; why === 'streams' && index < limits.streams; index += 1) {
      streams[index] ??= new Map();
      const stream = streams[index];
      const reading = stream?.get(topic);
      if (reading && reading.shape !== shape && !presenceOnly) continue;
      why = undefined;
      if (reading) reading.subscriptions.push(subscription);
      else if (stream && stream.size < limits.topics) stream.set(topic, { shape, subscriptions: [subscription] });
      else why = 'topics';
    }
    if (why) parked.set(subscription, why);
  }
  return { streams, parked };
}
