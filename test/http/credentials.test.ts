import { afterEach, describe, expect, it } from 'vitest';
import { SECRET, signHs256 } from '../auth/issuer.ts';
import { testApps, tokenOf } from './app.ts';

const PATH = '/v1/topics/t/events';

describe('who may do what', () => {
  const app = testApps(afterEach);

  it('without a token: nothing, unless it was given to everybody', async () => {
    expect(await app().refusal(PATH, { as: null })).toBe('401 token-required');
    const open = app({ auth: { anonymous: { subscribe: ['t'] } } });
    expect(await open.refusal(`${PATH}?format=json`, { as: null })).toBe('200 application/json');
    expect(await open.refusal(PATH, { as: null, body: { data: 1 } })).toBe('401 token-required');
  });

  it('a refusal asks for a token, and says so when one was not good', async () => {
    const sluice = app();
    const without = await sluice.ask(PATH, { as: null });
    expect(without.headers.get('WWW-Authenticate')).toBe('Bearer realm="sluice"');
    const bad = await sluice.ask(PATH, { as: null, headers: { Authorization: 'Bearer nonsense' } });
    expect(bad.headers.get('WWW-Authenticate')).toContain('error="invalid_token"');
    const { body, status } = await sluice.json(PATH, { as: { expiresIn: -120 } });
    expect(`${status} ${body.code}`).toBe('401 token-expired');
  });

  it('is the same refusal whether or not a topic exists', async () => {
    const sluice = app();
    await sluice.publish('exists', 1);
    const answers = [];
    for (const topic of ['exists', 'missing']) {
      for (const as of [null, { sub: 'a' }]) {
        const { status, body } = await sluice.json(`/v1/topics/${topic}/events`, { as });
        answers.push(JSON.stringify({ status, body }));
      }
    }
    expect(answers[0]).toBe(answers[2]);
    expect(answers[1]).toBe(answers[3]);
  });

  it('every topic of a request must be granted', async () => {
    const as = { sub: 'a', subscribe: ['a', 'b:*'] };
    const sluice = app();
    expect(await sluice.refusal('/v1/events?topic=a&topic=b:1&format=json', { as })).toBe('200 application/json');
    expect(await sluice.refusal('/v1/events?topic=a&topic=c&format=json', { as })).toBe('403 forbidden');
    const body = { topics: [{ topic: 'a' }, { topic: 'c' }] };
    expect(await sluice.refusal('/v1/streams', { as, body })).toBe('403 forbidden');
  });

  it('administration needs its own grant', async () => {
    const sluice = app();
    const as = { sub: 'a', subscribe: ['**'], publish: ['**'] };
    for (const path of ['/v1/topics', '/v1/topics/t', '/v1/streams']) {
      expect(await sluice.refusal(path, { as })).toBe('403 forbidden');
      expect(await sluice.refusal(path, { as: null })).toBe('401 token-required');
    }
    expect(await sluice.refusal('/v1/revocations', { as, body: { sub: 'b' } })).toBe('403 forbidden');
  });

  it('the policy of the application comes before the grants', async () => {
    const sluice = app({
      policy: (principal, action, topic) => {
        if (topic === 'secret') return false;
        if (topic === `own:${principal.sub}`) return true;
        return action === 'publish' && topic === 'inbox' ? true : undefined;
      },
    });
    const as = { sub: 'a', subscribe: ['secret', 't'] };
    const read = (topic: string) => sluice.refusal(`/v1/topics/${topic}/events?format=json`, { as });
    expect(await read('t')).toBe('200 application/json');
    expect(await read('secret')).toBe('403 forbidden');
    expect(await read('own:a')).toBe('200 application/json');
    expect(await read('own:b')).toBe('403 forbidden');
    expect(await sluice.refusal('/v1/topics/inbox/events', { as, body: { data: 1 } })).toBe('201 application/json');
  });

  it('`local` gives a request without a token everything, and a bad token still nothing', async () => {
    const sluice = app({ local: (c) => c.req.header('X-Here') === '1' });
    const headers = { 'X-Here': '1' };
    expect(await sluice.refusal('/v1/topics', { as: null, headers })).toBe('200 application/json');
    expect(await sluice.refusal('/v1/topics', { as: null })).toBe('401 token-required');
    const bad = { ...headers, Authorization: 'Bearer nonsense' };
    expect(await sluice.refusal('/v1/topics', { as: null, headers: bad })).toBe('401 token-invalid');
  });

  it('without any way to verify tokens, none is good', async () => {
    const sluice = app({ auth: { secret: undefined } });
    expect(await sluice.refusal(PATH)).toBe('401 token-invalid');
  });

  it('a token in the URL is refused, whatever else there is', async () => {
    const token = await tokenOf();
    expect(await app().refusal(`${PATH}?ticket=${token}`)).toBe('401 token-in-url');
  });
});

describe('tickets', () => {
  const app = testApps(afterEach);
  const as = { sub: 'a', jti: 'token-1', subscribe: ['t', 'u'], publish: ['t'] };

  it('allow reading what they name, and nothing else', async () => {
    const sluice = app();
    const { status, body, headers } = await sluice.json('/v1/tickets', { as, body: { topics: ['t'], ttl: 60 } });
    expect(status).toBe(201);
    expect(headers.get('Cache-Control')).toBe('no-store');
    expect(body).toMatchObject({ topics: ['t'], ticket: expect.any(String), id: expect.any(String) });
    expect(Date.parse(body.expires) - Date.now()).toBeLessThanOrEqual(60_000);
    const stream = await sluice.stream(`${PATH}?ticket=${body.ticket}`, { as: null });
    await stream.told('ready');
    const refused = { as: null };
    expect(await sluice.refusal(`/v1/topics/u/events?ticket=${body.ticket}`, refused)).toBe('403 forbidden');
    expect(await sluice.refusal(`${PATH}?ticket=${body.ticket}`, { as: null, body: { data: 1 } })).toBe(
      '403 forbidden',
    );
    const again = { as: null, body: { topics: ['t'] } };
    expect(await sluice.refusal(`/v1/tickets?ticket=${body.ticket}`, again)).toBe('403 forbidden');
    expect(await sluice.refusal(`${PATH}?ticket=${body.ticket}x`, refused)).toBe('401 token-invalid');
  });

  it('end no later than the token that made them', async () => {
    const { body } = await app().json('/v1/tickets', {
      as: { ...as, expiresIn: 30 },
      body: { topics: ['t'], ttl: 3600 },
    });
    expect(Date.parse(body.expires) - Date.now()).toBeLessThanOrEqual(30_000);
  });

  it('are not given for what the token may not read, nor for too much', async () => {
    const sluice = app();
    expect(await sluice.refusal('/v1/tickets', { as, body: { topics: ['t', 'v'] } })).toBe('403 forbidden');
    expect(await sluice.refusal('/v1/tickets', { as: null, body: { topics: ['t'] } })).toBe('401 token-required');
    expect(await sluice.refusal('/v1/tickets', { as, body: { topics: [] } })).toBe('400 invalid-topic');
    expect(await sluice.refusal('/v1/tickets', { as, body: { topics: ['t'], ttl: 0 } })).toBe('400 invalid');
    expect(await sluice.refusal('/v1/tickets', { as, body: 'x', type: 'text/plain' })).toBe(
      '415 unsupported-media-type',
    );
    const many = { topics: Array.from({ length: 51 }, () => 't') };
    expect(await sluice.refusal('/v1/tickets', { as, body: many })).toBe('400 too-many-topics');
  });
});

describe('revocations', () => {
  const app = testApps(afterEach);

  it.each([
    ['the subject', { sub: 'a' }],
    ['the token', { jti: 'token-1' }],
  ])('of %s end its streams, and those of its tickets, and refuse it from then on', async (_, revocation) => {
    const sluice = app();
    const as = { sub: 'a', jti: 'token-1', subscribe: ['t'] };
    const { ticket } = (await sluice.json('/v1/tickets', { as, body: { topics: ['t'] } })).body;
    const streams = [await sluice.stream(PATH, { as }), await sluice.stream(`${PATH}?ticket=${ticket}`, { as: null })];
    const other = await sluice.stream(PATH, { as: { sub: 'b', jti: 'token-2', subscribe: ['t'] } });
    for (const stream of [...streams, other]) await stream.told('ready');
    expect((await sluice.ask('/v1/revocations', { body: revocation })).status).toBe(204);
    for (const stream of streams) {
      expect(await stream.told('close')).toMatchObject({ reason: 'revoked', retry: expect.any(Number) });
      await expect.poll(() => stream.ended()).toBe(true);
    }
    expect(other.ended()).toBe(false);
    expect(await sluice.refusal(PATH, { as })).toBe('401 token-invalid');
    expect(await sluice.refusal(`${PATH}?ticket=${ticket}`, { as: null })).toBe('401 token-invalid');
  });

  it('name one thing', async () => {
    const sluice = app();
    expect(await sluice.refusal('/v1/revocations', { body: {} })).toBe('400 invalid');
    expect(await sluice.refusal('/v1/revocations', { body: { sub: 'a', jti: 'b' } })).toBe('400 invalid');
    expect(await sluice.refusal('/v1/revocations', { body: { sub: '' } })).toBe('400 invalid');
  });
});

describe('a token', () => {
  const app = testApps(afterEach);

  it('ends its stream at its time', async () => {
    const now = Math.floor(Date.now() / 1000);
    const token = await signHs256({ exp: now + 2, sluice: { subscribe: ['t'] } }, SECRET);
    const stream = await app().stream(PATH, { as: null, headers: { Authorization: `Bearer ${token}` } });
    expect(await stream.told('expiring')).toEqual({ at: new Date((now + 2) * 1000).toISOString() });
    expect(await stream.told('close')).toMatchObject({ reason: 'expired' });
    await expect.poll(() => stream.ended()).toBe(true);
  });
});
