/** Start-up: from the start of the process to the first event delivered on a stream, with a data directory already there. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MARK, microseconds, stamp } from '../load/clock.ts';
import { start } from '../processes.ts';
import { inRounds, newTopic, type Run, type Sample, series } from '../rounds.ts';
import { answering, freePort, nodeHttp, SETTINGS, type Server, SLUICE, sluiceServer } from '../servers.ts';
import type { Line } from '../table.ts';

/** How often the new server is asked whether it answers, in milliseconds. */
const ASK_MS = 5;
/** The longest that the first event may take once the server answers, in milliseconds. */
const DELIVERY_MS = 10_000;
/** Characters of a stream that are kept while something is looked for in it. */
const MAX_HEAD = 64 * 1024;

type StartMeasures = { readonly seconds: number };

/** `npm start`, without npm: embedded Postgres in the data directory, no token needed. */
async function startDev(folder: string): Promise<Server> {
  const port = await freePort();
  const env = { ...SETTINGS, PORT: `${port}`, DATA_DIR: folder };
  const child = start({ ...SLUICE, args: ['dev'], env });
  await answering(child, port, '/readyz', ASK_MS);
  return sluiceServer(port, child);
}

/** Reads on until the text has arrived. */
async function readUntil(stream: ReadableStreamDefaultReader<Uint8Array>, wanted: string): Promise<void> {
  const decoder = new TextDecoder();
  let text = '';
  while (!text.includes(wanted)) {
    const { done, value } = await stream.read();
    if (done) throw new Error(`the stream ended before ${wanted}`);
    text = (text + decoder.decode(value, { stream: true })).slice(-MAX_HEAD);
  }
}

/** Starts a server, opens a stream, publishes, and waits for the event: from this process, so that no other must start. */
async function firstEvent(begin: () => Promise<Server>): Promise<Sample<StartMeasures>> {
  const startedAt = microseconds();
  const server = await begin();
  const gone = new AbortController();
  try {
    const topic = newTopic();
    const home = `http://127.0.0.1:${server.port}`;
    const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(DELIVERY_MS)]);
    const { body } = await fetch(home + server.streamPath(topic), { headers: { Accept: 'text/event-stream' }, signal });
    if (body === null) return { failed: 'the stream has no body' };
    const stream = body.getReader();
    await readUntil(stream, server.ready);
    const [response] = await Promise.all([
      fetch(home + server.publishPath(topic), {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ data: stamp(microseconds()) }),
        signal,
      }),
      readUntil(stream, MARK),
    ]);
    const seconds = (microseconds() - startedAt) / 1e6;
    return response.ok ? { seconds } : { failed: `the publish was answered with ${response.status}` };
  } finally {
    gone.abort();
    await server.stop();
  }
}

export async function startUp(run: Run): Promise<readonly Line[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-data-'));
  try {
    // The first start makes the data directory and is not measured.
    const made = await startDev(folder);
    await made.stop();
    const samples = await inRounds(run, [
      { name: 'Sluice', measure: () => firstEvent(() => startDev(folder)) },
      { name: nodeHttp.name, measure: () => firstEvent(() => nodeHttp.start()) },
    ]);
    return [
      {
        row: 'start-up',
        measure: 'process start to first delivery',
        unit: 's',
        sluice: series(samples, 'Sluice', 'seconds'),
        against: { name: nodeHttp.name, series: series(samples, nodeHttp.name, 'seconds') },
        bar: { of: 'value', is: 'at most', limit: 3 },
      },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
