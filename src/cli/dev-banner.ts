/** What `sluice dev` says when it is ready. Every command in it works as it stands. */
import type { Config } from '../config/config.ts';
import { type Paint, printable } from './terminal.ts';

const TOPIC = 'chat:lobby';

export function devBanner(url: string, config: Config, paint: Paint): string {
  const events = `${url}/v1/topics/${TOPIC}/events`;
  const json = "-H 'Content-Type: application/json'";
  const row = (name: string, value: string) => `  ${paint('dim', name.padEnd(8))}${value}`;
  const step = (title: string, command: string) => [`  ${paint('bold', title)}`, `    ${paint('cyan', command)}`, ''];
  return [
    '',
    `  ${paint('bold', paint('green', 'Sluice'))} is running at ${paint('bold', url)}`,
    '',
    row('page', `${url}/`),
    row('docs', `${url}/docs`),
    row('data', dataOf(config)),
    '',
    ...step('Watch, in one terminal', `curl -N '${events}?last=10'`),
    ...step('Publish, in another', `curl ${json} -d '{"type":"said","data":{"text":"hello"}}' ${events}`),
    ...step('Read what there is, as one page', `curl '${events}?format=json'`),
    ...step('A ticket for EventSource in a browser', `curl ${json} -d '{"topics":["${TOPIC}"]}' ${url}/v1/tickets`),
    `  ${paint('dim', 'Ctrl-C ends it.')}`,
    '',
    '',
  ].join('\n');
}

function dataOf({ database, dataDir }: Config): string {
  if (database.kind === 'embedded') return `${printable(dataDir)} (embedded Postgres)`;
  if (database.kind === 'memory') return 'in memory, gone when the server ends';
  const { hostname, port, pathname } = new URL(database.url);
  return printable(`Postgres at ${hostname}${port === '' ? '' : `:${port}`}${pathname}`);
}
