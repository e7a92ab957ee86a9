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
  /** The most members of one topic that are present at a time. */
  readonly membersPerTopic: number;
}

export const DEFAULT_LIMITS: Limits = {
  requestBytes: 1024 * 1024,
  eventBytes: 256 * 1024,
  eventsPerPublish: 1000,
  topicsPerStream: 50,
  pageEvents: 1000,
  membersPerTopic: 1000,
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

/** How long a lease of presence may be asked to live without a sign of life, and how long it does unless told, in seconds. */
export const PRESENCE_TTL = { least: 5, most: 300, default: 45 } as const;

/** The largest state of a member, in bytes of its JSON. Fixed. */
export const PRESENCE_STATE_BYTES = 4096;

/** The longest name of a member, in UTF-16 units. */
export const MAX_MEMBER = 128;
