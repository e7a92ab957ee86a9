import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Gap } from '../../src/protocol/control.ts';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { pruneLog } from '../../src/store/postgres/prune-log.ts';
import { createDatabase, findPostgres } from '../support/postgres-database.ts';
import { freePort, killServers, type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { until } from '../support/until.ts';
import { eventsPath, follow, type Reader, seqOf } from './clients.ts';

const TOPIC = 'busy';
const MiB = 1024 * 1024;
/** Each write is 16 events of 16 KiB; together 64 MiB are published while the reader sleeps. */
const WRITES = 256;
const EVENTS = 16;
const PIECE = 'x'.repeat(16 * 1024);

afterEach(killServers);

interface Subject {
  readonly server: ServerProcess;
  readonly port: number;
}

async function start(database: Readonly<Record<string, string>>): Promise<Subject> {
  const port = await freePort();
  const server = await startServerProcess('serve', {
    PORT: String(port),
    AUTH_SECRET: 'of no use here, but long enough to be taken',
    AUTH_ANON: JSON.stringify({ subscribe: ['**'], publish: ['**'] }),
    LIMIT_WRITES_PER_ADDRESS: 'none',
    LIMIT_WRITES_PER_SUBJECT: 'none',
    ...database,
  });
  return { server, port };
}

/** The memory of the server's process, in bytes. */
async function memoryOf({ server }: Subject): Promise<number> {
  const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

/** Publishes the whole load one write after the other; `between` is called after each. */
async function publishAll({ port }: Subject, between: (write: number) => Promise<void> | void): Promise<void> {
  for (let write = 0; write < WRITES; write += 1) {
    const events = Array.from({ length: EVENTS }, (_, place) => ({ data: { write, place, at: Date.now(), PIECE } }));
    const response = await fetch(`http://127.0.0.1:${port}${eventsPath(TOPIC)}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(events),
    });
    if (response.status !== 201) throw new Error(`publish answered ${response.status}: ${await response.text()}`);
    await response.body?.cancel();
    await between(write);
  }
}

const isReady = (reader: Reader) => reader.controls.some(([name]) => name === '$ready');

/** What a reader keeps of events: their place, not their bulk. */
function watch(subject: Subject): { readonly reader: Reader; readonly delays: number[] } {
  const delays: number[] = [];
  const reader = follow(subject.port, [TOPIC], (event) => {
    const { write, place, at } = event.data as { write: number; place: number; at: number };
    delays.push(Date.now() - at);
    return { ...event, data: write * EVENTS + place };
  });
  return { reader, delays };
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

/** Lets one of two readers sleep while all is published, and checks what that costs. */
async function sleepThrough(subject: Subject): Promise<{ readonly asleep: Reader; readonly total: number }> {
  const awake = watch(subject);
  const asleep = watch(subject);
  await until('both are live', () => isReady(awake.reader) && isReady(asleep.reader));
  asleep.reader.connection().socket.pause();

  let warm = 0;
  let most = 0;
  await publishAll(subject, async (write) => {
    if (write % 8 !== 0) return;
    const memory = await memoryOf(subject);
    // The first quarter fills what is allowed to be filled: rings, caches, the heap's own slack.
    if (write <= WRITES / 4) warm = Math.max(warm, memory);
    most = Math.max(most, memory);
  });
  const total = WRITES * EVENTS;
  await until('the other reader has everything', () => awake.reader.events.length === total);
  expect(awake.reader.events.map(({ id }) => seqOf(id))).toEqual(Array.from({ length: total }, (_, n) => n + 1));
  expect(awake.reader.connections()).toBe(1);
  expect(median(awake.delays)).toBeLessThan(1000);
  // 48 MiB came after the warm-up; a reader that was buffered for would have cost all of them.
  expect(most - warm, `${Math.round(warm / MiB)} → ${Math.round(most / MiB)} MiB`).toBeLessThan(40 * MiB);
  expect(asleep.reader.events.length).toBeLessThan(total / 2);
  awake.reader.close();
  return { asleep: asleep.reader, total };
}

const server = await findPostgres();

describe.skipIf(server === undefined)('a reader that stops reading', () => {
  it('costs nobody anything, and gets everything in order when it wakes', { timeout: 120_000 }, async () => {
    const made = await createDatabase();
    try {
      const { asleep, total } = await sleepThrough(await start({ DATABASE_URL: made.url }));
      asleep.connection().socket.resume();
      await until('it has everything', () => asleep.events.length === total, 60_000);
      expect(asleep.events.map(({ data }) => data)).toEqual(Array.from({ length: total }, (_, n) => n));
      expect(asleep.events.map(({ id }) => seqOf(id))).toEqual(Array.from({ length: total }, (_, n) => n + 1));
      expect(asleep.controls.filter(([name]) => name === '$gap')).toEqual([]);
      expect(asleep.connections()).toBe(1);
      asleep.close();
    } finally {
      killServers();
      await made.drop();
    }
  });

  it('is told of the gap when retention has overtaken it, and goes on from the oldest event', {
    timeout: 120_000,
  }, async () => {
    const made = await createDatabase();
    try {
      const { asleep, total } = await sleepThrough(await start({ DATABASE_URL: made.url }));
      // Retention at work: all but the newest 100 events go.
      const database = await connectPostgres(made);
      await pruneLog(database, () => ({ events: 100 }), Date.now());
      await database.close();
      asleep.connection().socket.resume();
      await until('it has the newest event', () => seqOf(asleep.events.at(-1)?.id ?? '-0') === total, 60_000);
      const gaps = asleep.controls.filter(([name]) => name === '$gap').map(([, data]) => data as Gap);
      expect(gaps.length).toBe(1);
      expect(gaps[0]).toMatchObject({ topic: TOPIC, reason: 'lagged' });
      const from = seqOf(gaps[0]!.requested);
      const to = seqOf(gaps[0]!.oldest);
      expect(to).toBe(total - 100);
      const seqs = asleep.events.map(({ id }) => seqOf(id));
      // Everything up to where it was, and everything after the gap's end.
      expect(seqs).toEqual(Array.from({ length: total }, (_, n) => n + 1).filter((seq) => seq <= from || seq > to));
      asleep.close();
    } finally {
      killServers();
      await made.drop();
    }
  });
});
