/** What an app is made of, and what is left to its defaults. */
import type { Policy } from '../auth/principal.ts';
import type { Broker } from '../broker/broker.ts';
import type { Bus } from '../bus/bus.ts';
import type { Limits } from '../protocol/limits.ts';
import type { Retention, Store } from '../store/store.ts';
import type { AppOptions } from './app.ts';
import type { AuditScope } from './audit.ts';
import type { CallerLimiter, CallerLimits } from './caller-limiter.ts';
import type { CredentialOptions } from './credentials.ts';
import type { EventDefinitions } from './event-definitions.ts';
import type { OpenCollections } from './live-collections.ts';
import type { Log } from './log.ts';
import type { RealtimeObserver } from './observer.ts';

export interface RealtimeOptions extends AppOptions {
  /** Where events are kept. In memory unless told. Closed by `close`. */
  readonly store?: Store;
  /** How nodes wake each other. None unless told. Closed by `close`. */
  readonly bus?: Bus;
  /** What publishes and subscribes. Topics in this process over `store` and `bus` unless told; with any other, `liveCollections` cannot be. */
  readonly broker?: Broker;
  /** Counts what callers do. By `callerLimits`, and of this app alone, unless told. */
  readonly callers?: CallerLimiter;
  /** This node's name: eight characters of `0-9a-z`, unlike any other's. Random unless told. */
  readonly node?: string;
  readonly auth?: CredentialOptions;
  /** Your own word on who may do what; it comes before the grants of the token. */
  readonly policy?: Policy;
  readonly limits?: Partial<Limits>;
  /** Bounds on one caller. Those that are not given are as by default; `undefined` sets none. */
  readonly callerLimits?: CallerLimits;
  /** What may be forgotten, by topic. Nothing unless told. */
  readonly retention?: Retention | ((topic: string) => Retention);
  /** About how often retention is applied and topics are compacted, in ms. A minute unless told. */
  readonly retentionIntervalMs?: number;
  /** Whether a topic keeps only the newest event of each key. */
  readonly compact?: (topic: string) => boolean;
  /** Tables to be live resources: see `liveCollections`. None unless told. */
  readonly collections?: OpenCollections;
  /**
   * The events of topics, by pattern and type, each with the zod schema of its data: what is published to such a topic has to be one of
   * them. Clients know them by `createClient<typeof app>`. Anything unless told.
   */
  readonly events?: EventDefinitions;
  /** Whose reading is noted: that of `collections` unless told, or `all` topics, or `none`. */
  readonly audit?: AuditScope;
  readonly log?: Log;
  readonly observer?: RealtimeObserver;
  /** How long a stream may last, in ms, until its reader is asked to come back; for ever unless told. For platforms that end it without a word. */
  readonly streamLifeMs?: number;
  /** Defers work to the end of this turn of the event loop; on Node, `setImmediate`. */
  readonly schedule?: (work: () => void) => void;
  /** ms since 1970 */
  readonly clock?: () => number;
  /** How often the store is asked what other nodes did, in ms; 0 never. 1,000 unless told. */
  readonly tailCheckMs?: number;
}
