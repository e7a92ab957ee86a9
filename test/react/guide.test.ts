/** The snippets of the guide to React, tried as they stand there. */
import { readFileSync } from 'node:fs';
import * as query from '@tanstack/react-query';
import { transform } from 'esbuild';
import * as react from 'react';
import { type ComponentType, createElement } from 'react';
import * as jsx from 'react/jsx-runtime';
import { afterEach, describe, expect, it } from 'vitest';
import type { Client } from '../../src/client/index.ts';
import * as sluiceQuery from '../../src/query/index.ts';
import * as sluiceReact from '../../src/react/index.ts';
import { acting, closeAll, render, system, systemWithOrders, until } from './system.ts';

afterEach(closeAll);

const guide = readFileSync(new URL('../../docs/guides/react.md', import.meta.url), 'utf8');
const MODULES: Readonly<Record<string, unknown>> = {
  react,
  'react/jsx-runtime': jsx,
  'sluice/react': sluiceReact,
  'sluice/query': sluiceQuery,
  '@tanstack/react-query': query,
};

/** The components of the snippet that has this one. @param client what snippets call so that do not make one */
async function componentsWith(name: string, client?: Client): Promise<Record<string, ComponentType<any>>> {
  const snippets = [...guide.matchAll(/^```tsx\n([\s\S]*?)^```$/gm)].map(([, code = '']) => code);
  const snippet = snippets.find((code) => code.includes(`function ${name}(`));
  expect(snippet, name).toBeDefined();
  const names = [...snippet!.matchAll(/^function (\w+)/gm)].map(([, each]) => each);
  const { code } = await transform(snippet!, { loader: 'tsx', jsx: 'automatic', format: 'cjs' });
  const run = new Function('require', 'module', 'client', `${code}; return { ${names.join(', ')} };`);
  return run((module: string) => MODULES[module], {}, client);
}

const textOf = ({ textContent }: HTMLElement) => textContent;

describe('the guide', () => {
  it('has a lobby that shows what is said, and says something', async () => {
    const { app, client } = system();
    const { Lobby } = await componentsWith('Lobby');
    await app.publish('chat:lobby', { text: 'hello' });
    const { container } = render(client, createElement(Lobby!));
    await until(() => textOf(container), 'hello');
    acting(() => {
      container.querySelector('form')!.dispatchEvent(new window.Event('submit', { bubbles: true, cancelable: true }));
    });
    await until(() => container.querySelectorAll('p').length, 2);
  });

  it('counts votes', async () => {
    const { app, client } = system();
    const { Votes } = await componentsWith('Votes');
    await app.json('/v1/topics/votes/events', { body: ['a', 'b', 'a'].map((key) => ({ key, data: null })) });
    const { container } = render(client, createElement(Votes!));
    await until(() => textOf(container), '{"a":2,"b":1}');
  });

  it('shows orders, of which one is paid, and the note of one', async () => {
    const { app, client } = await systemWithOrders();
    const [{ OpenOrders }, { Note }] = [await componentsWith('OpenOrders'), await componentsWith('Note')];
    const shown = [createElement(OpenOrders!, { key: 1 }), createElement(Note!, { key: 2, id: 3 })];
    const { container } = render(client, shown);
    const lines = () => [...container.querySelectorAll('li')].map(textOf);
    await until(lines, ['two Paid', 'one Paid']);
    await until(() => container.querySelector('input')?.value, 'three');
    acting(() => container.querySelector('button')!.click());
    await until(lines, ['one Paid']);
    await expect.poll(async () => (await app.json('/v1/collections/orders/2')).body.status).toBe('paid');
  });

  it('shows who is there, what they type, and where they point', async () => {
    const { client, make } = system();
    const { People, Editor, Pointers } = await componentsWith('People');
    const all = (me: string) => [People, Editor, Pointers].map((each, key) => createElement(each!, { key, me }));
    const ada = render(client, all('ada'));
    const bob = render(make(), all('bob'));
    await until(() => [...bob.container.querySelectorAll('span')].map(textOf), ['ada', 'bob']);
    const tell = () => {
      acting(() => {
        ada.container.querySelector('textarea')!.dispatchEvent(new window.Event('input', { bubbles: true }));
        const moved = Object.assign(new window.Event('pointermove', { bubbles: true }), { offsetX: 3, offsetY: 4 });
        ada.container.querySelector('div')!.dispatchEvent(moved);
      });
      return [bob.container.querySelector('p')?.textContent, bob.container.querySelector('i')?.style.left];
    };
    await expect.poll(tell, { timeout: 10_000, interval: 200 }).toEqual(['ada …', '3px']);
  });

  it('shows the quality of the connection, and what was refused', async () => {
    const { client } = system();
    const { Quality, Refused } = await componentsWith('Quality');
    const { container } = render(client, [createElement(Quality!, { key: 1 }), createElement(Refused!, { key: 2 })]);
    expect(textOf(container)).toBe('offline0 on their way');
    client.subscribe('t');
    await client.publish('t', { type: 'a b', data: 1 }).confirmed.catch(() => {});
    await until(() => container.querySelectorAll('li').length, 2);
    expect(textOf(container.querySelectorAll('li')[1]!)).toMatch(/Again/);
    acting(() => container.querySelectorAll('button')[1]!.click());
    await until(() => textOf(container), 'excellent0 on their way');
  });

  it('shows orders out of the cache of TanStack Query', async () => {
    const { client, sql } = await systemWithOrders();
    const { CachedOrders } = await componentsWith('CachedOrders', client);
    const queryClient = new query.QueryClient();
    const { container } = render(
      client,
      createElement(query.QueryClientProvider, { client: queryClient }, createElement(CachedOrders!)),
    );
    await until(() => textOf(container), 'onetwo');
    acting(() => container.querySelector('p')!.click());
    await until(() => textOf(container), 'two');
    await sql(`UPDATE orders SET status = 'open' WHERE id = 3`);
    await until(() => textOf(container), 'twothree');
  });
});
