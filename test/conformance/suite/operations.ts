/** Section 8: operating it. */
import { describe, expect } from 'vitest';
import { type Kit, numbers } from './client.ts';
import { ask as askRaw } from './raw.ts';
import { goneMsOf, type Suite } from './target.ts';

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'];

/** What the protocol lists, with the methods of each. */
const LISTED: Readonly<Record<string, readonly string[]>> = {
  '/v1/topics/{topic}/events': ['get', 'post'],
  '/v1/events': ['get'],
  '/v1/streams': ['get', 'post'],
  '/v1/streams/{stream}': ['patch', 'delete'],
  '/v1/streams/{stream}/token': ['put'],
  '/v1/tickets': ['post'],
  '/v1/revocations': ['post'],
  '/v1/topics': ['get'],
  '/v1/topics/{topic}': ['get'],
  '/healthz': ['get'],
  '/readyz': ['get'],
};

const plain = (path: string): string => path.replace(/\{[^}]*\}/g, '{}');

async function document(kit: Kit): Promise<any> {
  const answer = await kit.ask('GET', '/openapi.json', { token: undefined });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toMatch(/^application\/(vnd\.oai\.openapi\+)?json/);
  return answer.json;
}

/** Calls `visit` for every object in a JSON value. */
function visitObjects(value: unknown, visit: (object: Record<string, any>, path: string) => void, path = '#'): void {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) visit(value as Record<string, any>, path);
  for (const [name, each] of Object.entries(value)) visitObjects(each, visit, `${path}/${name}`);
}

export function operations({ it }: Suite): void {
  describe('8 health', () => {
    it.for(['/healthz', '/readyz'])('answers %s with 200 to anybody', async (path, { kit }) => {
      expect((await kit.ask('GET', path, { token: undefined })).status).toBe(200);
      expect((await kit.ask('HEAD', path, { token: undefined })).status).toBe(200);
    });

    it('answers /metrics in the format of Prometheus', async ({ kit }) => {
      const answer = await kit.ask('GET', '/metrics');
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toMatch(/^(text\/plain|application\/openmetrics-text)/);
      expect(answer.text).toMatch(/^# TYPE \w+ (counter|gauge|histogram|summary)$/m);
      for (const line of answer.text.split('\n').filter((each) => each !== '' && !each.startsWith('#')))
        expect(line).toMatch(/^[a-zA-Z_:][\w:]*(\{.*\})? \S+/);
      expect(answer.text).not.toContain(kit.run);
    });

    it('answers /docs with a page', async ({ kit }) => {
      const answer = await kit.ask('GET', '/docs', { token: undefined });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toMatch(/^text\/html/);
    });
  });

  describe('8 /openapi.json', () => {
    it('is OpenAPI 3.1, sound in itself', async ({ kit }) => {
      const openapi = await document(kit);
      expect(openapi.openapi).toMatch(/^3\.1\.\d+$/);
      expect(openapi.info).toMatchObject({ title: expect.any(String), version: expect.any(String) });
      visitObjects(openapi, (object, path) => {
        const ref = object['$ref'];
        if (typeof ref !== 'string') return;
        expect(ref, path).toMatch(/^#\//);
        const found = ref
          .slice(2)
          .split('/')
          .reduce((value, name) => value?.[name.replaceAll('~1', '/').replaceAll('~0', '~')], openapi);
        expect(found, `${path} refers to ${ref}`).toBeDefined();
      });
      const ids: string[] = [];
      for (const [path, item] of Object.entries<any>(openapi.paths)) {
        expect(path).toMatch(/^\//);
        for (const method of METHODS.filter((each) => item[each] !== undefined)) {
          const operation = item[method];
          const where = `${method} ${path}`;
          if (operation.operationId !== undefined) ids.push(operation.operationId);
          expect(Object.keys(operation.responses ?? {}), where).not.toEqual([]);
          for (const status of Object.keys(operation.responses))
            expect(status, where).toMatch(/^([1-5](\d\d|XX)|default)$/);
          const resolve = (each: any) =>
            each.$ref === undefined ? each : openapi.components.parameters[each.$ref.split('/').pop()];
          const declared = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map(resolve);
          for (const [, name] of path.matchAll(/\{([^}]+)\}/g))
            expect(declared, where).toContainEqual(expect.objectContaining({ name, in: 'path', required: true }));
        }
      }
      expect(new Set(ids).size).toBe(ids.length);
    });

    it('lists every route of the protocol', async ({ kit }) => {
      const { paths } = await document(kit);
      const found = Object.fromEntries(
        Object.entries<any>(paths).map(([path, item]) => [plain(path), Object.keys(item)]),
      );
      for (const [path, methods] of Object.entries(LISTED))
        expect(found[plain(path)], path).toEqual(expect.arrayContaining([...methods]));
    });

    it('documents nothing that does not answer', async ({ kit }) => {
      const { paths } = await document(kit);
      for (const [path, item] of Object.entries<any>(paths))
        for (const method of METHODS.filter((each) => item[each] !== undefined)) {
          const at = path.replace(/\{[^}]*\}/g, 'x');
          const answer = await kit.ask(method.toUpperCase(), at, { token: undefined });
          expect([404, 405], `${method} ${path}`).not.toContain(answer.status);
          expect(answer.status, `${method} ${path}`).toBeLessThan(500);
        }
    });
  });

  describe('8 administration', () => {
    it('lists topics, all of them when its pages are walked', async ({ kit }) => {
      const names = numbers(1, 7).map((n) => `conformance:${kit.run}:list:${n}`);
      for (const topic of names) await kit.publish(topic, { data: 1 });
      const found: string[] = [];
      let after: string | undefined;
      do {
        const query = { prefix: `conformance:${kit.run}:list:`, limit: 3, after };
        const page = (await kit.ask('GET', '/v1/topics', { query })).json;
        expect(page.topics.length).toBeLessThanOrEqual(3);
        found.push(...page.topics.map((each: any) => each.topic));
        after = page.next;
      } while (after !== undefined);
      expect(found).toEqual(names);
    });

    it('shows one topic, and 404 for one never written to', async ({ kit }) => {
      const topic = kit.topic('é/ü');
      const ids = await kit.publishNumbers(topic, 1, 3);
      const answer = await kit.ask('GET', `/v1/topics/${encodeURIComponent(topic)}`);
      expect(answer.status).toBe(200);
      expect(answer.json).toMatchObject({ topic, latest: ids[2] });
      expect((await kit.page(topic, { after: answer.json.oldest })).events.length).toBeGreaterThanOrEqual(2);
      kit.refused(await kit.ask('GET', `/v1/topics/${encodeURIComponent(kit.topic())}`), 404);
    });
  });

  describe('8 compression', () => {
    it('gzips a large page for whoever takes it, and never a stream', async ({ kit }) => {
      const topic = kit.topic();
      await kit.publish(topic, { data: 'x'.repeat(50_000) });
      const headers = { 'accept-encoding': 'gzip', authorization: `Bearer ${await kit.owner()}` };
      const page = await askRaw(kit.url(`/v1/topics/${topic}/events`, { format: 'json' }), 'GET', headers);
      expect(page.headers['content-encoding']).toBe('gzip');
      const plainly = await askRaw(kit.url(`/v1/topics/${topic}/events`, { format: 'json' }), 'GET', {
        ...headers,
        'accept-encoding': 'identity',
      });
      expect(plainly.headers['content-encoding']).toBeUndefined();
      const stream = await kit.stream(topic, {}, { headers: { 'accept-encoding': 'gzip' } });
      expect(stream.response.headers.get('content-encoding')).toBeNull();
    });
  });
}

/** What is seen only when a reader that is gone was noticed. */
export function operationsOfGone({ it, target }: Suite): void {
  describe('8 administration of streams', () => {
    it('lists streams while they are open, and ends one', { timeout: 30_000 + goneMsOf(target) }, async ({
      kit,
      expect,
    }) => {
      const topic = kit.topic();
      const [stream, other] = [await kit.stream(topic), await kit.stream(topic)];
      const [name, stays] = [await stream.name(), await other.name()];
      const listed = async (): Promise<string[]> =>
        (await kit.ask('GET', '/v1/streams')).json.streams.map((each: any) => each.stream);
      expect(await listed()).toEqual(expect.arrayContaining([name, stays]));
      const answer = await kit.ask('DELETE', `/v1/streams/${name}`);
      expect(answer.status, answer.text).toBeOneOf([200, 202, 204]);
      await stream.ended();
      expect((await stream.control('close')).data).toMatchObject({
        reason: expect.any(String),
        retry: expect.any(Number),
      });
      await expect.poll(listed, { timeout: 5000 }).not.toContain(name);
      expect(await listed()).toContain(stays);
      kit.refused(await kit.ask('DELETE', `/v1/streams/${name}`), 404);
      other.close();
      await expect.poll(listed, { timeout: goneMsOf(target) }).not.toContain(stays);
    });
  });
}
