/**
 * Gathering: while one statement is under way, what is asked meanwhile waits, and the next statement takes it all.
 *
 * Whoever comes to an idle gatherer pays no delay; in a crowd the cost of a statement is shared. Items of the same key never share a
 * statement, and keep their order of arrival.
 *
 * Limits: a statement takes at most `most` items; at most `waiting` wait, and beyond that an item is refused at once. When the medium
 * is away, those that wait are told with those that were under way.
 */
import { StoreUnavailable } from './store.ts';

export interface GatherOptions<Item, Answer> {
  /** Answers items in their order. No two of them have the same key. */
  readonly run: (items: readonly Item[]) => Promise<readonly Answer[]>;
  readonly keyOf: (item: Item) => string;
  /** Defers the start of an idle gatherer, so that what comes in the same turn of the event loop goes along. */
  readonly schedule: (start: () => void) => void;
  readonly most: number;
  readonly waiting: number;
}

interface Waiting<Item, Answer> {
  readonly item: Item;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
}

/** @returns asks for one item; rejects with what `run` threw, or with StoreUnavailable */
export function createGather<Item, Answer>(options: GatherOptions<Item, Answer>): (item: Item) => Promise<Answer> {
  const { run, keyOf, schedule, most } = options;
  let waiting: Waiting<Item, Answer>[] = [];
  let running = false;

  async function runAll(): Promise<void> {
    while (waiting.length > 0) await runGroup(take());
    running = false;
  }

  async function runGroup(group: readonly Waiting<Item, Answer>[]): Promise<void> {
    try {
      const answers = await run(group.map(({ item }) => item));
      group.forEach(({ resolve, reject }, index) => {
        const answer = answers[index];
        if (answer === undefined) reject(new Error('a statement gave too few answers'));
        else resolve(answer);
      });
    } catch (error) {
      // A fault of one item must not take its neighbours along.
      if (group.length > 1 && !(error instanceof StoreUnavailable)) for (const one of group) await runGroup([one]);
      else for (const { reject } of error instanceof StoreUnavailable ? [...group, ...takeAll()] : group) reject(error);
    }
  }

  function takeAll(): readonly Waiting<Item, Answer>[] {
    const all = waiting;
    waiting = [];
    return all;
  }

  /** The next group in order of arrival; a second item of a key waits for the next. */
  function take(): readonly Waiting<Item, Answer>[] {
    const group: Waiting<Item, Answer>[] = [];
    const left: Waiting<Item, Answer>[] = [];
    const keys = new Set<string>();
    for (const each of waiting) {
      const key = keyOf(each.item);
      if (group.length >= most || keys.has(key)) left.push(each);
      else group.push(each);
      keys.add(key);
    }
    waiting = left;
    return group;
  }

  return (item) => {
    if (waiting.length >= options.waiting)
      return Promise.reject(new StoreUnavailable('too much is waiting to be written'));
    return new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (running) return;
      running = true;
      schedule(() => void runAll());
    });
  };
}
