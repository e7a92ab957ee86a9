import { afterEach, describe, expect, it } from 'vitest';
import { testApps } from './app.ts';

const PATH = '/v1/topics/t/events';
const ORIGIN = 'https://app.example';

describe('pages of other origins', () => {
  const app = testApps(afterEach);
  const preflight = { 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization' };

  it('may not call unless they are named', async () => {
    const response = await app().ask(`${PATH}?format=json`, { headers: { Origin: ORIGIN } });
    expect(response.headers.get('Access-Control-Allow-Origin')).toBeNull();
  });

  it('that are named may: read what they need, and ask first without a token', async () => {
    const sluice = app({ cors: [ORIGIN, 'https://other.example'] });
    const asked = await sluice.ask(PATH, { method: 'OPTIONS', as: null, headers: { Origin: ORIGIN, ...preflight } });
    expect(asked.status).toBe(204);
    expect(asked.headers.get('Access-Control-Allow-Origin')).toBe(ORIGIN);
    expect(asked.headers.get('Access-Control-Allow-Methods')?.split(',')).toEqual(
      expect.arrayContaining(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']),
    );
    const allowed = asked.headers.get('Access-Control-Allow-Headers')!.toLowerCase();
    for (const header of ['authorization', 'last-event-id', 'idempotency-key', 'content-type'])
      expect(allowed).toContain(header);
    const response = await sluice.ask(`${PATH}?format=json`, { headers: { Origin: ORIGIN } });
    expect(response.headers.get('Access-Control-Allow-Origin')).toBe(ORIGIN);
    expect(response.headers.get('Access-Control-Expose-Headers')).toContain('X-Request-Id');
    expect(response.headers.get('Vary')).toMatch(/\bOrigin\b/);
  });

  it('that are not among the named may not', async () => {
    const sluice = app({ cors: [ORIGIN] });
    const response = await sluice.ask(`${PATH}?format=json`, { headers: { Origin: 'https://evil.example' } });
    expect(response.headers.get('Access-Control-Allow-Origin')).toBeNull();
  });

  it('may read refusals and streams too', async () => {
    const sluice = app({ cors: '*' });
    const headers = { Origin: ORIGIN };
    const refused = await sluice.ask(PATH, { as: null, headers });
    expect([refused.status, refused.headers.get('Access-Control-Allow-Origin')]).toEqual([401, '*']);
    const stream = await sluice.stream(PATH, { headers });
    expect(stream.response.headers.get('Access-Control-Allow-Origin')).toBe('*');
  });
});
