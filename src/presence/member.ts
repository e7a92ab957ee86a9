/** A member as a node knows it, and how it is told. */
import type { Control, PresenceData, PresentMember } from '../protocol/control.ts';
import { parseJson } from '../protocol/json.ts';
import type { PresenceChange, StoredLease } from '../store/presence-store.ts';

export interface Member extends PresentMember {
  /** The state's JSON, to compare by. */
  readonly text: string;
}

/** @param known `state` as JSON, and `since` in ms since 1970 */
export function memberOf({ member, state, since }: Pick<StoredLease, 'member' | 'state' | 'since'>): Member {
  const parsed = parseJson(state);
  return { member, state: parsed.ok ? parsed.value : null, since: new Date(since).toISOString(), text: state };
}

/** How a change of a member is told. */
export function toldOf(topic: string, change: PresenceChange['change'], { member, state, since }: Member): Control {
  const data: PresenceData =
    change === 'join' ? { topic, change, member, state, since } : { topic, change, member, state };
  return { name: 'presence', data };
}

/** The members as they are told to whoever begins to watch, in parts of about `length` characters; at least one. */
export function syncParts(topic: string, members: Iterable<Member>, length: number): readonly Control[] {
  const parts: PresentMember[][] = [[]];
  let size = 0;
  for (const { member, state, since, text } of members) {
    if (size > 0 && size + text.length > length) {
      parts.push([]);
      size = 0;
    }
    parts.at(-1)?.push({ member, state, since });
    // What stands around them is about as long as the longest name.
    size += text.length + member.length + 64;
  }
  return parts.map((part, index) => {
    const data = { topic, change: 'sync', members: part } as const;
    return { name: 'presence', data: index < parts.length - 1 ? { ...data, more: true } : data };
  });
}

/** What became of the members between two lists: leaves first, then the others in the order of the new list. */
export function differenceOf(
  topic: string,
  before: ReadonlyMap<string, Member>,
  now: ReadonlyMap<string, Member>,
): readonly Control[] {
  const stays = ({ member, since }: Member) => now.get(member)?.since === since;
  const left = [...before.values()].filter((member) => !stays(member));
  const rest = [...now.values()].flatMap((member) => {
    const known = before.get(member.member);
    if (known === undefined || known.since !== member.since) return [toldOf(topic, 'join', member)];
    return known.text === member.text ? [] : [toldOf(topic, 'update', member)];
  });
  return [...left.map((member) => toldOf(topic, 'leave', member)), ...rest];
}
