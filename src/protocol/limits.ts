/** The bounds of the wire. Each is a default that a deployment may change, unless it says that it is fixed. */
export interface Limits {
  /** The largest request body, in bytes. */
  readonly requestBytes: number;
  /** The largest event, in bytes of its JSON. */
  readonly eventBytes: number;
  /** The most events in one publish. */
  readonly eventsPerPublish: number;
  /** The most topics of one stream. */
  readonly topicsPerStream: number;
  /** The most events of one page. */
  readonly pageEvents: number;
}

export const DEFAULT_LIMITS: Limits = {
  requestBytes: 1024 * 1024,
  eventBytes: 256 * 1024,
  eventsPerPublish: 1000,
  topicsPerStream: 50,
  pageEvents: 1000,
};

/** Seconds without other traffic after which a stream gets a heartbeat. */
export const HEARTBEAT_SECONDS = 25;

/** Seconds before a token's end at which its streams are told. */
export const EXPIRING_SECONDS = 60;

/** The longest `wait` of a long poll, in seconds. */
export const MAX_WAIT_SECONDS = 60;

/** How long an idempotency key is remembered, in milliseconds. */
export const IDEMPOTENCY_MS = 24 * 60 * 60 * 1000;

/** The longest `Idempotency-Key`, in characters. */
export const MAX_IDEMPOTENCY_KEY = 200;
