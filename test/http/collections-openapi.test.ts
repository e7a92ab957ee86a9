import { describe, expect, it } from 'vitest';
import { openApiDocument } from '../../src/http/openapi.ts';
import { collectionsRoute } from '../../src/http/routes/collections.ts';

describe('the OpenAPI document', () => {
  const document: any = openApiDocument('', { collections: true });
  const paths = Object.keys(document.paths).filter((path) => path.startsWith('/v1/collections'));

  it('describes each operation on collections, and no other', () => {
    const described = paths.flatMap((path) => Object.keys(document.paths[path]).map((method) => `${method} ${path}`));
    const served = collectionsRoute({} as never)
      .routes.filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method.toLowerCase()} /v1${path.replaceAll(/:(\w+)/g, '{$1}')}`);
    expect([...new Set(served)].sort()).toEqual(described.sort());
  });

  it('declares their parameters, and problems for each refusal', () => {
    for (const path of paths) {
      for (const [method, operation] of Object.entries<any>(document.paths[path])) {
        const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
        const declared = operation.parameters.filter((each: { in: string }) => each.in === 'path');
        expect(
          declared.map(({ name }: { name: string }) => name),
          method,
        ).toEqual(named);
        for (const [status, { content }] of Object.entries<any>(operation.responses))
          if (Number(status) >= 400)
            expect(Object.keys(content), `${method} ${status}`).toEqual(['application/problem+json']);
      }
    }
    const conflict = document.paths['/v1/collections/{name}/{key}'].patch.responses['409'];
    expect(conflict.content['application/problem+json'].schema.$ref).toContain('Conflict');
  });

  it('leaves them out where there are no collections', () => {
    const without: any = openApiDocument('');
    expect(Object.keys(without.paths).filter((path) => path.includes('collections'))).toEqual([]);
  });
});
