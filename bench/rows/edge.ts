/** On workerd: one topic's object, against an object that only echoes. */
import { randomBytes } from 'node:crypto';
import { start } from '../processes.ts';
import { contend, inRounds, type Run, series } from '../rounds.ts';
import { firstChild, SETTINGS, type Server, type Target } from '../servers.ts';
import { measureStreams } from '../streams.ts';
import type { Line } from '../table.ts';

const topicPath = (topic: string): string => `/v1/topics/${encodeURIComponent(topic)}/events`;

function onWorkerd(name: string, subject: 'sluice' | 'echo', ready: string): Target {
  return {
    name,
    async start(): Promise<Server> {
      const child = start({
        name,
        file: 'bench/edge/serve.ts',
        ipc: true,
        env: {
          ...SETTINGS,
          SUBJECT: subject,
          AUTH_SECRET: randomBytes(32).toString('hex'),
          AUTH_ANON: JSON.stringify({ subscribe: ['**'], publish: ['**'] }),
        },
      });
      const { port } = await child.hear<{ readonly port: number }>();
      // The work is workerd's, which is a process of its own.
      const pid = await firstChild(child.pid);
      return { name, port, pid, headers: {}, streamPath: topicPath, publishPath: topicPath, ready, stop: child.stop };
    },
  };
}

const sluice = onWorkerd('Sluice', 'sluice', 'event: $ready');
const echo = onWorkerd('echo object', 'echo', ':ok\n');

export async function edge(run: Run): Promise<readonly Line[]> {
  const seconds = run.quick ? 1 : 5;
  const warmSeconds = run.quick ? 0.5 : 2;
  const targets = [sluice, echo];
  run.log('  as fast as 16 writers are answered, 10 streams');
  const busy = await inRounds(
    run,
    contend(targets, (target) =>
      measureStreams(target, { subscribers: 10, publishers: 16, warmSeconds, seconds, sampleEvery: 10 }),
    ),
  );
  run.log('  50 events a second, 10 streams');
  const calm = await inRounds(
    run,
    contend(targets, (target) =>
      measureStreams(target, { subscribers: 10, publishers: 2, rate: 50, warmSeconds, seconds, sampleEvery: 1 }),
    ),
  );
  const against = (samples: typeof busy, measure: 'publishes' | 'deliveries' | 'p50' | 'p99') => ({
    row: 'edge, on workerd',
    sluice: series(samples, sluice.name, measure),
    against: { name: echo.name, series: series(samples, echo.name, measure) },
  });
  return [
    { ...against(busy, 'publishes'), measure: 'events to one topic, 16 writers, 10 streams', unit: '/s' },
    { ...against(busy, 'deliveries'), measure: 'deliveries of them', unit: '/s' },
    { ...against(calm, 'p50'), measure: 'publish to delivery, p50', unit: 'ms' },
    { ...against(calm, 'p99'), measure: 'publish to delivery, p99', unit: 'ms' },
  ];
}
