/** A principal as the rows of a collection know it. */
import type { Principal } from '../auth/principal.ts';
import type { Caller } from '../records/visibility.ts';

export function callerOf({ role, sub, claims }: Principal): Caller {
  return { role, sub, claims };
}
