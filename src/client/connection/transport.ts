/**
 * The port of a transport: how events come from the server to this client.
 *
 * A transport reads some topics from where each of them stands, and tells its observer what comes, in the order of the log for each topic.
 * It does not try again: whatever ends it, it says so once, with the reason, and is done. It keeps no position. That is its observer's, who
 * opens the next one from there; so nothing is lost between the two, and of what both tell the observer leaves out the second.
 */
import type { ControlData } from '../../protocol/control.ts';
import type { Event } from '../../protocol/event.ts';
import type { Request } from '../request.ts';
import type { Trouble } from './state.ts';

/** A topic to be read, as `POST /v1/streams` takes it (protocol section 2.8). */
export interface TopicRequest {
  readonly topic: string;
  readonly after?: string | undefined;
  /** Sent as JSON writes it. */
  readonly since?: string | Date | undefined;
  readonly last?: number | undefined;
  readonly filter?: readonly string[] | undefined;
  readonly types?: readonly string[] | undefined;
  readonly conflate?: number | undefined;
  readonly presence?: boolean | undefined;
}

/** Told what comes: events, and the control events of protocol section 2.4, each by its name. */
export type TransportObserver = {
  readonly [Name in Exclude<keyof ControlData, 'close'>]: (data: ControlData[Name]) => void;
} & {
  event(event: Event): void;
  ended(end: TransportEnd): void;
};

export interface RefusedTopic {
  readonly topic: string;
  readonly presence?: boolean | undefined;
}

export interface TransportEnd {
  readonly trouble: Trouble;
  /** ms */
  readonly retryAfter?: number | undefined;
  /** Which of the topics that were asked for the server does not serve, or only their presence. */
  readonly refused?: readonly RefusedTopic[] | undefined;
}

export interface Transport {
  /** `tab`: another tab's connection. */
  readonly kind: 'stream' | 'poll' | 'tab';
  /** When a byte came, ms since 1970. */
  lastHeard(): number;
  /**
   * Changes what is read. Topics to be removed and added again are read from their new place.
   * @returns why it could not be changed: then nothing was
   */
  change(add: readonly TopicRequest[], remove: readonly string[]): Promise<TransportEnd | undefined>;
  /** Goes on under the client's present token. @returns whether the server agreed */
  renew(): Promise<boolean>;
  /** The client itself stood still (sleep, a frozen page). */
  paused?(): void;
  /** Ends it; `ended` is not called. */
  close(): void;
}

/** Opens a transport that reads these topics. Its observer is not called before this has returned. */
export type OpenTransport = (
  topics: readonly TopicRequest[],
  observer: TransportObserver,
  context: { readonly request: Request; readonly clock: () => number },
) => Transport;
