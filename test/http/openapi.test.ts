import { afterEach, describe, expect, it } from 'vitest';
import { PROBLEMS } from '../../src/protocol/problem.ts';
import { testApps } from './app.ts';

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

/** Every object within a value, with where it stands. */
function* objectsIn(value: unknown, path = '#'): Generator<[string, Record<string, unknown>]> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield [path, value as Record<string, unknown>];
  for (const [name, member] of Object.entries(value)) {
    yield* objectsIn(member, `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`);
  }
}

describe('the OpenAPI document', () => {
  const app = testApps(afterEach);
  const read = async () => {
    const sluice = app();
    const { body } = await sluice.json('/openapi.json', { as: null });
    const operations: [string, string, any][] = Object.entries(body.paths as Record<string, object>).flatMap(
      ([path, item]) =>
        Object.entries(item).map(([method, operation]) => [path, method, operation] as [string, string, any]),
    );
    return { sluice, document: body, operations };
  };

  it('is OpenAPI 3.1, and every reference in it leads somewhere', async () => {
    const { document } = await read();
    expect(document.openapi).toMatch(/^3\.1\.\d+$/);
    expect(document.info).toMatchObject({ title: 'Sluice', version: expect.any(String) });
    expect(document.servers).toEqual([{ url: '/' }]);
    const places = new Set([...objectsIn(document)].map(([path]) => path));
    let references = 0;
    for (const [path, { $ref }] of objectsIn(document)) {
      if (typeof $ref !== 'string') continue;
      references += 1;
      expect(places.has($ref), `${path} refers to ${$ref}`).toBe(true);
    }
    expect(references).toBeGreaterThan(10);
  });

  it('describes every operation in full', async () => {
    const { document, operations } = await read();
    const ids = operations.map(([, , { operationId }]) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const tags = document.tags.map(({ name }: { name: string }) => name);
    for (const [path, method, operation] of operations) {
      const where = `${method} ${path}`;
      expect(METHODS, where).toContain(method);
      expect(operation.summary, where).toEqual(expect.any(String));
      for (const tag of operation.tags) expect(tags, where).toContain(tag);
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const declared = (operation.parameters ?? []).filter((each: { in: string }) => each.in === 'path');
      expect(
        declared.map(({ name }: { name: string }) => name),
        where,
      ).toEqual(named);
      for (const parameter of declared) expect(parameter.required, where).toBe(true);
      expect(
        Object.keys(operation.responses).some((status) => status.startsWith('2')),
        where,
      ).toBe(true);
      for (const [status, response] of Object.entries<any>(operation.responses)) {
        expect(status, where).toMatch(/^[2-5]\d\d$/);
        expect(response.description, where).toEqual(expect.any(String));
        if (Number(status) >= 400) expect(Object.keys(response.content), where).toEqual(['application/problem+json']);
      }
    }
  });

  it('covers each route that there is, and no other', async () => {
    const { sluice, operations } = await read();
    const described = operations.map(([path, method]) => `${method.toUpperCase()} ${path}`);
    const served = sluice.realtime.routes
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
    expect([...new Set(served)].sort()).toEqual(described.sort());
  });

  it('knows every code of a problem', async () => {
    const { document } = await read();
    expect(document.components.schemas.Problem.properties.code.enum).toEqual(Object.keys(PROBLEMS));
  });

  it('names the ways to be let in', async () => {
    const { document } = await read();
    expect(document.components.securitySchemes).toMatchObject({
      token: { type: 'http', scheme: 'bearer' },
      ticket: { type: 'apiKey', in: 'query', name: 'ticket' },
    });
    for (const { security } of Object.values<any>(document.paths).flatMap(Object.values)) {
      for (const scheme of (security ?? []).flatMap(Object.keys)) expect(['token', 'ticket']).toContain(scheme);
    }
  });
});
