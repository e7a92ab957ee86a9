import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createGroupCommit, type GroupCommitOptions } from '../../src/store/group-commit.ts';
import { type Append, type Appended, StoreUnavailable } from '../../src/store/store.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A commit that waits to be told how it went. */
interface Commit {
  readonly appends: readonly Append[];
  succeed(): void;
  fail(error: unknown): void;
}

/** Names the events of a group by their bodies. */
const said = ({ appends }: Pick<Commit, 'appends'>) => appends.flatMap(({ bodies }) => bodies);

const write = (topic: string, text: string, key?: string): Append => ({
  topic,
  bodies: [text],
  idempotency: key === undefined ? undefined : { scope: 's', key, digest: 'd' },
});

/** Answers in order: the n-th event of all has seq n. */
function answering(): (appends: readonly Append[]) => readonly Appended[] {
  let latest = 0;
  return (appends) =>
    appends.map(({ bodies }) => {
      const first = latest + 1;
      latest += bodies.length;
      return { kind: 'appended', epoch: 'e', first, count: bodies.length, time: 0 };
    });
}

function setUp(options: Partial<GroupCommitOptions> = {}) {
  const commits: Commit[] = [];
  const scheduled: (() => void)[] = [];
  const answer = answering();
  const group = createGroupCommit({
    lanes: 1,
    schedule: (start) => scheduled.push(start),
    clock: Date.now,
    commit: (appends) =>
      new Promise((resolve, reject) => {
        commits.push({ appends, succeed: () => resolve(answer(appends)), fail: reject });
      }),
    ...options,
  });
  return {
    group,
    commits,
    /** Starts what was scheduled. */
    start: () => {
      for (const begin of scheduled.splice(0)) begin();
    },
    /** Waits until so many commits have begun. */
    begun: (count: number) => vi.waitFor(() => expect(commits.length).toBe(count), { interval: 1 }),
  };
}

/** What became of a promise so far. */
function outcomeOf(promise: Promise<unknown>): { readonly now: () => 'waiting' | 'fulfilled' | unknown } {
  let state: unknown = 'waiting';
  promise.then(
    () => {
      state = 'fulfilled';
    },
    (error) => {
      state = error;
    },
  );
  return { now: () => state };
}

const settle = async () => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

describe('a group commit', () => {
  it('takes along what comes in the same turn, and gathers what comes while a commit is in flight', async () => {
    const { group, commits, start, begun } = setUp();
    const first = [group.append(write('a', '1')), group.append(write('b', '2'))];
    expect(commits.length).toBe(0);
    start();
    const second = [group.append(write('a', '3')), group.append(write('c', '4')), group.append(write('a', '5'))];
    expect(commits.map(said)).toEqual([['1', '2']]);
    commits[0]!.succeed();
    expect((await Promise.all(first)).map((answer) => answer.kind !== 'mismatch' && answer.first)).toEqual([1, 2]);
    await begun(2);
    expect(said(commits[1]!)).toEqual(['3', '4', '5']);
    commits[1]!.succeed();
    await Promise.all(second);
  });

  it('begins again after it was idle', async () => {
    const { group, commits, start } = setUp();
    for (const text of ['1', '2', '3']) {
      const answer = group.append(write('a', text));
      start();
      expect(said(commits.at(-1)!)).toEqual([text]);
      commits.at(-1)!.succeed();
      await answer;
      await settle();
    }
    expect(vi.getTimerCount()).toBe(0);
  });

  it('lets a faulty append fail alone', async () => {
    const { group, commits, start, begun } = setUp();
    const outcomes = ['1', '2', '3'].map((text) => group.append(write('a', text)));
    const settled = Promise.allSettled(outcomes);
    start();
    commits[0]!.fail(new TypeError('bad'));
    await begun(2);
    expect(said(commits[1]!)).toEqual(['1']);
    commits[1]!.succeed();
    await begun(3);
    commits[2]!.fail(new TypeError('this one'));
    await begun(4);
    commits[3]!.succeed();
    const [one, two, three] = await settled;
    expect(one).toMatchObject({ status: 'fulfilled', value: { first: 1 } });
    expect(two).toMatchObject({ status: 'rejected', reason: new TypeError('this one') });
    expect(three).toMatchObject({ status: 'fulfilled', value: { first: 2 } });
  });

  it('does not try a faulty append of its own twice', async () => {
    const { group, commits, start } = setUp();
    const outcome = group.append(write('a', '1'));
    start();
    commits[0]!.fail(new TypeError('bad'));
    await expect(outcome).rejects.toThrow('bad');
    await settle();
    expect(commits.length).toBe(1);
  });

  it('fails all of a group when the medium is away, tries none again, and goes on with those that came later', async () => {
    const { group, commits, start, begun } = setUp();
    const group1 = Promise.allSettled(['1', '2', '3'].map((text) => group.append(write('a', text))));
    start();
    const later = group.append(write('a', '4'));
    const away = new StoreUnavailable('away');
    commits[0]!.fail(away);
    for (const outcome of await group1) expect(outcome).toEqual({ status: 'rejected', reason: away });
    await begun(2);
    expect(said(commits[1]!)).toEqual(['4']);
    commits[1]!.succeed();
    await later;
  });

  it('fails those who are given no answer by a commit', async () => {
    const { group, start } = setUp({ commit: async () => [] });
    const outcome = group.append(write('a', '1'));
    start();
    await expect(outcome).rejects.toThrow('too few');
  });

  it('tells whoever has waited too long, in flight or not, and no one else', async () => {
    const { group, commits, start, begun } = setUp({ timeoutMs: 1000 });
    const inFlight = outcomeOf(group.append(write('a', '1')));
    start();
    await vi.advanceTimersByTimeAsync(600);
    const waiting = outcomeOf(group.append(write('a', '2')));
    await vi.advanceTimersByTimeAsync(700);
    const late = group.append(write('a', '3'));
    const outcome = outcomeOf(late);
    expect(inFlight.now()).toBeInstanceOf(StoreUnavailable);
    expect(waiting.now()).toBe('waiting');
    await vi.advanceTimersByTimeAsync(500);
    expect(waiting.now()).toBeInstanceOf(StoreUnavailable);
    expect(outcome.now()).toBe('waiting');
    // The commit that was given up succeeds after all; what waited too long is not sent any more.
    commits[0]!.succeed();
    await begun(2);
    expect(said(commits[1]!)).toEqual(['3']);
    commits[1]!.succeed();
    expect(await late).toMatchObject({ kind: 'appended' });
  });

  it('refuses what would wait beyond its bound, and takes more when there is room again', async () => {
    const { group, commits, start, begun } = setUp({ maxWaitingBytes: 100 });
    const first = group.append(write('a', 'x'.repeat(10)));
    start();
    const waiting = [group.append(write('a', 'y'.repeat(60))), group.append(write('a', 'z'.repeat(40)))];
    await expect(group.append(write('a', '!'))).rejects.toBeInstanceOf(StoreUnavailable);
    commits[0]!.succeed();
    await first;
    await begun(2);
    const more = group.append(write('a', 'w'.repeat(100)));
    commits[1]!.succeed();
    await Promise.all(waiting);
    await begun(3);
    commits[2]!.succeed();
    await more;
  });

  it('makes room again when what waited too long is given up', async () => {
    const { group, start } = setUp({ maxWaitingBytes: 100, timeoutMs: 1000 });
    const inFlight = outcomeOf(group.append(write('a', 'x')));
    start();
    const waiting = outcomeOf(group.append(write('a', 'y'.repeat(100))));
    await vi.advanceTimersByTimeAsync(1500);
    expect(inFlight.now()).toBeInstanceOf(StoreUnavailable);
    expect(waiting.now()).toBeInstanceOf(StoreUnavailable);
    const again = outcomeOf(group.append(write('a', 'z'.repeat(100))));
    await settle();
    expect(again.now()).toBe('waiting');
  });

  it('takes a single append that is larger than its bounds, alone', async () => {
    const { group, commits, start, begun } = setUp({ maxBytes: 10, maxEvents: 3, maxWaitingBytes: 50 });
    const large = group.append(write('a', 'x'.repeat(1000)));
    start();
    const small = group.append(write('a', '1'));
    expect(commits[0]!.appends.length).toBe(1);
    commits[0]!.succeed();
    await large;
    await begun(2);
    commits[1]!.succeed();
    await small;
  });

  it('keeps each commit within its bounds of events and bytes', async () => {
    const { group, commits, start, begun } = setUp({ maxBytes: 10, maxEvents: 3 });
    const texts = ['1', '2', '3', '4', 'x'.repeat(9), '5', '6'];
    const answers = texts.map((text) => group.append(write('a', text)));
    start();
    const expected = [
      ['1', '2', '3'],
      ['4', 'x'.repeat(9)],
      ['5', '6'],
    ];
    for (const [index, group] of expected.entries()) {
      await begun(index + 1);
      expect(said(commits[index]!)).toEqual(group);
      commits[index]!.succeed();
    }
    await Promise.all(answers);
  });

  it('keeps two uses of a key out of one commit, and lets nothing overtake on a topic', async () => {
    const { group, commits, start, begun } = setUp();
    const answers = [
      group.append(write('a', '1', 'k')),
      group.append(write('a', '2', 'k')),
      group.append(write('a', '3')),
      group.append(write('b', '4')),
      group.append(write('b', '5', 'k')),
      group.append(write('b', '6', 'other')),
    ];
    start();
    const expected = [
      ['1', '4'],
      ['2', '3'],
      ['5', '6'],
    ];
    for (const [index, group] of expected.entries()) {
      await begun(index + 1);
      expect(said(commits[index]!)).toEqual(group);
      commits[index]!.succeed();
    }
    await Promise.all(answers);
  });

  it('keeps a topic in one lane, and commits lanes beside each other', async () => {
    const { group, commits, start } = setUp({ lanes: 4 });
    const topics = Array.from({ length: 40 }, (_, index) => `topic:${index}`);
    const answers = topics.flatMap((topic) => [group.append(write(topic, topic)), group.append(write(topic, topic))]);
    start();
    expect(commits.length).toBe(4);
    const lanes = commits.map((commit) => new Set(commit.appends.map(({ topic }) => topic)));
    for (const topic of topics) expect(lanes.filter((lane) => lane.has(topic)).length).toBe(1);
    for (const lane of lanes) expect(lane.size).toBeGreaterThan(2);
    for (const commit of commits) commit.succeed();
    await Promise.all(answers);
  });

  it('tells of every commit: how many appends, how long', async () => {
    const told: [number, number][] = [];
    const { group, commits, start } = setUp({ onCommit: (appends, ms) => told.push([appends, ms]) });
    const answers = [group.append(write('a', '1')), group.append(write('a', '2'))];
    start();
    await vi.advanceTimersByTimeAsync(40);
    commits[0]!.succeed();
    await Promise.all(answers);
    await settle();
    expect(told).toEqual([[2, 40]]);
  });

  it('commits every append once, each topic in its order, whatever fails', async () => {
    vi.useRealTimers();
    const step = fc.record({
      topic: fc.constantFrom('a', 'b', 'c'),
      key: fc.option(fc.constantFrom('k', 'l'), { nil: undefined, freq: 3 }),
      bytes: fc.integer({ min: 1, max: 30 }),
      turns: fc.nat(3),
      faulty: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), async (steps, lanes) => {
        const committed: Append[] = [];
        const group = createGroupCommit({
          lanes,
          schedule: setImmediate,
          clock: Date.now,
          maxEvents: 5,
          maxBytes: 60,
          async commit(appends) {
            const keys = appends.flatMap(({ idempotency }) => idempotency?.key ?? []);
            expect(new Set(keys).size).toBe(keys.length);
            expect(appends.length).toBeLessThanOrEqual(5);
            await new Promise((resolve) => setImmediate(resolve));
            if (appends.some(({ bodies }) => bodies[0]!.startsWith('!'))) throw new TypeError('faulty');
            committed.push(...appends);
            return appends.map(({ bodies }) => ({
              kind: 'appended',
              epoch: 'e',
              first: 1,
              count: bodies.length,
              time: 0,
            }));
          },
        });
        const outcomes = [];
        for (const [index, { topic, key, bytes, turns, faulty }] of steps.entries()) {
          const text = `${faulty ? '!' : ''}${index}`.padEnd(bytes, '.');
          outcomes.push(Promise.allSettled([group.append(write(topic, text, key))]));
          for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        }
        const settled = (await Promise.all(outcomes)).flat();
        expect(settled.map(({ status }) => status === 'rejected')).toEqual(steps.map(({ faulty }) => faulty));
        for (const name of ['a', 'b', 'c']) {
          const order = committed
            .filter(({ topic }) => topic === name)
            .map(({ bodies }) => Number.parseInt(bodies[0]!, 10));
          const expected = steps.flatMap(({ topic, faulty }, index) => (topic === name && !faulty ? [index] : []));
          expect(order).toEqual(expected);
        }
      }),
      { numRuns: 40 },
    );
  });
});
