/** The streams that are open on this node: whose they are, and how they end. */
import type { Principal } from '../auth/principal.ts';
import type { SubscribeRequest } from '../broker/broker.ts';
import { EventStream, type EventStreamOptions } from '../delivery/event-stream.ts';
import type { TimerWheel } from '../delivery/timer-wheel.ts';
import type { CloseReason } from '../protocol/control.ts';
import type { Audit, AuditReader } from './audit.ts';

/** Readers come back over so many milliseconds after a drain, and so many after anything else. */
const DRAIN_SPREAD_MS = 10_000;
const RETRY_MS = 1000;

/** Shared by the streams of which nothing is kept, so that an idle one holds no map of its own. */
const NONE: ReadonlyMap<string, never> = new Map<string, never>();

export interface OpenStream {
  readonly stream: EventStream;
  readonly address: string | undefined;
  /** ms since 1970 */
  readonly since: number;
  principal: Principal;
  /** What was asked for of each collection, to ask for it again under another token. */
  requests: ReadonlyMap<string, SubscribeRequest>;
  /** Ends the audit's entry of each topic. */
  accesses: ReadonlyMap<string, () => void>;
  /** The request that opened it. */
  readonly request: string | undefined;
}

/** Whose a stream is, and by which request. */
export interface StreamReader extends AuditReader {
  /** Called when the stream has ended. */
  readonly released: () => void;
}

export interface OpenStreamsOptions {
  /** This node's name, eight characters: every stream's id begins with it. */
  readonly node: string;
  readonly wheel: TimerWheel;
  readonly clock: () => number;
  readonly audit: Pick<Audit, 'begin'>;
  readonly isCollection: (topic: string) => boolean;
  readonly isRevoked: (principal: Principal) => boolean;
  /** How long a stream may last, in ms; `undefined`: for ever. */
  readonly lifeMs?: number | undefined;
  readonly onDelivery: (events: number, bytes: number) => void;
  readonly onClose: (reason: CloseReason | 'gone', stream: string) => void;
}

export class OpenStreams {
  readonly node: string;
  readonly #options: OpenStreamsOptions;
  readonly #streams = new Map<string, OpenStream>();
  #retrySpread = RETRY_MS;
  #isDraining = false;

  constructor(options: OpenStreamsOptions) {
    this.node = options.node;
    this.#options = options;
  }

  get size(): number {
    return this.#streams.size;
  }

  /** Makes a stream and says that it is open. */
  open(
    { format, sink }: Pick<EventStreamOptions, 'format' | 'sink'>,
    { principal, address, request, released }: StreamReader,
    topics: readonly string[],
  ): EventStream {
    const { wheel, clock, isRevoked, lifeMs, onDelivery, onClose } = this.#options;
    const since = clock();
    const id = `${this.node}${crypto.randomUUID().replaceAll('-', '')}`;
    const stream = new EventStream({
      id,
      format,
      sink,
      wheel,
      expires: principal.expires,
      // Those that were opened together do not come back together.
      until: lifeMs && since + lifeMs * (1 - Math.random() / 10),
      retry: () => Math.round(RETRY_MS + Math.random() * this.#retrySpread),
      onDelivery,
      onEnd: (_, reason) => {
        this.#streams.delete(id);
        for (const end of open.accesses.values()) end();
        released();
        onClose(reason, id);
      },
    });
    const open: OpenStream = { stream, principal, address, since, requests: NONE, accesses: NONE, request };
    this.#streams.set(id, open);
    this.#begin(open, topics);
    stream.open(topics);
    // Between the request and this, all other streams may have been ended.
    if (this.#isDraining) stream.close('draining');
    else if (isRevoked(principal)) stream.close('revoked');
    return stream;
  }

  /** Notes what was asked for. */
  remember(id: string, requests: readonly SubscribeRequest[]): void {
    const open = this.#streams.get(id);
    if (open === undefined) return;
    const { isCollection } = this.#options;
    const again = requests
      .filter(({ topic }) => isCollection(topic))
      .map((request) => [request.topic, request] as const);
    if (again.length > 0) open.requests = new Map([...open.requests, ...again]);
    this.#begin(
      open,
      requests.map(({ topic }) => topic),
    );
  }

  /** Notes what is asked for no more. */
  forget(id: string, topics: Iterable<string>): void {
    const open = this.#streams.get(id);
    if (open === undefined) return;
    const gone = new Set(topics);
    for (const topic of gone) open.accesses.get(topic)?.();
    open.requests = without(open.requests, gone);
    open.accesses = without(open.accesses, gone);
  }

  /** Puts a stream under another token. */
  renew(open: OpenStream, principal: Principal): void {
    const { role } = open.principal;
    open.principal = principal;
    if (principal.role === role) return;
    // Who reads is another now, as the audit tells readers apart.
    const topics = [...open.accesses.keys()];
    for (const end of open.accesses.values()) end();
    open.accesses = NONE;
    this.#begin(open, topics);
  }

  #begin(open: OpenStream, topics: readonly string[]): void {
    for (const topic of topics) {
      if (open.accesses.has(topic)) continue;
      const end = this.#options.audit.begin(open, { kind: 'stream', name: topic });
      if (end !== undefined) open.accesses = new Map([...open.accesses, [topic, end]]);
    }
  }

  get(id: string): OpenStream | undefined {
    return this.#streams.get(id);
  }

  all(): Iterable<OpenStream> {
    return this.#streams.values();
  }

  /** Ends the streams of those for whom `matches` is true. */
  revoke(matches: (principal: Principal) => boolean): void {
    for (const { stream, principal } of [...this.#streams.values()]) if (matches(principal)) stream.close('revoked');
  }

  /** Ends the streams of a topic that cannot be served for now. */
  endTopic(topic: string): void {
    for (const { stream } of [...this.#streams.values()]) if (stream.topics.includes(topic)) stream.close('draining');
  }

  /** Ends all streams, and asks their readers to come back spread over time. */
  drain(): void {
    this.#isDraining = true;
    this.#retrySpread = DRAIN_SPREAD_MS;
    for (const { stream } of [...this.#streams.values()]) stream.close('draining');
  }

  countByFormat(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const { stream } of this.#streams.values()) counts[stream.format] = (counts[stream.format] ?? 0) + 1;
    return counts;
  }
}

function without<Value>(map: ReadonlyMap<string, Value>, keys: ReadonlySet<string>): ReadonlyMap<string, Value> {
  const left = [...map].filter(([key]) => !keys.has(key));
  return left.length === 0 ? NONE : new Map(left);
}
