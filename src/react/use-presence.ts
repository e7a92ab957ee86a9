/** Who is at a topic, and being there. */
import { useCallback, useEffect, useMemo } from 'react';
import type { MembershipState } from '../client/presence/membership.ts';
import type { PresentMember, SubscriptionState } from '../client/subscription.ts';
import { keyOf } from './scope.ts';
import { useScope } from './sluice-provider.ts';
import { useSame } from './use-same.ts';
import { useStore, whole } from './use-store.ts';

export interface PresenceOptions {
  /** To be there under this name, 1 to 128 characters, unlike any other's; only to look on unless told. */
  readonly member?: string | undefined;
  /** What the others are to know of it: any JSON value, of at most 4 KiB. As long as it says the same, it may be another object. */
  readonly state?: unknown;
}

export interface PresenceView {
  /** Who is there, by name, oneself among them; empty until the server has told. */
  readonly members: readonly PresentMember[];
  /** Whether it is told who is there. `closed` when no topic was given. */
  readonly state: SubscriptionState;
  /** Whether one is there oneself; `undefined` when there is no `member`. */
  readonly membership: MembershipState | undefined;
  /** Tells the others another state, until `state` of the options becomes another. Not more often than every 200 ms, the newest. */
  update(state: unknown): void;
}

type Shown = Omit<PresenceView, 'update'>;

/**
 * Who is at a topic, and being there as long as the component is shown. Who leaves and comes back within a second, as React does when it
 * mounts twice, has not left.
 *
 * @param topic `undefined` or `null` while there is none
 * @example
 * ```tsx
 * const { members } = usePresence('doc:1', { member: user.name, state: { color: user.color } });
 * return members.map(({ member }) => <Avatar key={member} name={member} />);
 * ```
 */
export function usePresence(topic: string | null | undefined, { member, state }: PresenceOptions = {}): PresenceView {
  const scope = useScope();
  const at = topic ?? undefined;
  const told = useSame(state);
  const initial = useCallback(
    (): Shown => ({
      members: [],
      state: { kind: at === undefined ? 'closed' : 'waiting' },
      membership: at === undefined || member === undefined ? undefined : { kind: 'joining' },
    }),
    [at, member],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: another state is told below, and is no reason to join anew
  const subscribe = useCallback(
    (listener: () => void) => {
      if (at === undefined) return () => {};
      const presence = scope.holdPresence(at);
      const stop = presence.value.observe(listener);
      const own = member === undefined ? undefined : scope.holdMembership(at, member, told);
      return () => {
        stop();
        own?.release();
        presence.release();
      };
    },
    [scope, at, member],
  );
  const read = useCallback((): Shown => {
    const presence = at === undefined ? undefined : scope.presences.peek(keyOf(at));
    if (at === undefined || presence === undefined) return initial();
    const own = member === undefined ? undefined : scope.memberships.peek(keyOf(at, member));
    return { members: presence.members, state: presence.state, membership: own?.state ?? initial().membership };
  }, [scope, at, member, initial]);
  const shown = useStore({ subscribe, read, initial }, whole);

  const update = useCallback(
    (next: unknown) => {
      if (at !== undefined && member !== undefined) scope.memberships.peek(keyOf(at, member))?.tell(next);
    },
    [scope, at, member],
  );
  useEffect(() => {
    if (told !== undefined) update(told);
  }, [told, update]);
  return useMemo(() => ({ ...shown, update }), [shown, update]);
}
