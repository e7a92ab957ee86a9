/**
 * The order in which the changes of one transaction were made, where the outbox has them in another.
 *
 * A change is noted after its statement, so one that a trigger makes within a statement is noted before what the statement itself had
 * done to the same row by then. But every change says what the row was before and after it: so the changes of a row form a chain, and
 * there is one order in which each begins at what the one before it led to. (There may be several where a row leaves its key and one
 * that is equal to it, its version too, comes to the same key: then the order in which that was noted is believed.)
 */

/** A row under its key. */
export interface RowState {
  readonly key: string;
  /** Equal for equal rows: the row's image, or a digest of it. */
  readonly state: string;
}

/** A change: `undefined` where there was no row, or is none. */
export interface ChainLink {
  readonly before: RowState | undefined;
  readonly after: RowState | undefined;
}

/** What stands at a key when no row does. No image is empty. */
const NOTHING = '';
/** What a row that comes to a key to stay waits for: that no other comes. */
const LAST = ' last';

/**
 * @param links of one table and one transaction, as they were noted
 * @returns the same, each after what it follows from, and otherwise as they were. Those that follow from nothing, which can only be
 *   where a key was held by two rows for a while, come last
 */
export function inChainOrder<Link extends ChainLink>(links: readonly Link[]): readonly Link[] {
  const current = initialStates(links);
  const last = lastEntries(links);
  const ordered = new Set<Link>();
  /** Links by what they wait for. */
  const waiting = new Map<string, Link[]>();

  function unmet(link: Link): string | undefined {
    const { before, after } = link;
    if (before !== undefined && current.get(before.key) !== before.state) return place(before.key, before.state);
    if (after === undefined || after.key === before?.key) return undefined;
    const others = last.entries.get(after.key) ?? 0;
    if (last.links.has(link) && others > 0) return place(after.key, LAST);
    return current.get(after.key) === NOTHING ? undefined : place(after.key, NOTHING);
  }

  function take(link: Link): readonly string[] {
    const { before, after } = link;
    ordered.add(link);
    if (before !== undefined) current.set(before.key, NOTHING);
    if (after !== undefined) current.set(after.key, after.state);
    if (after === undefined || after.key === before?.key) return [before?.key ?? ''];
    if (!last.links.has(link)) last.entries.set(after.key, (last.entries.get(after.key) ?? 0) - 1);
    return before === undefined ? [after.key] : [before.key, after.key];
  }

  for (const link of links) {
    for (const ready = [link]; ready.length > 0; ) {
      const next = ready.pop();
      if (next === undefined) break;
      const need = unmet(next);
      if (need !== undefined) {
        const others = waiting.get(need);
        if (others === undefined) waiting.set(need, [next]);
        else others.push(next);
        continue;
      }
      for (const key of take(next)) {
        const freed = waiting.get(place(key, current.get(key) ?? NOTHING))?.shift();
        const followed =
          freed ?? ((last.entries.get(key) ?? 0) > 0 ? undefined : waiting.get(place(key, LAST))?.shift());
        if (followed !== undefined) ready.push(followed);
      }
    }
  }
  return [...ordered, ...links.filter((link) => !ordered.has(link))];
}

/** The links by which a row comes to a key and stays, and how many others each key has by which one comes. */
function lastEntries(links: readonly ChainLink[]) {
  const from = new Map<string, ChainLink>();
  for (const link of links) if (link.before !== undefined) from.set(place(link.before.key, link.before.state), link);
  const stays = new Set<ChainLink>();
  const entries = new Map<string, number>();
  for (const link of links) {
    const { before, after } = link;
    if (after === undefined || after.key === before?.key) continue;
    let end: RowState | undefined = after;
    for (const seen = new Set<ChainLink>(); end?.key === after.key; ) {
      const next = from.get(place(end.key, end.state));
      if (next === undefined || seen.has(next)) break;
      seen.add(next);
      end = next.after;
    }
    if (end?.key === after.key) stays.add(link);
    else entries.set(after.key, (entries.get(after.key) ?? 0) + 1);
  }
  return { links: stays, entries };
}

/** What stood at each key before the first change. */
function initialStates(links: readonly ChainLink[]): Map<string, string> {
  const initial = new Map<string, string>();
  const ledTo = new Set(links.flatMap(({ after }) => (after === undefined ? [] : [place(after.key, after.state)])));
  for (const [key, { begins, holds, isEntered }] of byKey(links)) {
    if (holds) initial.set(key, begins[0] ?? NOTHING);
    // What no change led to was there before. If every state was led to, the row came from elsewhere, or has come back to what it was.
    else
      initial.set(
        key,
        begins.find((state) => state !== NOTHING && !ledTo.has(place(key, state))) ??
          (isEntered ? NOTHING : (begins[0] ?? NOTHING)),
      );
  }
  return initial;
}

interface AtKey {
  /** What changes begin at, as they were noted; what one begins at that enters the key is nothing. */
  readonly begins: string[];
  /** Whether each begins at what the one noted before it led to. */
  holds: boolean;
  /** Whether a row was inserted under the key, or moved to it. */
  isEntered: boolean;
  state: string;
}

function byKey(links: readonly ChainLink[]): ReadonlyMap<string, AtKey> {
  const keys = new Map<string, AtKey>();
  function note(key: string, begins: string, state: string): void {
    let known = keys.get(key);
    if (known === undefined) {
      known = { begins: [], holds: true, isEntered: false, state: begins };
      keys.set(key, known);
    }
    known.begins.push(begins);
    known.holds &&= known.state === begins;
    known.isEntered ||= begins === NOTHING;
    known.state = state;
  }
  for (const { before, after } of links) {
    const stays = before?.key === after?.key;
    if (before !== undefined) note(before.key, before.state, stays ? (after?.state ?? NOTHING) : NOTHING);
    if (after !== undefined && !stays) note(after.key, NOTHING, after.state);
  }
  return keys;
}

function place(key: string, state: string): string {
  return `${JSON.stringify(key)}${state}`;
}
