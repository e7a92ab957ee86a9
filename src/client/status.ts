/** What is known of the connection, for people to see. */
import type { Obstacle } from './connection/evidence.ts';
import type { ConnectionState, Trouble } from './connection/state.ts';

/** By the round trip: below 100 ms, 300 ms, 1 s, or longer; `offline` while there is no connection. `unknown` until it was measured. */
export type Quality = 'excellent' | 'good' | 'fair' | 'poor' | 'offline' | 'unknown';

/** One moment. The same object as long as nothing has changed. */
export interface Status {
  readonly state: ConnectionState['kind'];
  readonly quality: Quality;
  /** ms, of a request and its answer. Measured every 30 s while somebody observes the status. */
  readonly roundTrip: number | undefined;
  /** ms since 1970 */
  readonly lastHeartbeat: number | undefined;
  /** Failed attempts in a row. */
  readonly attempts: number;
  /** Why there is no connection. */
  readonly trouble: Trouble | undefined;
  readonly transport: 'stream' | 'poll' | undefined;
  /** Why it is polls: what was seen of streams. */
  readonly obstacle: Obstacle | undefined;
  /** Writes that the server has not acknowledged yet. */
  readonly queued: number;
}

export function qualityOf(state: ConnectionState['kind'], roundTrip: number | undefined): Quality {
  if (state !== 'connected') return 'offline';
  if (roundTrip === undefined) return 'unknown';
  if (roundTrip < 100) return 'excellent';
  if (roundTrip < 300) return 'good';
  return roundTrip < 1000 ? 'fair' : 'poor';
}
