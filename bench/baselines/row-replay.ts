/**
 * Replay as it is usually written: a table with one row for each event, read by a cursor in steps of 1,000 rows, each row
 * written to a bare `node:http` response, with regard to its back-pressure.
 */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import postgres from 'postgres';
import { announce } from './event.ts';

const events = Number(process.env['BENCH_EVENTS']);
const sql = postgres(process.env['DATABASE_URL'] ?? '', { max: 2, onnotice: () => {} });

async function replay(response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  const rows = sql`select seq, time, body from baseline.history order by seq`.cursor(1000);
  for await (const page of rows) {
    for (const row of page) {
      const id = `baseline00-${row['seq']}`;
      const time = (row['time'] as Date).toISOString();
      const block = `id: ${id}\ndata: {"id":"${id}","topic":"bench:00000000","time":"${time}",${row['body']}\n\n`;
      if (!response.write(block)) await once(response, 'drain');
    }
  }
}

await sql`create schema if not exists baseline`;
await sql`create table baseline.history (seq bigint primary key, time timestamptz not null, body text not null)`;
await sql`insert into baseline.history
  select n, now(), '"type":"message","data":"~0000000000000000","actor":"bench"}' from generate_series(1, ${events}::int) as n`;
await sql`analyze baseline.history`;

const server = createServer((_request, response) => {
  replay(response).catch((error: Error) => response.destroy(error));
});
server.listen(0, '127.0.0.1', () => announce(server));
