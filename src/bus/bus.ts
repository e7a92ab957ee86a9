/**
 * The bus's port: how the nodes of one system wake each other.
 *
 * It promises little, so that anything can carry it: a signal arrives at most once at every other node, usually within
 * milliseconds, in the order sent by one node, and **may be lost**. Nothing durable depends on it: every subscriber of
 * `appended`, `presence` and `revoked` also looks at the store now and then. A node does not hear itself.
 */
import type { EventBody } from '../protocol/event.ts';

export type BusSignal =
  /** These topics have grown, at least to these seqs. */
  | { readonly kind: 'appended'; readonly heads: readonly (readonly [topic: string, seq: number])[] }
  /** Who is at these topics has changed, up to at least these revisions. */
  | { readonly kind: 'presence'; readonly heads: readonly (readonly [topic: string, revision: number])[] }
  /** Events for whoever is connected now. */
  | { readonly kind: 'ephemeral'; readonly topic: string; readonly time: number; readonly bodies: readonly EventBody[] }
  /** The store holds new revocations. */
  | { readonly kind: 'revoked' }
  /** A request to one node, or to all when `to` is absent. */
  | {
      readonly kind: 'call';
      readonly call: string;
      readonly to?: string | undefined;
      readonly operation: string;
      readonly body: unknown;
    }
  | { readonly kind: 'reply'; readonly call: string; readonly to: string; readonly body: unknown }
  /** The node that a call was for is not there. Told only to the caller, by a bus that {@link Bus.tellsUnheard}. */
  | { readonly kind: 'unheard'; readonly call: string };

export interface Envelope {
  /** The node that sent it. */
  readonly from: string;
  readonly signal: BusSignal;
}

export interface Bus {
  /** Sends without waiting; what cannot be sent is dropped and counted. */
  send(signal: BusSignal): void;
  /**
   * @param receive called for each signal of another node; must not throw
   * @param resumed called when signals may have been lost (a connection was cut and is back)
   * @returns how to stop listening
   */
  listen(receive: (envelope: Envelope) => void, resumed: () => void): () => void;
  /**
   * Says that this node wants to hear of the presence of a topic, on a bus that tells only those who do. Others have no such method.
   * @returns how to say that it does no more
   */
  follow?(topic: string): () => void;
  /** Whether a caller is told when the node that it calls is not there: then one that is may be given time. Not unless it says so. */
  readonly tellsUnheard?: boolean;
  /** Whether other nodes can be heard at the moment. */
  readonly connected: boolean;
  close(): Promise<void>;
}
