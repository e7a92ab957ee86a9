/** Section 7: errors, and what every response carries. */
import { describe, expect } from 'vitest';
import { type Answer, type Ask, eventsPath, type Kit, numbers } from './client.ts';
import type { Suite } from './target.ts';

/** One request for each refusal that can be had without a fault of the server. */
async function refusals(kit: Kit): Promise<readonly (readonly [string, number, Answer])[]> {
  const path = eventsPath(kit.topic());
  const key = { headers: { 'idempotency-key': 'errors' } };
  await kit.ask('POST', path, { ...key, body: { data: 1 } });
  const ask = (method: string, at: string, options: Ask = {}) => kit.ask(method, at, options);
  return [
    ['malformed JSON', 400, await ask('POST', path, { body: '{"data":' })],
    ['an invalid event', 400, await ask('POST', path, { body: {} })],
    ['an invalid cursor', 400, await ask('GET', path, { query: { after: 'x y' } })],
    ['an invalid filter', 400, await ask('GET', path, { query: { filter: 'x' } })],
    ['an invalid topic', 400, await ask('GET', eventsPath('a b'))],
    ['an unknown format', 400, await ask('GET', path, { query: { format: 'xml' } })],
    ['too many topics', 400, await ask('GET', '/v1/events', { query: { topic: numbers(1, 60).map(String) } })],
    ['a path that cannot be decoded', 400, await ask('GET', '/v1/topics/%ff%fe/events')],
    ['no token', 401, await ask('GET', path, { token: undefined })],
    ['a bad token', 401, await ask('GET', path, { token: 'x.y.z' })],
    ['no grant', 403, await ask('GET', path, { token: await kit.token({ subscribe: [] }) })],
    ['no such route', 404, await ask('GET', '/v1/no/such/thing')],
    ['no such page', 404, await ask('GET', `/${kit.run}`)],
    ['no such method', 405, await ask('DELETE', path)],
    ['no such representation', 406, await ask('GET', path, { headers: { accept: 'application/xml' } })],
    ['a large body', 413, await ask('POST', path, { body: 'x'.repeat(1024 * 1024 + 1) })],
    ['a strange body', 415, await ask('POST', path, { body: 'x', type: 'text/csv' })],
    ['a reused key', 422, await ask('POST', path, { ...key, body: { data: 2 } })],
  ];
}

export function errors({ it }: Suite): void {
  describe('7 errors', () => {
    it('answers every refusal as application/problem+json {type, title, status, code}', async ({ kit }) => {
      const codes = new Set<string>();
      for (const [name, status, answer] of await refusals(kit)) {
        expect(answer.status, `${name}: ${answer.text}`).toBe(status);
        const problem = kit.refused(answer, status);
        codes.add(problem.code);
        if (problem.detail !== undefined) expect(problem.detail).toEqual(expect.any(String));
        if (status === 401) expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
      }
      const document = (await kit.ask('GET', '/openapi.json', { token: undefined })).text;
      for (const code of codes)
        expect(document, `the code ${code} is not in the published list`).toContain(`"${code}"`);
    });

    it('lets no internal text out', async ({ kit }) => {
      for (const [name, , answer] of await refusals(kit))
        expect(answer.text, name).not.toMatch(
          /node_modules|node:|\.(ts|js):\d|\bat \w+ \(|select |insert |ECONN|zod|sqlstate/i,
        );
    });

    it('names in Allow what a resource can do when it answers 405', async ({ kit }) => {
      const topic = kit.topic();
      for (const [method, path, allowed] of [
        ['DELETE', eventsPath(topic), ['GET', 'POST']],
        ['PUT', eventsPath(topic), ['GET', 'POST']],
        ['PATCH', eventsPath(topic), ['GET', 'POST']],
        ['POST', '/v1/events', ['GET']],
        ['GET', '/v1/tickets', ['POST']],
        ['DELETE', '/v1/revocations', ['POST']],
        ['PUT', '/v1/streams', ['GET', 'POST']],
        ['POST', '/v1/streams/x', ['DELETE', 'PATCH']],
        ['GET', '/v1/streams/x/token', ['PUT']],
        ['POST', '/v1/topics', ['GET']],
        ['POST', '/healthz', ['GET']],
        ['DELETE', '/openapi.json', ['GET']],
      ] as const) {
        const answer = await kit.ask(method, path);
        expect(answer.status, `${method} ${path}: ${answer.text}`).toBe(405);
        kit.refused(answer, 405);
        const allow = (answer.headers.get('allow') ?? '').split(/,\s*/);
        expect(allow, `${method} ${path}`).toEqual(expect.arrayContaining([...allowed]));
        expect(allow).not.toContain(method);
      }
    });

    it.for(['application/xml', 'image/png', 'text/html', 'text/event-stream;q=0'])(
      'answers 406 to Accept: %s where events are read',
      async (accept, { kit }) => {
        kit.refused(await kit.ask('GET', eventsPath(kit.topic()), { headers: { accept } }), 406);
      },
    );

    it('weighs Accept by its q values', async ({ kit }) => {
      const path = eventsPath(kit.topic());
      for (const accept of ['application/json;q=0.9, text/html', 'text/event-stream;q=0.1, application/json'])
        expect((await kit.ask('GET', path, { headers: { accept } })).headers.get('content-type')).toMatch(/json/);
    });

    it('gives every response an X-Request-Id of its own', async ({ kit }) => {
      const topic = kit.topic();
      const answers = [
        await kit.ask('POST', eventsPath(topic), { body: { data: 1 } }),
        await kit.ask('GET', eventsPath(topic), { query: { format: 'json' } }),
        await kit.ask('GET', '/healthz', { token: undefined }),
        await kit.ask('GET', '/openapi.json', { token: undefined }),
        await kit.ask('GET', '/nothing'),
        await kit.ask('OPTIONS', eventsPath(topic)),
      ];
      const ids = answers.map((answer) => answer.headers.get('x-request-id'));
      ids.push((await kit.stream(topic)).response.headers.get('x-request-id'));
      for (const id of ids) expect(id).toBeTruthy();
      expect(new Set(ids).size).toBe(ids.length);
    });

    it('takes a traceparent, and is not upset by a malformed one', async ({ kit }) => {
      const path = eventsPath(kit.topic());
      for (const traceparent of [
        '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
        '00-00000000000000000000000000000000-0000000000000000-00',
        'ff-nonsense',
        'x'.repeat(2000),
      ])
        expect((await kit.ask('GET', path, { query: { format: 'json' }, headers: { traceparent } })).status).toBe(200);
    });
  });

  describe('7 other origins', () => {
    it('never fails an OPTIONS request, and names no origin that is not allowed', async ({ kit }) => {
      const headers = { origin: 'https://evil.example', 'access-control-request-method': 'POST' };
      for (const path of [eventsPath(kit.topic()), '/v1/streams', '/v1/tickets', '/healthz']) {
        const answer = await kit.ask('OPTIONS', path, { token: undefined, headers });
        expect(answer.status).toBeLessThan(500);
        const allowed = answer.headers.get('access-control-allow-origin');
        if (allowed !== '*') expect(allowed).not.toBe(headers.origin);
        expect(answer.headers.get('access-control-allow-credentials')).not.toBe('true');
      }
    });
  });
}

/** For a target that answers across origins. */
export function otherOrigins({ it, target }: Suite): void {
  const origin = target.features?.origin;
  if (origin === undefined) return;
  describe('7 an allowed origin', () => {
    it('may preflight a publish with a token and an idempotency key', async ({ kit }) => {
      const wanted = ['authorization', 'content-type', 'idempotency-key'];
      const headers = {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': wanted.join(','),
      };
      const answer = await kit.ask('OPTIONS', eventsPath(kit.topic()), { token: undefined, headers });
      expect(answer.status).toBeLessThan(300);
      expect(answer.headers.get('access-control-allow-origin')).toBeOneOf([origin, '*']);
      expect(answer.headers.get('access-control-allow-methods')).toMatch(/POST|\*/);
      const allowed = (answer.headers.get('access-control-allow-headers') ?? '').toLowerCase();
      for (const name of wanted) expect(allowed).toContain(name);
    });

    it('may read answers, refusals and streams, and their headers', async ({ kit }) => {
      const topic = kit.topic();
      const headers = { origin };
      const answers = [
        await kit.ask('POST', eventsPath(topic), { headers, body: { data: 1 } }),
        await kit.ask('GET', eventsPath(topic), { headers, query: { format: 'json' } }),
        await kit.ask('GET', eventsPath(topic), { headers, token: undefined }),
        await kit.ask('GET', '/nothing', { headers }),
        (await kit.stream(topic, {}, { headers })).response,
      ];
      for (const answer of answers) {
        expect(answer.headers.get('access-control-allow-origin')).toBeOneOf([origin, '*']);
        expect((answer.headers.get('access-control-expose-headers') ?? '').toLowerCase()).toContain('x-request-id');
      }
    });
  });
}
