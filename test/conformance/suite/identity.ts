/** Section 4: identity and permission. */
import { describe, expect } from 'vitest';
import { type Answer, type Ask, eventsPath, type Kit } from './client.ts';
import type { Suite } from './target.ts';

/** Every way to reach a topic, the routes of an administrator, and those of a stream. */
const routesOf = (topic: string, stream: string): readonly (readonly [string, string, Ask])[] => [
  ['POST', eventsPath(topic), { body: { data: 1 } }],
  ['GET', eventsPath(topic), {}],
  ['GET', eventsPath(topic), { query: { format: 'json' } }],
  ['GET', eventsPath(topic), { query: { format: 'ndjson', after: 'earliest' } }],
  ['GET', '/v1/events', { query: { topic: [topic] } }],
  ['GET', '/v1/events', { query: { topic: [topic], format: 'json' } }],
  ['POST', '/v1/streams', { body: { topics: [{ topic }] } }],
  ['POST', '/v1/tickets', { body: { topics: [topic] } }],
  ['POST', '/v1/revocations', { body: { sub: 'nobody-at-all' } }],
  ['GET', '/v1/topics', {}],
  ['GET', `/v1/topics/${encodeURIComponent(topic)}`, {}],
  ['GET', '/v1/streams', {}],
  ['DELETE', `/v1/streams/${stream}`, {}],
  ['PATCH', `/v1/streams/${stream}`, { body: { add: [{ topic }] } }],
  ['PUT', `/v1/streams/${stream}/token`, {}],
];

/** What an outsider can tell an answer by. */
const face = (answer: Answer, topic: string): unknown => ({
  status: answer.status,
  text: answer.text.replaceAll(topic, '(topic)'),
  authenticate: answer.headers.get('www-authenticate'),
  headers: [...answer.headers.keys()].sort(),
});

/** Bearers that are no valid token of this deployment, each for one reason. */
async function badTokens(kit: Kit): Promise<Record<string, string>> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { sub: 'eve', iat: now, exp: now + 3600, sluice: { subscribe: ['**'], publish: ['**'], admin: true } };
  const good = await kit.sign(claims);
  const [head = '', body = '', signature = ''] = good.split('.');
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const first = signature.startsWith('A') ? 'B' : 'A';
  return {
    'alg none without a signature': `${encode({ alg: 'none', typ: 'JWT' })}.${body}.`,
    'alg none with a signature': `${encode({ alg: 'none', typ: 'JWT' })}.${body}.${signature}`,
    'alg None': `${encode({ alg: 'None' })}.${body}.`,
    'no alg': `${encode({ typ: 'JWT' })}.${body}.${signature}`,
    'another key': await kit.sign(claims, { alg: 'HS256' }, 'another secret that is long enough to be one'),
    'the right key with another alg': await kit.sign(claims, { alg: 'HS512' }, kit.target.secret().padEnd(64, '\0')),
    'changed claims': `${head}.${encode({ ...claims, sub: 'admin' })}.${signature}`,
    'a changed signature': `${head}.${body}.${first}${signature.slice(1)}`,
    'no signature': `${head}.${body}.`,
    'two parts': `${head}.${body}`,
    expired: await kit.sign({ ...claims, iat: now - 7200, exp: now - 3600 }),
    'not yet valid': await kit.sign({ ...claims, nbf: now + 3600 }),
    'an exp that is no number': await kit.sign({ ...claims, exp: 'tomorrow' as unknown as number }),
    'a sub that is no text': await kit.sign({ ...claims, sub: 7 as unknown as string }),
    'grants that are no lists': await kit.sign({ ...claims, sluice: { subscribe: '**', publish: '**', admin: 'yes' } }),
    ...(kit.target.features?.audience !== undefined && {
      'another aud': await kit.sign({ ...claims, aud: 'another' }),
      'no aud': await kit.sign({ ...claims, aud: undefined as unknown as string }),
    }),
    ...(kit.target.features?.issuer !== undefined && {
      'another iss': await kit.sign({ ...claims, iss: 'another' }),
      'no iss': await kit.sign({ ...claims, iss: undefined as unknown as string }),
    }),
    garbage: 'garbage',
    'a huge one': `${head}.${'x'.repeat(12_000)}.${signature}`,
  };
}

/** The name of a stream that is gone. */
async function goneStream(kit: Kit): Promise<string> {
  const stream = await kit.stream(kit.topic());
  const name = await stream.name();
  stream.close();
  await expect.poll(async () => (await kit.ask('DELETE', `/v1/streams/${name}`)).status, { timeout: 10_000 }).toBe(404);
  return name;
}

export function identity({ it }: Suite): void {
  describe('4 identity', () => {
    it('answers 401 with WWW-Authenticate to whoever brings no token', async ({ kit }) => {
      for (const [method, path, ask] of routesOf(kit.topic(), await goneStream(kit))) {
        const answer = await kit.ask(method, path, { ...ask, token: undefined });
        kit.refused(answer, 401);
        expect(answer.headers.get('www-authenticate'), `${method} ${path}`).toMatch(/^Bearer/);
      }
    });

    it('refuses every bearer that is not a valid token with 401', async ({ kit }) => {
      const topic = kit.topic();
      for (const [name, token] of Object.entries(await badTokens(kit)))
        for (const [method, path, ask] of routesOf(topic, '').slice(0, 8)) {
          const answer = await kit.ask(method, path, { ...ask, token });
          expect(answer.status, `${name}: ${method} ${path}: ${answer.text}`).toBe(401);
          kit.refused(answer, 401);
          expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
        }
      expect((await kit.page(topic)).events).toEqual([]);
    });

    it('refuses another scheme and a malformed Authorization header', async ({ kit }) => {
      const good = await kit.owner();
      for (const authorization of [
        'Basic YTpi',
        'Bearer',
        'Bearer ',
        good,
        `Token ${good}`,
        `Bearer ${good} ${good}`,
        ',',
      ]) {
        const answer = await kit.ask('GET', '/v1/topics', { token: undefined, headers: { authorization } });
        kit.refused(answer, 401);
      }
    });

    it('refuses a JWT in a URL, wherever it is put', async ({ kit }) => {
      const topic = kit.topic();
      const jwt = await kit.owner();
      for (const name of ['ticket', 'token', 'access_token', 'authorization', 'jwt']) {
        const query = { [name]: jwt, format: 'json' };
        kit.refused(await kit.ask('GET', eventsPath(topic), { token: undefined, query }), 401);
        const write = { token: undefined, query: { [name]: jwt }, body: { data: 1 } };
        kit.refused(await kit.ask('POST', eventsPath(topic), write), 401);
      }
      expect((await kit.page(topic)).events).toEqual([]);
    });

    it('names the sub of the token as the actor', async ({ kit }) => {
      const topic = kit.topic();
      const sub = `https://id.example/ünï "${kit.run}"`;
      await kit.publish(topic, { data: 1 }, { token: await kit.token({ sub }) });
      expect((await kit.page(topic)).events[0].actor).toBe(sub);
    });
  });

  describe('4 permission', () => {
    it('answers 403 to a token without the grant, and appends nothing', async ({ kit }) => {
      const topic = kit.topic();
      const token = await kit.token({ subscribe: ['other'], publish: ['other'] });
      for (const [method, path, ask] of routesOf(topic, '').slice(0, 12))
        kit.refused(await kit.ask(method, path, { ...ask, token }), 403);
      expect((await kit.page(topic)).events).toEqual([]);
    });

    it('grants reading and writing apart', async ({ kit }) => {
      const topic = kit.topic();
      const [reader, writer] = [await kit.token({ publish: [] }), await kit.token({ subscribe: [] })];
      await kit.publish(topic, { data: 1 }, { token: writer });
      expect((await kit.page(topic, {}, { token: reader })).events).toHaveLength(1);
      kit.refused(await kit.ask('POST', eventsPath(topic), { body: { data: 2 }, token: reader }), 403);
      kit.refused(await kit.ask('GET', eventsPath(topic), { query: { format: 'json' }, token: writer }), 403);
      kit.refused(await kit.ask('GET', eventsPath(topic), { token: writer }), 403);
    });

    it('grants no topic by admin alone, and administration by nothing else', async ({ kit }) => {
      const topic = kit.topic();
      const admin = await kit.token({ subscribe: [], publish: [], admin: true });
      kit.refused(await kit.ask('POST', eventsPath(topic), { body: { data: 2 }, token: admin }), 403);
      expect((await kit.ask('GET', '/v1/topics', { token: admin })).status).toBe(200);
      const everything = await kit.token({ subscribe: ['**'], publish: ['**'] });
      for (const [method, path, ask] of routesOf(topic, '').slice(8, 12))
        kit.refused(await kit.ask(method, path, { ...ask, token: everything }), 403);
    });

    it.for([
      ['chat:*', ['chat:a', 'chat:é'], ['chat', 'chat:a:b', 'chats:a', 'x:chat:a']],
      ['chat:**', ['chat:a', 'chat:a:b:c'], ['chat', 'chats:a']],
      ['*:log', ['a:log', 'b:log'], ['log', 'a:b:log', 'a:logs']],
      ['a:*:c', ['a:b:c'], ['a:c', 'a:b:b:c', 'a:b']],
      ['*', ['chat'], ['chat:a']],
      ['**', ['chat', 'chat:a:b'], []],
      ['exact', ['exact'], ['exact:a', 'Exact', 'exac', 'exact2']],
    ] as const)('reads the pattern %s', async ([pattern, within, outside], { kit }) => {
      const token = await kit.token({ subscribe: [pattern], publish: [pattern] });
      for (const topic of within) {
        const answer = await kit.ask('GET', eventsPath(topic), { token, query: { format: 'json', limit: 1 } });
        expect(answer.status, topic).toBe(200);
      }
      for (const topic of outside) {
        const answer = await kit.ask('GET', eventsPath(topic), { token, query: { format: 'json', limit: 1 } });
        expect(answer.status, topic).toBe(403);
        expect((await kit.ask('POST', eventsPath(topic), { token, body: { data: 1 } })).status, topic).toBe(403);
      }
    });

    it('refuses a stream of several topics when one of them is not granted', async ({ kit }) => {
      const [mine, other] = [kit.topic('mine'), kit.topic('other')];
      const token = await kit.token({ subscribe: [mine] });
      const query = { topic: [mine, other] };
      kit.refused(await kit.ask('GET', '/v1/events', { query, token }), 403);
      kit.refused(await kit.ask('GET', '/v1/events', { query: { ...query, format: 'json' }, token }), 403);
      const body = { topics: [{ topic: mine }, { topic: other }] };
      kit.refused(await kit.ask('POST', '/v1/streams', { body, token }), 403);
      kit.refused(await kit.ask('POST', '/v1/tickets', { body: { topics: [mine, other] }, token }), 403);
    });

    it('tells nobody by an answer whether a topic exists', async ({ kit }) => {
      const [there, absent] = [kit.topic('there'), kit.topic('absent')];
      await kit.publishNumbers(there, 1, 3);
      const tokens = [undefined, await kit.token({ subscribe: [], publish: [] }), 'garbage'];
      const stream = await goneStream(kit);
      const [existing, missing] = [routesOf(there, stream), routesOf(absent, stream)];
      for (const token of tokens)
        for (const [index, [method, path, ask]] of existing.entries()) {
          const other = missing[index];
          if (other === undefined) continue;
          const one = face(await kit.ask(method, path, { ...ask, token }), there);
          const two = face(await kit.ask(other[0], other[1], { ...other[2], token }), absent);
          expect(one, `${method} ${path}`).toEqual(two);
        }
    });

    it('gives a HEAD without a token or grant away no more than a GET', async ({ kit }) => {
      const topic = kit.topic();
      await kit.publish(topic, { data: 1 });
      expect((await kit.ask('HEAD', eventsPath(topic), { token: undefined })).status).toBe(401);
      const token = await kit.token({ subscribe: [] });
      expect((await kit.ask('HEAD', eventsPath(topic), { token })).status).toBe(403);
    });
  });
}
