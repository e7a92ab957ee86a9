/** What one idle subscription costs on the wire: the bytes of its connection, heartbeats among them. */
import { createClient } from '../../src/client/index.ts';
import { openLine } from '../line.ts';
import { pause } from '../processes.ts';
import { newTopic, type Run, type Sample, series } from '../rounds.ts';
import { type SluiceServer, sluiceWith } from '../servers.ts';
import type { Line } from '../table.ts';

/** Six heartbeats of 25 s, and five round trips of 30 s: what comes in it comes 24 times in an hour. */
const WINDOW_SECONDS = 150;
const HOUR_SECONDS = 3600;

type TrafficMeasures = { readonly kilobytes: number };

/** @param observed whether somebody observes the status, as an indicator in a page does: then the round trip is measured */
async function measure(server: SluiceServer, seconds: number, observed: boolean): Promise<Sample<TrafficMeasures>> {
  const line = await openLine(server.port);
  const token = await server.token({ sub: 'reader', sluice: { subscribe: ['**'] } });
  const client = createClient({ url: line.url, token, tabs: false });
  const events: unknown[] = [];
  try {
    const live = new Promise<void>((resolve) => {
      client.subscribe(
        newTopic(),
        {},
        {
          onEvent: (event) => events.push(event),
          onState: ({ kind }) => kind === 'live' && resolve(),
        },
      );
    });
    await live;
    if (observed) client.observe(() => undefined);
    // The rest of the answers that are on their way belongs to the beginning.
    await pause(1000);
    const opening = line.bytes();
    await pause(seconds * 1000);
    const idle = line.bytes() - opening;
    if (client.status.state !== 'connected' || events.length > 0) return { failed: 'it was not idle' };
    return { kilobytes: (opening + idle * (HOUR_SECONDS / seconds)) / 1000 };
  } finally {
    client.close();
    await line.close();
  }
}

/** One round: nothing in it varies. */
export async function idleTraffic(run: Run): Promise<readonly Line[]> {
  const server = await sluiceWith(run.databaseUrl, {}).start();
  const seconds = run.quick ? 5 : WINDOW_SECONDS;
  try {
    const measured = await Promise.all([measure(server, seconds, false), measure(server, seconds, true)]);
    const samples = new Map([
      ['alone', [measured[0]]],
      ['observed', [measured[1]]],
    ]);
    return [
      {
        row: 'idle traffic',
        measure: 'one idle subscription for an hour, on the wire',
        unit: 'KB',
        sluice: series(samples, 'alone', 'kilobytes'),
        bar: { of: 'value', is: 'at most', limit: 50 },
      },
      {
        row: 'idle traffic',
        measure: 'the same, the status observed',
        unit: 'KB',
        sluice: series(samples, 'observed', 'kilobytes'),
      },
    ];
  } finally {
    await server.stop();
  }
}
