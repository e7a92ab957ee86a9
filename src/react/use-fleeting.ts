/** What `useTyping` and `useCursors` have in common. */
import { useCallback, useSyncExternalStore } from 'react';
import { keyOf } from './scope.ts';
import { useScope } from './sluice-provider.ts';

const NOTHING: ReadonlyMap<string, unknown> = new Map();
const nothing = () => NOTHING;

export function useFleeting(kind: 'typing' | 'cursors', topic: string | null | undefined, member: string) {
  const scope = useScope();
  const at = topic ?? undefined;
  const subscribe = useCallback(
    (listener: () => void) => {
      if (at === undefined) return () => {};
      const fleeting = scope.holdFleeting(kind, at, member);
      const stop = fleeting.value.observe(listener);
      return () => {
        stop();
        fleeting.release();
      };
    },
    [scope, kind, at, member],
  );
  const peek = useCallback(
    () => (at === undefined ? undefined : scope.fleetings.peek(keyOf(kind, at, member))),
    [scope, kind, at, member],
  );
  const values = useSyncExternalStore(subscribe, () => peek()?.values ?? NOTHING, nothing);
  const send = useCallback((data: unknown) => peek()?.send(data), [peek]);
  return { values, send };
}
