/**
 * What a cache may keep of pages (protocol section 2.7).
 *
 * What lies after a cursor does not change: a page that is full is the same for ever, but for what retention lets go. One that is not full is
 * right too, only shorter than it could be; it is kept so briefly that it only spares the server those who ask at the same moment. An empty
 * one is kept by nobody: whoever is answered by it would ask again at once.
 */
import type { SubscribeRequest } from '../broker/broker.ts';
import type { Services } from './services.ts';

/** How long a full page may be kept, and one that is not, in seconds. */
const FULL_S = 3600;
const SHORT_S = 1;

export interface KeptPage {
  readonly events: number;
  /** Whether there is more after it. */
  readonly more: boolean;
  readonly hasGap: boolean;
  /** Whether the URL alone says what is asked for: a cache knows a page by that. */
  readonly isNamed: boolean;
}

/** The `Cache-Control` of a page. */
export function cacheControlOf(
  { isPublic }: Pick<Services, 'isPublic'>,
  requests: readonly SubscribeRequest[],
  { events, more, hasGap, isNamed }: KeptPage,
): string {
  // Without a cursor the same question has another answer a moment later.
  const isFixed = requests.every(({ start, topic }) => start.kind === 'cursor' && isPublic(topic));
  if (!isFixed || !isNamed || hasGap || events === 0) return 'no-store';
  return more ? `public, max-age=${FULL_S}, immutable` : `public, max-age=${SHORT_S}`;
}
