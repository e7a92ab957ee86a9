import { afterAll, describe, expect, it } from 'vitest';
import { createDatabase, findPostgres } from '../support/postgres-database.ts';
import { freePort, killServers, startServerProcess } from '../support/server-process.ts';
import { type Block, openSse } from '../support/sse-client.ts';
import { until } from '../support/until.ts';

const server = await findPostgres();
afterAll(killServers);

const TOPIC = 'crash:hall';
const TTL_SECONDS = 6;
const MEMBERS = 50;
/** How much later than the end of its ttl a member may seem to be there, in ms. */
const TOLERANCE_MS = 1000;

const ANYONE = JSON.stringify({ subscribe: ['**'], publish: ['**'], presence: ['**'] });

const eventsPath = `/v1/topics/${encodeURIComponent(TOPIC)}/events`;
const memberPath = (member: string) => `/v1/presence/${encodeURIComponent(TOPIC)}/${member}`;

async function start(database: string) {
  const port = await freePort();
  const process = await startServerProcess('serve', {
    PORT: String(port),
    DATABASE_URL: database,
    AUTH_SECRET: 'of no use here, but long enough to be taken',
    AUTH_ANON: ANYONE,
    LIMIT_WRITES_PER_ADDRESS: 'none',
  });
  return { port, process };
}

async function names(port: number): Promise<readonly string[]> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/presence/${encodeURIComponent(TOPIC)}`);
  const { members } = (await response.json()) as { members: readonly { member: string }[] };
  return members.map(({ member }) => member);
}

/** Opens a stream of a node, and gives its name when it is told. */
async function openStream(port: number): Promise<string> {
  const blocks: Block[] = [];
  openSse({ port, path: eventsPath, onBlock: (block) => blocks.push(block) });
  await until('the stream is open', () => blocks.length > 0);
  return JSON.parse(blocks[0]!.data).stream;
}

describe.skipIf(server === undefined)('a node that is killed', () => {
  it('leaves no ghost: what its streams kept alive is gone within a ttl, and other nodes tell it', {
    timeout: 60_000,
  }, async () => {
    const database = await createDatabase();
    const doomed = await start(database.url);
    const other = await start(database.url);
    const told = new Map<string, { readonly change: string; readonly at: number }>();
    const blocks: Block[] = [];
    openSse({
      port: other.port,
      path: `${eventsPath}?presence=1`,
      onBlock: (block) => {
        blocks.push(block);
        if (block.event !== '$presence') return;
        const { change, member } = JSON.parse(block.data);
        if (change !== 'sync') told.set(member, { change, at: Date.now() });
      },
    });
    await until('the watcher has its sync', () => blocks.some(({ event }) => event === '$presence'));

    const put = async (port: number, member: string, body: object) => {
      const response = await fetch(`http://127.0.0.1:${port}${memberPath(member)}`, {
        method: 'PUT',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ ttl: TTL_SECONDS, ...body }),
      });
      expect(response.status, await response.clone().text()).toBe(200);
    };
    const stream = await openStream(doomed.port);
    const staying = await openStream(other.port);
    for (let index = 0; index < MEMBERS; index += 1)
      await put(index % 2 === 0 ? doomed.port : other.port, `ghost${index}`, { stream });
    // Written by the node that dies, kept alive by the one that lives.
    await put(doomed.port, 'alive', { stream: staying });
    const joined = Date.now();
    await until('they have lived for longer than a ttl', () => Date.now() - joined > (TTL_SECONDS + 2) * 1000);
    expect(await names(other.port)).toHaveLength(MEMBERS + 1);
    expect([...told.values()].every(({ change }) => change === 'join')).toBe(true);

    const killed = Date.now();
    await doomed.process.kill();
    const ghosts = () => [...told].filter(([, { change }]) => change === 'leave');
    await until('all ghosts are told to be gone', () => ghosts().length === MEMBERS);
    for (const [member, { at }] of ghosts())
      expect(at - killed, member).toBeLessThanOrEqual(TTL_SECONDS * 1000 + TOLERANCE_MS);
    expect(await names(other.port)).toEqual(['alive']);
    expect(told.get('alive')?.change).toBe('join');
    await other.process.kill();
    await database.drop();
  });
});
