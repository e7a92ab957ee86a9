/** Who leads, over the Web Locks of this process; what a leader answers is the test's. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLeadership, type Leadership } from '../../../src/client/tabs/leadership.ts';
import type { TabLine, Wish, Word } from '../../../src/client/tabs/tab-words.ts';

let count = 0;
const open: Leadership[] = [];
beforeEach(() => {
  count += 1;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
  for (const each of open.splice(0)) each.close();
});

/** The tabs of one browser; what one says, the others hear at once, unless it is deaf. */
function tabs() {
  const name = `leadership-${count}`;
  const ears = new Map<string, Set<(word: Wish | Word) => void>>();
  return (tab: string) => {
    const own = new Set<(word: Wish | Word) => void>();
    ears.set(tab, own);
    const state = { hidden: false, connected: true, deaf: false, changes: 0 };
    const line: TabLine = {
      send(word) {
        for (const [other, hears] of ears) if (other !== tab && !state.deaf) for (const hear of hears) hear(word);
      },
      listen(hear) {
        const listener = (word: Wish | Word) => {
          if (!state.deaf) hear(word);
        };
        own.add(listener);
        return () => own.delete(listener);
      },
    };
    const leadership = createLeadership({
      name,
      tab,
      locks: navigator.locks,
      line,
      hidden: () => state.hidden,
      connected: () => state.connected,
      onChange: () => {
        state.changes += 1;
      },
    });
    open.push(leadership);
    leadership.run();
    return Object.assign(state, { leadership });
  };
}

const leads = (...of: readonly { readonly leadership: Leadership }[]) => of.map(({ leadership }) => leadership.leads());

/** Waits for what Web Locks do, which is not by the timers that stand still here. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

describe('the lead', () => {
  it('is of the first, and of the next when that is gone', async () => {
    const tab = tabs();
    const first = tab('a');
    await until(() => first.leadership.leads());
    const second = tab('b');
    const third = tab('c');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(leads(first, second, third)).toEqual([true, false, false]);
    first.leadership.close();
    await until(() => second.leadership.leads());
    expect(leads(second, third)).toEqual([true, false]);
  });

  it('is taken from a tab that does not answer, by one that is seen', async () => {
    const tab = tabs();
    const first = tab('a');
    await until(() => first.leadership.leads());
    const second = tab('b');
    second.hidden = true;
    // As a frozen one: it hears nothing, and its own timers take nothing.
    first.deaf = true;
    first.hidden = true;
    await vi.advanceTimersByTimeAsync(30_000);
    expect(leads(first, second)).toEqual([true, false]);
    second.hidden = false;
    await vi.advanceTimersByTimeAsync(10_000);
    await until(() => second.leadership.leads());
    await until(() => !first.leadership.leads());
    // It waits in the queue again, and leads when it can.
    second.leadership.close();
    await until(() => first.leadership.leads());
  });

  it('is taken from a tab that nobody sees and that has no connection', async () => {
    const tab = tabs();
    const first = tab('a');
    await until(() => first.leadership.leads());
    const second = tab('b');
    first.hidden = true;
    await vi.advanceTimersByTimeAsync(30_000);
    expect(leads(first, second)).toEqual([true, false]);
    first.connected = false;
    await vi.advanceTimersByTimeAsync(10_000);
    await until(() => second.leadership.leads());
  });

  it('is given up by a tab that is about to be frozen, until it goes on', async () => {
    const tab = tabs();
    const first = tab('a');
    await until(() => first.leadership.leads());
    const second = tab('b');
    first.leadership.resign();
    expect(first.leadership.leads()).toBe(false);
    await until(() => second.leadership.leads());
    first.leadership.run();
    second.leadership.close();
    await until(() => first.leadership.leads());
  });

  it('changes are told, and what is said again is not', async () => {
    const tab = tabs();
    const first = tab('a');
    await until(() => first.leadership.leads());
    const second = tab('b');
    await vi.advanceTimersByTimeAsync(60_000);
    expect([first.changes, second.changes]).toEqual([1, 1]);
  });
});
