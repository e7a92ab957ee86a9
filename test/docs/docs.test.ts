/** The documentation says what the code does, where that can be checked. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CONFIG_TABLE } from '../../src/config/config.ts';
import { PROBLEMS } from '../../src/protocol/problem.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];

/** The anchors that GitHub makes of a page's headings. */
function anchorsOf(text: string): ReadonlySet<string> {
  const headings = [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

describe('the documentation', () => {
  it.for(pages)('has no dead link in %s', (page) => {
    for (const [, link = ''] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link)) continue;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? join(root, page) : resolve(dirname(join(root, page)), path);
      expect(existsSync(target), `${page} links to ${link}`).toBe(true);
      if (anchor !== undefined)
        expect(anchorsOf(readFileSync(target, 'utf8')), `${page} links to ${link}`).toContain(anchor);
    }
  });

  it('has the settings of the server in the README, with their defaults', () => {
    const rows = CONFIG_TABLE.map(
      (row) => `| \`${row.name}\` | ${row.default === '' ? 'none' : row.default} | ${row.meaning} |`,
    );
    const [, table = ''] =
      /<!-- configuration[^>]*-->\n([\s\S]*?)<!-- \/configuration -->/.exec(read('README.md')) ?? [];
    expect(table.trim().split('\n').slice(2)).toEqual(rows);
  });

  it('has every problem code in the protocol, beside its status', () => {
    const [, section = ''] = /\n## 7\. Errors\n([\s\S]*?)\n## 8\./.exec(read('docs/protocol.md')) ?? [];
    const told = new Map<string, number>();
    for (const [, status = '', codes = ''] of section.matchAll(/^\| (\d{3}) \| ([^|]+) \|$/gm))
      for (const [, code = ''] of codes.matchAll(/`([a-z-]+)`/g)) told.set(code, Number(status));
    expect(Object.fromEntries(told)).toEqual(
      Object.fromEntries(Object.entries(PROBLEMS).map(([code, { status }]) => [code, status])),
    );
  });
});
