/** A storm over two tabs of one browser: random steps by a seed, until all is calm again. */
import type { SubscribeOptions } from '../../../src/client/index.ts';
import { seededRandom } from '../../support/random.ts';
import { pause } from '../../support/until.ts';
import type { TabView } from './page.ts';
import type { Pages } from './pages.ts';
import type { PlainChromium } from './plain-chromium.ts';
import type { System } from './system.ts';
import { openTab, type Tab } from './tab.ts';

/** A write whose `queued` has resolved: what must be in the log, if it is no dead letter. */
export interface KeptWrite {
  readonly id: string;
  readonly topic: string;
  /** Of what was published. */
  readonly data?: readonly unknown[];
}

export interface Storm {
  /** What is published to. */
  readonly topics: readonly [string, string];
  readonly kept: readonly KeptWrite[];
  /** What tabs that are gone had been told. */
  readonly gone: readonly TabView[];
  /** What was done, in order. */
  readonly trace: readonly string[];
  /** Takes random steps. */
  rage(steps: number): Promise<void>;
  /** Mends everything. @returns both tabs */
  calm(): Promise<readonly [Tab, Tab]>;
}

/** How a page that goes away ends what was asked of it. */
const GONE = /closed|crashed|destroyed|navigat|Target|detached/i;

interface Step {
  /** How often it is taken, against the others; 0 where it cannot be. */
  readonly weight: () => number;
  readonly take: () => unknown;
}

export async function openStorm(
  { context, empty: cover }: PlainChromium,
  pages: Pages,
  system: System,
  seed: number,
): Promise<Storm> {
  const random = seededRandom(seed);
  const user = `storm-${seed}`;
  const token = await system.token(user);
  const topics = [`storm:${seed}:a`, `storm:${seed}:b`] as const;
  const resolve = random() < 0.5 ? 'mine' : undefined;
  const tabs: (Tab | undefined)[] = [undefined, undefined];
  const frozen = new Set<Tab>();
  const kept: KeptWrite[] = [];
  const keeping = new Set<Promise<void>>();
  const gone: TabView[] = [];
  const trace: string[] = [];
  let offline = false;
  let count = 0;
  /** Of frames on the line: what is smaller is no write. */
  const SMALLEST_WRITE = 400;

  const below = (limit: number): number => Math.floor(random() * limit);
  const one = <Item>(items: readonly Item[]): Item => items[below(items.length)]!;
  const next = (): number => ++count;
  const awake = (): readonly number[] =>
    [0, 1].filter((index) => tabs[index] !== undefined && !frozen.has(tabs[index]!));
  const empty = (): readonly number[] => [0, 1].filter((index) => tabs[index] === undefined);
  const data = (parts: number): readonly unknown[] => Array.from({ length: parts }, () => next());

  function beginning(): SubscribeOptions {
    return one([{}, { last: 3 }, { after: 'earliest' }]);
  }

  async function open(index: number): Promise<void> {
    const [a, b] = topics;
    tabs[index] = await openTab(context, pages.url, {
      url: system.url,
      token,
      user,
      topics: { [a]: { after: 'earliest' }, [b]: beginning() },
      collection: 'items',
      resolve,
    });
  }

  /** Takes note of a write as soon as it is kept: unless the page is gone before it could say so. */
  function keep(topic: string, written: Promise<string | undefined>, published?: readonly unknown[]): void {
    const noted = written.then(
      (id) => void (id !== undefined && kept.push({ id, topic, ...(published && { data: published }) })),
      (error: unknown) => {
        if (!GONE.test(String(error))) throw error;
      },
    );
    keeping.add(noted);
    noted.catch(() => undefined);
  }

  /** A tab that is not frozen, to write by. */
  const writing = (write: (tab: Tab) => unknown, weight: number): Step => ({
    weight: () => (awake().length > 0 ? weight : 0),
    take: () => write(tabs[one(awake())]!),
  });
  /** @param end takes the tab away from its place, or leaves it there as a new one */
  const ending = (end: (tab: Tab, index: number) => Promise<unknown>, weight: number): Step => ({
    weight: () => (awake().length > 0 ? weight : 0),
    async take() {
      const index = one(awake());
      const tab = tabs[index]!;
      gone.push(await tab.view());
      await end(tab, index);
    },
  });
  const leave = (index: number): void => {
    tabs[index] = undefined;
  };
  const always = (weight: number) => () => weight;
  const change = (): Record<string, unknown> => ({
    ...one([{ title: `title ${next()}` }, { note: `note ${next()}` }]),
    ...(random() < 0.3 && { n: below(100) }),
  });

  const steps: Readonly<Record<string, Step>> = {
    publish: writing((tab) => {
      const [topic, all] = [one(topics), data(1 + below(3))];
      keep(topic, tab.call('publish', topic, all), all);
    }, 5),
    publishMany: writing((tab) => {
      const [topic, all] = [one(topics), data(3 + below(8))];
      const written = tab.call('publishEach', topic, all);
      for (const [place, each] of all.entries())
        keep(
          topic,
          written.then((ids) => ids[place]),
          [each],
        );
    }, 3),
    create: writing((tab) => keep('items', tab.call('create', { id: next(), title: `made ${next()}` })), 3),
    createUnnamed: writing((tab) => keep('items', tab.call('create', { title: `made ${next()}` })), 1),
    update: writing((tab) => keep('items', tab.call('update', random(), change())), 6),
    replace: writing((tab) => keep('items', tab.call('replace', random(), { title: `new ${next()}` })), 1),
    remove: writing((tab) => keep('items', tab.call('remove', random())), 1),
    otherUpdate: {
      weight: always(3),
      take: () => system.sql`UPDATE items SET ${system.sql(change())} WHERE id = (
        SELECT id FROM items ORDER BY (id * ${next()}) % 17, id LIMIT 1)`,
    },
    otherInsert: {
      weight: always(1),
      take: () => system.sql`INSERT INTO items ${system.sql({ id: next(), title: `theirs ${next()}` })}`,
    },
    otherDelete: {
      weight: always(0.5),
      take: () => system.sql`DELETE FROM items WHERE id = (SELECT id FROM items ORDER BY id LIMIT 1)`,
    },
    otherPublish: {
      weight: () => (system.running() ? 2 : 0),
      take: () => system.publish(one(topics), data(1 + below(3))),
    },
    offline: {
      weight: always(2),
      async take() {
        offline = !offline;
        await context.setOffline(offline);
      },
    },
    reload: ending((tab) => tab.reload(offline), 2),
    crash: ending(async (tab, index) => {
      leave(index);
      await tab.crash();
    }, 1.5),
    close: ending(async (tab, index) => {
      leave(index);
      await tab.close();
    }, 1),
    open: { weight: () => empty().length * 4, take: () => open(one(empty())) },
    freeze: writing(async (tab) => {
      frozen.add(tab);
      await cover.bringToFront();
      await tab.setFrozen(true);
    }, 1.5),
    show: writing((tab) => tab.page.bringToFront(), 1.5),
    hide: { weight: always(0.5), take: () => cover.bringToFront() },
    thaw: { weight: () => frozen.size * 2, take: () => thaw(one([...frozen])) },
    kill: { weight: () => (system.running() ? 1.5 : 0), take: system.kill },
    start: { weight: () => (system.running() ? 0 : 4), take: system.start },
    cut: { weight: always(1), take: system.line.cut },
    loseAnswer: { weight: always(2), take: () => void system.line.cutAfterRequest(SMALLEST_WRITE) },
    wait: { weight: always(5), take: () => pause(random() * 300) },
  };

  async function thaw(tab: Tab): Promise<void> {
    frozen.delete(tab);
    await tab.setFrozen(false);
  }

  async function takeStep(): Promise<void> {
    const weights = Object.entries(steps).map(([name, { weight }]) => [name, weight()] as const);
    let at = random() * weights.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of weights) {
      at -= weight;
      if (at >= 0) continue;
      trace.push(name);
      await steps[name]!.take();
      return;
    }
  }

  await open(0);
  await open(1);
  return {
    topics,
    kept,
    gone,
    trace,
    async rage(total) {
      for (let step = 0; step < total; step += 1) {
        await takeStep();
        await pause(random() * 40);
      }
    },
    async calm() {
      for (const tab of [...frozen]) await thaw(tab);
      // Told of the network or not, the tabs must find out that the server is there.
      if (random() < 0.5) await context.setOffline(true);
      await system.start();
      await context.setOffline(false);
      for (const index of empty()) await open(index);
      await Promise.all(keeping);
      return [tabs[0]!, tabs[1]!];
    },
  };
}
