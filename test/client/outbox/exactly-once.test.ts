/** Every write that was taken is applied exactly once, or is a dead letter: whatever happens to the tabs, the network and the server. */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Mutation, mutationOf, type Write } from '../../../src/client/mutation.ts';
import { laneOf } from '../../../src/client/outbox/lanes.ts';
import { RESEND_MS } from '../../../src/client/outbox/transitions.ts';
import { chooseSeed, seededRandom } from '../../support/random.ts';
import { type Fate, ModelServer } from './model-server.ts';
import { Browser, type Tab, watch } from './tabs.ts';

const HOUR = 3_600_000;

const which = fc.nat(2);

const FATES: readonly Fate[] = [
  'answer',
  'lost',
  'lost-answer',
  'portal',
  'redirect',
  'unavailable',
  'internal',
  'rate-limited',
  'request-timeout',
  'token-expired',
  'forbidden',
  'not-found',
  'conflict',
  'unique',
];

const command = fc.oneof(
  { weight: 10, arbitrary: fc.record({ op: fc.constant('enqueue' as const), tab: which, lane: fc.nat(5) }) },
  {
    weight: 6,
    arbitrary: fc.record({ op: fc.constant('pass' as const), ms: fc.constantFrom(0, 1, 20, 300, 2000, 40_000) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant('fates' as const),
      fates: fc.array(fc.constantFrom(...FATES), { maxLength: 6 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant('outage' as const),
      fate: fc.constantFrom<Fate>(
        'lost',
        'lost-answer',
        'unavailable',
        'portal',
        'token-expired',
        'forbidden',
        'not-found',
      ),
      ms: fc.constantFrom(100, 5000, 5000, 5000, 22 * HOUR, 25 * HOUR),
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('crash' as const), tab: which }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('suspend' as const), tab: which }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('resume' as const), tab: which }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('wake' as const), tab: which }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('retry' as const), tab: which, letter: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('discard' as const), tab: which, letter: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('fault' as const), faults: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('talk' as const), talks: fc.boolean() }) },
);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const settings = fc.record({
  locks: fc.boolean(),
  shows: fc.constantFrom('before', 'after', 'never'),
  slow: fc.boolean(),
});

it('every write is applied exactly once, or is a dead letter', { timeout: 120_000 }, async () => {
  const seed = chooseSeed();
  await fc.assert(
    fc.asyncProperty(settings, fc.array(command, { minLength: 5, maxLength: 60 }), async (setting, commands) => {
      await run(setting, commands, seed);
    }),
    { seed, numRuns: 150, endOnFailure: false },
  );
});

async function run(
  { locks, shows, slow }: { readonly locks: boolean; readonly shows: string; readonly slow: boolean },
  commands: readonly (typeof command extends fc.Arbitrary<infer Command> ? Command : never)[],
  seed: number,
): Promise<void> {
  const random = seededRandom(seed);
  const browser = new Browser();
  const server = new ModelServer();
  for (let record = 0; record < 3; record += 1) server.records.set(`/v1/collections/notes/${record}`, { version: 1 });
  if (slow) server.delay = () => Math.floor(random() * 50);
  const fates: Fate[] = [];
  let weather: Fate = 'answer';
  server.fate = () => fates.shift() ?? weather;
  const open = () => browser.open(server, random, { locks, watches: () => shows !== 'never' });
  const tabs: Tab[] = [open(), open(), open()];
  server.onApplied = (key) => {
    for (const tab of tabs)
      if (shows === 'before') tab.outbox.settle(key);
      else if (shows === 'after') setTimeout(() => tab.outbox.settle(key), 30);
  };
  const taken: { readonly id: string; readonly write: Write; readonly confirmed: ReturnType<typeof watch> }[] = [];
  /** In the order in which they were stored, as far as anybody was told. */
  const queued = new Set<string>();
  const discarded = new Set<string>();
  /** Those that somebody sent again after their key had to be given up: they may be applied twice. */
  const risked = new Set<string>();
  const retried = new Set<string>();

  for (const each of commands) {
    const tab = tabs['tab' in each ? each.tab : 0];
    if (tab === undefined) throw new Error('no such tab');
    if (each.op === 'enqueue') {
      const write = writeOf(each.lane, taken.length);
      const { id, queued: stored, confirmed } = tab.outbox.enqueue(write);
      stored.then(() => queued.add(id)).catch(() => {});
      taken.push({ id, write, confirmed: watch(confirmed) });
    } else if (each.op === 'pass') await vi.advanceTimersByTimeAsync(each.ms);
    else if (each.op === 'outage') {
      weather = each.fate;
      await vi.advanceTimersByTimeAsync(each.ms);
      weather = 'answer';
    } else if (each.op === 'fates') fates.splice(0, fates.length, ...each.fates);
    else if (each.op === 'crash') {
      tab.crash();
      tabs[each.tab] = open();
    } else if (each.op === 'talk') browser.talks = each.talks;
    else if (each.op === 'fault') for (let n = 0; n < each.faults; n += 1) browser.faults.push(new Error('disk'));
    else if (each.op === 'retry' || each.op === 'discard') {
      const letters = tab.outbox.deadLetters();
      const letter = letters[each.letter % letters.length];
      if (letter === undefined) continue;
      if (each.op === 'discard') {
        tab.outbox.discard(letter.id).then(
          (done) => done && discarded.add(letter.id),
          () => {},
        );
      } else {
        // A minute more or less: the answer to an attempt can take a while.
        if (letter.sent !== undefined && Date.now() - letter.sent > RESEND_MS - 60_000) risked.add(letter.id);
        retried.add(letter.id);
        tab.outbox.retry(letter.id);
      }
    } else tab.outbox[each.op]();
  }

  // In the end all is well, and everything comes to rest.
  fates.length = 0;
  browser.faults.length = 0;
  browser.talks = true;
  for (const { outbox } of tabs) outbox.resume();
  await vi.advanceTimersByTimeAsync(200_000);
  const left = browser.kept;
  expect(left.filter(({ state }) => state !== 'dead')).toEqual([]);

  const dead = new Map<string, Mutation>(left.map((mutation) => [mutation.id, mutation]));
  const counts = new Map<string, number>();
  for (const { key } of server.applied) counts.set(mutationOf(key), (counts.get(mutationOf(key)) ?? 0) + 1);
  for (const { id, confirmed } of taken) {
    const applied = counts.get(id) ?? 0;
    const letter = dead.get(id);
    const what = `${id}: applied ${applied} times, ${JSON.stringify(letter?.refusal)}`;
    if (!risked.has(id)) {
      expect(applied, what).toBeLessThanOrEqual(1);
      if (letter?.refusal?.kind === 'refused') expect(applied, what).toBe(0);
      if (queued.has(id) && letter === undefined && !discarded.has(id)) expect(applied, what).toBe(1);
    }
    if (confirmed.done && confirmed.error === undefined) expect(applied, what).toBeGreaterThan(0);
    if (confirmed.error?.code === 'full') expect(applied, what).toBe(0);
  }
  const steady = taken.filter(({ id }) => queued.has(id) && !dead.has(id) && !retried.has(id));
  expectOrder(server, [...queued], new Map(steady.map(({ id, write }) => [id, laneOf(write, id)])));
  for (const { outbox } of tabs) {
    expect(outbox.deadLetters()).toEqual(left);
    expect(outbox.pending()).toEqual([]);
    outbox.close();
  }
}

/** Lanes 0 to 2 are topics, and 3 to 5 records. */
function writeOf(lane: number, n: number): Write {
  return lane < 3
    ? { kind: 'publish', topic: `t${lane}`, events: [{ data: n }] }
    : { kind: 'patch', collection: 'notes', key: String(lane - 3), patch: { n } };
}

/** Within a lane, what was never a dead letter was applied in the order in which it was enqueued. */
function expectOrder(server: ModelServer, order: readonly string[], lanes: ReadonlyMap<string, string>): void {
  const newest = new Map<string, number>();
  for (const { key } of server.applied) {
    const place = order.indexOf(mutationOf(key));
    const lane = lanes.get(mutationOf(key));
    if (lane === undefined) continue;
    expect(place, `${key} in ${lane}`).toBeGreaterThan(newest.get(lane) ?? -1);
    newest.set(lane, place);
  }
}
