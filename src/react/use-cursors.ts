/** Where pointers or carets are. */
import { useMemo } from 'react';
import { useFleeting } from './use-fleeting.ts';

export interface CursorsView<Data> {
  /** Where the others are, by name. What was not moved for 10 s is not there any more. */
  readonly cursors: ReadonlyMap<string, Data>;
  /** Tells the others where one is: the newest, ten times a second at most. */
  move(data: Data): void;
}

/**
 * Where the pointers or carets of a topic's members are, besides one's own. Only the component that calls it is rendered when one moves.
 * Needs the right to publish to the topic, to tell it.
 *
 * @typeParam Data where one is: any JSON value
 * @param topic `undefined` or `null` while there is none
 * @param member who one is oneself
 * @example
 * ```tsx
 * const { cursors, move } = useCursors<{ x: number; y: number }>('doc:1', user.name);
 * return <div onPointerMove={({ clientX, clientY }) => move({ x: clientX, y: clientY })}>{[...cursors].map(dot)}</div>;
 * ```
 */
export function useCursors<Data>(topic: string | null | undefined, member: string): CursorsView<Data>;
export function useCursors(topic: string | null | undefined, member: string): CursorsView<unknown> {
  const { values, send } = useFleeting('cursors', topic, member);
  return useMemo(() => ({ cursors: values, move: send }), [values, send]);
}
