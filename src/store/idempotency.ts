/** What one remembered write is called. NUL cannot occur in a scope or a key, so two pairs never share a name. */
import type { Idempotency } from './store.ts';

export function idempotencyName({ scope, key }: Pick<Idempotency, 'scope' | 'key'>): string {
  return `${scope}\0${key}`;
}
