/** The store in the SQLite of a Durable Object, inside workerd: each call goes over to it, and its answer comes back. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Miniflare } from 'miniflare';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Retention, Store } from '../../src/store/store.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { bundleWorker } from '../support/worker-bundle.ts';
import { append, body, freshTopic, readAll } from './contract/log.ts';
import { describeStore, type StoreHarness } from './contract.ts';
import type { StoreAnswer, StoreCall } from './durable-object/worker.ts';

let harness: StoreHarness;
let code: string;
let dir: string;
let worker: Miniflare;
/** What is stored grows older when the store's clock goes forward. */
let ahead = 0;
let objects = 0;

async function open(): Promise<Miniflare> {
  const opened = new Miniflare({
    modules: [{ type: 'ESModule', path: 'worker.mjs', contents: code }],
    compatibilityDate: '2026-01-01',
    host: '127.0.0.1',
    port: 0,
    durableObjects: { STORE: { className: 'StoreObject', useSQLite: true } },
    durableObjectsPersist: dir,
  });
  await opened.ready;
  return opened;
}

function storeOf(object: string): Store {
  let last: Promise<unknown> = Promise.resolve();
  /** In the order of asking, as the calls of one stub come to their object: the connections of HTTP would overtake each other. */
  const ask = (method: string, args: readonly unknown[]): Promise<any> => {
    const answer = last.then(() => send(method, args));
    last = answer.catch(() => undefined);
    return answer;
  };
  const send = async (method: string, args: readonly unknown[]): Promise<any> => {
    const call: StoreCall = { object, ahead, method, args };
    const response = await worker.dispatchFetch('http://store/', { method: 'POST', body: JSON.stringify(call) });
    const answer = (await response.json()) as StoreAnswer;
    if ('error' in answer) throw answer.isAway ? new StoreUnavailable(answer.error) : new Error(answer.error);
    return answer.value;
  };
  const part = (of: string): any =>
    new Proxy(
      {},
      {
        get:
          (_, name) =>
          (...args: readonly unknown[]) =>
            ask(`${of}.${String(name)}`, args),
      },
    );
  const log = part('log');
  return {
    log: Object.assign(Object.create(log), {
      // What a function says of each topic is asked here, since functions do not travel.
      async prune(retention: (topic: string) => Retention, now: number) {
        const names: string[] = [];
        for (let after = ''; ; ) {
          const page = await log.topics({ after, limit: 1000 });
          if (page.length === 0) break;
          names.push(...page.map(({ topic }: { topic: string }) => topic));
          after = names.at(-1) ?? '';
        }
        return ask('log.prune', [Object.fromEntries(names.map((name) => [name, retention(name)])), now]);
      },
    }),
    revocations: part('revocations'),
    audit: part('audit'),
    presence: part('presence'),
    secret: async (name) => new Uint8Array((await ask('secret', [name])).bytes),
    check: () => ask('check', []),
    close: async () => {},
  };
}

beforeAll(async () => {
  ({ code } = await bundleWorker('test/store/durable-object/worker.ts'));
  dir = await mkdtemp(join(tmpdir(), 'sluice-objects-'));
  worker = await open();
  harness = {
    nodes: [storeOf('shared'), storeOf('shared')],
    async reopen() {
      await worker.dispose();
      worker = await open();
    },
    async other() {
      objects += 1;
      return storeOf(`other-${objects}`);
    },
    now: () => Date.now() + ahead,
    async age(ms) {
      ahead += ms;
    },
    async close() {
      await worker.dispose();
      await rm(dir, { recursive: true, force: true });
    },
  };
});
afterAll(() => harness?.close());

describeStore('a Durable Object', () => harness);

describe('rows of a Durable Object', () => {
  it('take an append that is larger than a row can be, whole and in one', async () => {
    const { log } = await harness.other();
    const large = Array.from({ length: 12 }, (_, index) => body(`${index}`.repeat(500_000).slice(0, 500_000)));
    expect(await append(log, 't', large)).toMatchObject({ first: 1, count: 12 });
    expect((await readAll(log, 't')).map((event) => event.body)).toEqual(large);
    const times = new Set((await readAll(log, 't')).map(({ time }) => time));
    expect(times.size).toBe(1);
    expect(await append(log, 't', [body('next')])).toMatchObject({ first: 13 });
  });

  it('say after a restart how far a topic has come, however long ago its own row was written', async () => {
    const topic = freshTopic();
    const { log } = harness.nodes[0];
    for (const appends of [1, 30, 33, 63, 64, 65]) {
      for (let n = 0; n < appends; n += 1) await append(log, topic, [body(n), body('x')]);
      const before = await log.topic(topic);
      await harness.reopen?.();
      expect(await log.topic(topic)).toEqual(before);
      expect((await log.ranges([topic]))[0]).toMatchObject({ oldest: 1, latest: before?.latest });
    }
    const { latest } = (await log.topic(topic)) ?? { latest: 0 };
    expect(latest).toBe(2 * (1 + 30 + 33 + 63 + 64 + 65));
    await log.prune((name) => (name === topic ? { events: 0 } : {}), harness.now());
    await harness.reopen?.();
    expect(await log.topic(topic)).toMatchObject({ oldest: latest + 1, latest, bytes: 0 });
    expect(await append(log, topic, [body('next')])).toMatchObject({ first: latest + 1 });
  });
});
