/**
 * Joining with a stream that shall keep the lease alive, on whichever node it is open (protocol section 5).
 *
 * The node of the stream is told before the lease is written, so that it renews it, and again afterwards, because the stream may have
 * ended in between: then the lease is let go as if it had ended with the stream.
 */
import type { Principal } from '../auth/principal.ts';
import type { Presence } from '../presence/presence.ts';
import type { Join, Joined } from '../store/presence-store.ts';
import { ProblemError } from './problem-error.ts';
import type { StreamControl } from './stream-control.ts';

/** @throws ProblemError `not-found` unless the stream is open and the caller's own; StoreUnavailable */
export async function bindLease(
  { presence, streamControl }: { readonly presence: Presence; readonly streamControl: StreamControl },
  principal: Principal,
  join: Join,
): Promise<Joined> {
  const { stream } = join;
  if (stream === undefined) return presence.join(join);
  const before = await streamControl.bind(stream, principal, join.topic);
  if (before.kind !== 'done') throw new ProblemError(before.kind === 'unavailable' ? 'unavailable' : 'not-found');
  const joined = await presence.join(join);
  if (joined.kind !== 'joined') return joined;
  const after = await streamControl.bind(stream, principal, join.topic);
  if (after.kind === 'not-found') presence.release(stream);
  return joined;
}
