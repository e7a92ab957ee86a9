/** How good the connection is, by its round trip. */
import type { Status } from './status.ts';

/** Below 100 ms, below 300 ms, below 1 s, or longer; `offline` while there is no connection; `unknown` until it was measured. */
export type Quality = 'excellent' | 'good' | 'fair' | 'poor' | 'offline' | 'unknown';

/** @param roundTrip in ms */
export function qualityOf(state: Status['state'], roundTrip: number | undefined): Quality {
  if (state !== 'connected') return 'offline';
  if (roundTrip === undefined) return 'unknown';
  if (roundTrip < 100) return 'excellent';
  if (roundTrip < 300) return 'good';
  return roundTrip < 1000 ? 'fair' : 'poor';
}
