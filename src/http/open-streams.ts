/** The streams that are open on this node: whose they are, and how they end. */
import type { Principal } from '../auth/principal.ts';
import type { SubscribeRequest } from '../broker/broker.ts';
import { EventStream, type EventStreamOptions } from '../delivery/event-stream.ts';
import type { TimerWheel } from '../delivery/timer-wheel.ts';
import type { CloseReason } from '../protocol/control.ts';

/** Readers come back over so many milliseconds after a drain, and so many after anything else. */
const DRAIN_SPREAD_MS = 10_000;
const RETRY_MS = 1000;

export interface OpenStream {
  readonly stream: EventStream;
  readonly address: string | undefined;
  /** ms since 1970 */
  readonly since: number;
  principal: Principal;
  /** What was asked for of each topic, to ask for it again under another token. */
  readonly requests: Map<string, SubscribeRequest>;
}

export interface OpenStreamsOptions {
  /** This node's name, eight characters: every stream's id begins with it. */
  readonly node: string;
  readonly wheel: TimerWheel;
  readonly clock: () => number;
  readonly onDelivery: (events: number, bytes: number) => void;
  readonly onClose: (reason: CloseReason | 'gone') => void;
}

export class OpenStreams {
  readonly node: string;
  readonly #options: OpenStreamsOptions;
  readonly #streams = new Map<string, OpenStream>();
  #retrySpread = RETRY_MS;

  constructor(options: OpenStreamsOptions) {
    this.node = options.node;
    this.#options = options;
  }

  get size(): number {
    return this.#streams.size;
  }

  /** Makes a stream and says that it is open. `released` is called when it has ended. */
  open(
    { format, sink }: Pick<EventStreamOptions, 'format' | 'sink'>,
    principal: Principal,
    address: string | undefined,
    topics: readonly string[],
    released: () => void,
  ): EventStream {
    const { wheel, clock, onDelivery, onClose } = this.#options;
    const id = `${this.node}${crypto.randomUUID().replaceAll('-', '')}`;
    const stream = new EventStream({
      id,
      format,
      sink,
      wheel,
      expires: principal.expires,
      retry: () => Math.round(RETRY_MS + Math.random() * this.#retrySpread),
      onDelivery,
      onEnd: (_, reason) => {
        this.#streams.delete(id);
        released();
        onClose(reason);
      },
    });
    this.#streams.set(id, { stream, principal, address, since: clock(), requests: new Map() });
    stream.open(topics);
    return stream;
  }

  /** Notes what was asked for. */
  remember(id: string, requests: readonly SubscribeRequest[]): void {
    const open = this.#streams.get(id);
    for (const request of requests) open?.requests.set(request.topic, request);
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

  /** Ends all streams, and asks their readers to come back spread over time. */
  drain(): void {
    this.#retrySpread = DRAIN_SPREAD_MS;
    for (const { stream } of [...this.#streams.values()]) stream.close('draining');
  }

  countByFormat(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const { stream } of this.#streams.values()) counts[stream.format] = (counts[stream.format] ?? 0) + 1;
    return counts;
  }
}
