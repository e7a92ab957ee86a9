/** Who is typing. */
import { useMemo } from 'react';
import { useFleeting } from './use-fleeting.ts';

export interface TypingView {
  /** The others who are typing, by name. */
  readonly typing: readonly string[];
  /** To be called whenever something was typed: it counts for 5 s, and is told every 2 s at most. */
  typed(): void;
}

/**
 * Who is typing at a topic, besides oneself. Needs the right to publish to the topic, to tell it.
 *
 * @param topic `undefined` or `null` while there is none
 * @param member who one is oneself
 * @example
 * ```tsx
 * const { typing, typed } = useTyping('chat:lobby', user.name);
 * return <><input onChange={typed} />{typing.length > 0 && `${typing.join(', ')} …`}</>;
 * ```
 */
export function useTyping(topic: string | null | undefined, member: string): TypingView {
  const { values, send } = useFleeting('typing', topic, member);
  return useMemo(() => ({ typing: [...values.keys()].sort(), typed: () => send(true) }), [values, send]);
}
