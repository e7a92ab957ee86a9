/** The snippets of the guide, tried on a page of another origin against a development server, as the guide says. */
import { readFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHROMIUM, launchChromium } from '../browser/chromium.ts';
import { type Served, serveForTest } from '../browser/served.ts';
import { type Site, startSite, type WidgetPage } from './site.ts';

const guide = readFileSync(new URL('../../docs/guides/widget.md', import.meta.url), 'utf8');

/** The snippets of one heading. */
function snippets(heading: string): readonly string[] {
  const [, after = ''] = guide.split(new RegExp(`^#{2,3} ${heading}$`, 'm'));
  const [section = ''] = after.split(/^#{2,3} /m);
  return [...section.matchAll(/^```html\n([\s\S]*?)^```$/gm)].map(([, html = '']) => html);
}

const patient = { timeout: 10_000 };

describe.skipIf(CHROMIUM === undefined)('the guide to the widget', () => {
  let browser: Browser;
  let served: Served;
  let site: Site;

  beforeAll(async () => {
    site = await startSite();
    served = await serveForTest('dev', { CORS_ORIGINS: site.origin });
    browser = await launchChromium();
    await served.publish('chat:lobby', [
      { type: 'said', data: { text: 'hello' } },
      { type: 'said', data: { text: 'secret' } },
    ]);
    await served.publish('orders', { data: { amount: 1234.5, at: Date.now() } });
  });

  afterAll(async () => {
    await browser?.close();
    await served?.close();
    await site?.close();
  });

  async function tryOut(heading: string, index = 0): Promise<WidgetPage> {
    const snippet = snippets(heading)[index] ?? '';
    expect(snippet, `${heading} has no snippet`).not.toBe('');
    const opened = await site.open(browser, served.url, snippet.replaceAll('http://127.0.0.1:8787', served.url));
    return opened;
  }

  it('begins with a page that works', async () => {
    const { page, text, parts, complaints } = await tryOut('Try it');
    await expect.poll(() => parts('sluice-feed', 'data'), patient).toEqual(['secret', 'hello']);
    await expect.poll(() => text('sluice-value'), patient).toMatch(/^\d+\.\d$/);
    await expect.poll(() => text('sluice-status'), patient).toBe('Live');
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('shows values', async () => {
    const { page, text } = await tryOut('`<sluice-value>`');
    await expect.poll(() => text('p'), patient).toMatch(/Last order: €1,234\.50,\s+(?:now|\d+ seconds? ago)/);
    await page.close();
  });

  it('replaces the words of the status', async () => {
    const { page, text } = await tryOut('`<sluice-status>`');
    await page.evaluate(() => {
      const value = document.createElement('sluice-value');
      document.body.append(value);
      Object.assign(value, { topic: 'orders' });
    });
    await expect.poll(() => text('sluice-status'), patient).toBe('Live');
    await page.close();
  });

  it('lays events out by a template', async () => {
    const { page, parts } = await tryOut('Templates');
    await expect.poll(() => parts('#chat', 'said'), patient).toEqual(['hello', 'secret']);
    expect(await parts('#chat', 'author')).toEqual(['owner', 'owner']);
    const colour = await page.evaluate(() => {
      const author = document.querySelector('#chat')?.shadowRoot?.querySelector('[part=author]');
      return author ? getComputedStyle(author).color : undefined;
    });
    expect(colour).toBe('rgb(102, 51, 153)');
    await page.close();
  });

  it('changes the style', async () => {
    const { page, parts } = await tryOut('Styles');
    await expect.poll(() => parts('sluice-feed', 'data'), patient).toHaveLength(2);
    const found = await page.evaluate(() => {
      const root = document.querySelector('sluice-feed')?.shadowRoot;
      const style = (part: string) => getComputedStyle(root?.querySelector(`[part=${part}]`) ?? document.body);
      return [style('time').display, style('type').color, style('log').maxHeight, style('item').paddingLeft];
    });
    expect(found).toEqual(['none', 'rgb(0, 128, 128)', '256px', '16px']);
    await page.close();
  });

  it('hooks into events', async () => {
    const { page, parts } = await tryOut('Hooks');
    await expect.poll(() => parts('sluice-feed', 'data'), patient).toEqual(['hello']);
    expect(await page.title()).toBe('New: hello');
    await page.close();
  });

  it('renews a ticket', async () => {
    const ticket = async (ttl: number): Promise<string> => {
      const answer = await fetch(`${served.url}/v1/tickets`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ topics: ['orders:ada'], ttl }),
      });
      return ((await answer.json()) as { ticket: string }).ticket;
    };
    await served.publish('orders:ada', { data: 1 });
    const snippet = snippets('Who may read')[0]?.replace('slt1_…', await ticket(2)) ?? '';
    let renewed = 0;
    const { page, parts, attribute } = await site.open(browser, served.url, snippet, {
      setUp: (opened) =>
        opened.route('**/my/ticket', async (route) => {
          renewed += 1;
          await route.fulfill({ json: { ticket: await ticket(600) } });
        }),
    });
    await expect.poll(() => parts('sluice-feed', 'data'), patient).toEqual(['1']);
    await expect.poll(() => renewed, patient).toBeGreaterThan(0);
    await served.publish('orders:ada', { data: 2 });
    await expect.poll(() => parts('sluice-feed', 'data'), patient).toEqual(['2', '1']);
    await expect.poll(() => attribute('sluice-feed', 'state'), patient).toBe('connected');
    await page.close();
  });
});
