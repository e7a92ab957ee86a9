/** How soon a client is live again: from when the server can be reached, to when it is live and has been told what it missed. */
import { once } from 'node:events';
import { type Client, createClient, type Environment, type Signals } from '../../src/client/index.ts';
import { openLine } from '../line.ts';
import { pause } from '../processes.ts';
import { inRounds, newTopic, type Run, type Sample, series } from '../rounds.ts';
import { type SluiceServer, sluiceWith } from '../servers.ts';
import type { Line } from '../table.ts';

/** How long the network is away, in milliseconds: three attempts or so fail. */
const AWAY_MS = 3000;

type RecoveryMeasures = { readonly milliseconds: number };

/** @param told whether the client is told of the network, as a browser tells it; else its next attempt finds it */
async function measure(server: SluiceServer, told: boolean, awayMs: number): Promise<Sample<RecoveryMeasures>> {
  const line = await openLine(server.port);
  const topic = newTopic();
  const changes = new EventTarget();
  let signals: Signals | undefined;
  const environment: Environment = {
    hidden: () => false,
    listen(to) {
      signals ??= to;
      return () => undefined;
    },
  };
  const token = await server.token({ sub: 'reader', sluice: { subscribe: ['**'], publish: ['**'] } });
  const client: Client = createClient({ url: line.url, token, tabs: false, environment });
  let events = 0;
  const subscription = client.subscribe(
    topic,
    {},
    {
      onEvent() {
        events += 1;
        changes.dispatchEvent(new Event('change'));
      },
      onState: () => changes.dispatchEvent(new Event('change')),
    },
  );
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await once(changes, 'change');
  };
  try {
    await until(() => subscription.state.kind === 'live');
    await line.cut();
    signals?.offline();
    await until(() => subscription.state.kind === 'waiting');
    const published = await fetch(`http://127.0.0.1:${server.port}${server.publishPath(topic)}`, {
      method: 'POST',
      headers: { ...server.headers, 'Content-Type': 'application/json' },
      body: '{"data":"missed"}',
    });
    if (!published.ok) return { failed: `the publish was answered with ${published.status}` };
    await pause(awayMs);
    await line.mend();
    const reachable = performance.now();
    if (told) signals?.network();
    await until(() => subscription.state.kind === 'live' && events > 0);
    const milliseconds = performance.now() - reachable;
    return events === 1 ? { milliseconds } : { failed: `${events} events instead of one` };
  } finally {
    client.close();
    await line.close();
  }
}

export async function recovery(run: Run): Promise<readonly Line[]> {
  const server = await sluiceWith(run.databaseUrl, {}).start();
  const awayMs = run.quick ? 200 : AWAY_MS;
  try {
    const samples = await inRounds<RecoveryMeasures>(run, [
      { name: 'told', measure: () => measure(server, true, awayMs) },
      { name: 'untold', measure: () => measure(server, false, awayMs) },
    ]);
    return [
      {
        row: 'recovery',
        measure: 'network returns, to live and what was missed',
        unit: 'ms',
        sluice: series(samples, 'told', 'milliseconds'),
        bar: { of: 'value', is: 'at most', limit: 2000 },
        of: 'worst',
      },
      {
        row: 'recovery',
        measure: 'the same, and nobody says so',
        unit: 'ms',
        sluice: series(samples, 'untold', 'milliseconds'),
      },
    ];
  } finally {
    await server.stop();
  }
}
