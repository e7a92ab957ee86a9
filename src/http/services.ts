/** What the routes work with, and what each request carries. */
import type { Context, MiddlewareHandler } from 'hono';
import type { Authenticator } from '../auth/authenticate.ts';
import type { Principal } from '../auth/principal.ts';
import type { Revocations } from '../auth/revocations.ts';
import type { Rights } from '../auth/rights.ts';
import type { Tickets } from '../auth/tickets.ts';
import type { Broker } from '../broker/broker.ts';
import type { Presence } from '../presence/presence.ts';
import type { Limits } from '../protocol/limits.ts';
import type { Store } from '../store/store.ts';
import type { Audit, AuditReader } from './audit.ts';
import type { CallerLimiter } from './caller-limiter.ts';
import type { EventTypes } from './event-definitions.ts';
import type { Log } from './log.ts';
import type { OpenStreams } from './open-streams.ts';
import type { ServedCollections } from './served-collections.ts';
import type { StreamControl } from './stream-control.ts';
import type { Subscriptions } from './subscriptions.ts';

export interface Services {
  readonly broker: Broker;
  readonly store: Store;
  readonly authenticator: Authenticator;
  readonly rights: Rights;
  readonly tickets: Tickets;
  readonly revocations: Revocations;
  /** Tells the other nodes to look for revocations. */
  readonly announceRevocation: () => void;
  /** Tables as resources, where there are any. */
  readonly collections: ServedCollections | undefined;
  readonly subscriptions: Subscriptions;
  /** Who is at topics, where the store keeps it. */
  readonly presence: Presence | undefined;
  readonly streams: OpenStreams;
  readonly audit: Audit;
  readonly streamControl: StreamControl;
  /** Answers the pages that are being waited for, each with what it has: called when the node drains. */
  readonly pages: Set<() => void>;
  /** Whether everybody may read a topic, and nobody is noted who does: then what one has read, another may be given. */
  readonly isPublic: (topic: string) => boolean;
  /** What may be published to a topic; `undefined`: anything. */
  readonly eventTypes: (topic: string) => EventTypes | undefined;
  readonly callers: CallerLimiter;
  readonly limits: Limits;
  readonly log: Log;
  /** ms since 1970 */
  readonly clock: () => number;
  /** Whether the node is shutting down. */
  readonly draining: () => boolean;
}

export interface Env {
  Variables: {
    /** Set by the `authenticate` middleware. */
    principal: Principal;
    /** Where the request comes from; `undefined` where the runtime does not say. */
    address: string | undefined;
    requestId: string;
    /** The body as it came, for those who need its very bytes. */
    bytes: Uint8Array;
  };
  /** On Node, @hono/node-server gives the request and the response of `node:http`. */
  Bindings: { readonly incoming?: unknown; readonly outgoing?: unknown };
}

/** Who asks, as the audit knows them. */
export function readerOf(c: RequestContext): AuditReader {
  return { principal: c.get('principal'), address: c.get('address'), request: c.get('requestId') };
}

export type RequestContext = Context<Env>;
export type Middleware = MiddlewareHandler<Env>;
