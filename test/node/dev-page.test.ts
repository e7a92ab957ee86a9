import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { devPage } from '../../src/node/dev-page/dev-page.ts';

const app = devPage();

describe('the first page', () => {
  it.for([
    ['/', 'text/html; charset=utf-8'],
    ['/page.css', 'text/css; charset=utf-8'],
    ['/page.js', 'text/javascript; charset=utf-8'],
  ] as const)('serves %s as %s', async ([path, type]) => {
    const response = await app.request(path);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe(type);
    expect((await response.text()).length).toBeGreaterThan(500);
  });

  it('allows nothing but its own files, and no text to become markup', async () => {
    for (const path of ['/', '/page.js', '/page.css']) {
      const { headers } = await app.request(path);
      const policy = headers.get('content-security-policy') ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self'");
      expect(policy).toContain("require-trusted-types-for 'script'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain('unsafe');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
    }
  });

  it('loads every file that it names, and names nothing elsewhere', async () => {
    const html = await (await app.request('/')).text();
    const found = new Set([...html.matchAll(/(?:src|href)="([^"]+\.(?:js|css))"/g)].map(([, path = '']) => path));
    for (const path of found) {
      const response = await app.request(`/${path}`);
      expect(response.status, path).toBe(200);
      if (!path.endsWith('.js')) continue;
      for (const [, name = ''] of (await response.text()).matchAll(/from '\.\/([^']+)'/g)) {
        const folder = path.slice(0, path.lastIndexOf('/') + 1);
        found.add(folder + name);
      }
    }
    const files = readdirSync(new URL('../../src/node/dev-page/page', import.meta.url));
    expect([...found].sort()).toEqual(['page.css', 'page.js', ...files.map((name) => `page/${name}`)].sort());
    // `http:` stands in the name of the icon's XML vocabulary only, which nobody fetches.
    expect(html.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:/);
  });

  it('writes text only as text', async () => {
    for (const name of readdirSync(new URL('../../src/node/dev-page/page', import.meta.url))) {
      const script = await (await app.request(`/page/${name}`)).text();
      expect(script, name).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function/);
    }
  });

  it('has nothing else', async () => {
    for (const path of ['/page/', '/page/none.js', '/page/..%2fdev-page.ts', '/dev-page.ts'])
      expect((await app.request(path)).status, path).toBe(404);
  });
});
