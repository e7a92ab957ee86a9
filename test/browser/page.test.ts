/** The first page in a real Chromium, against a real development server. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CHROMIUM, launchChromium } from './chromium.ts';
import { type Served, serveForTest } from './served.ts';

describe.skipIf(CHROMIUM === undefined)('the first page', () => {
  let browser: Browser;
  let served: Served;
  let page: Page;
  let complaints: string[];
  let elsewhere: string[];

  beforeAll(async () => {
    served = await serveForTest('dev');
    browser = await launchChromium();
  });

  afterAll(async () => {
    await browser?.close();
    await served?.close();
  });

  beforeEach(async () => {
    complaints = [];
    elsewhere = [];
    page = await browser.newPage();
    page.on('console', (line) => {
      if (['error', 'warning'].includes(line.type())) complaints.push(line.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol !== 'data:' && origin !== served.url) elsewhere.push(request.url());
    });
  });

  afterEach(async () => {
    await page.close();
    expect(complaints).toEqual([]);
    expect(elsewhere).toEqual([]);
  });

  const live = () => page.locator('#stream-state[data-state=live]').waitFor();
  const rows = () => page.locator('#events > .event');

  it('shows the numbers of this machine, and they move', async () => {
    await page.goto(served.url);
    const uptime = page.locator('.tile', { hasText: 'Open streams' }).locator('.detail');
    await page.locator('#host-state[data-state=live]').waitFor();
    const first = await uptime.textContent();
    await page.waitForFunction(
      ([selector, text]) =>
        [...document.querySelectorAll(selector)].every((each) => each.textContent !== '–') &&
        ![...document.querySelectorAll('.detail')].some((each) => each.textContent === text),
      ['.tile .number', first] as const,
    );
    // Every chart has drawn something.
    const drawn = await page.waitForFunction(() =>
      [...document.querySelectorAll('canvas')].every((canvas) => {
        const { width, height } = canvas;
        const pixels = canvas.getContext('2d')?.getImageData(width - 30, 2, 28, height - 4).data ?? [];
        return new Set(pixels).size > 4;
      }),
    );
    expect(await drawn.jsonValue()).toBe(true);
  });

  it('draws what was before the page was opened', async () => {
    const least = 7;
    await expect
      .poll(async () => (await (await fetch(`${served.url}/v1/topics/host:metrics`)).json()).events, {
        timeout: 20_000,
      })
      .toBeGreaterThanOrEqual(least);
    await page.goto(served.url);
    await page.locator('#host-state[data-state=live]').waitFor();
    const opened = Date.now();
    // A chart shows 90 seconds; four of them must be there long before the page itself has seen four.
    await page.waitForFunction(() => {
      const canvas = document.querySelectorAll('canvas')[4];
      const { width = 0, height = 0 } = canvas ?? {};
      const pixels = canvas?.getContext('2d')?.getImageData(0, Math.round(height * 0.9), width, 1).data ?? [];
      let drawn = 0;
      for (let x = 0; x < width; x += 1) if (pixels[x * 4 + 3] !== 0) drawn += 1;
      return drawn > (width * 4) / 90;
    });
    expect(Date.now() - opened).toBeLessThan(3000);
  });

  it('publishes, shows the cursor, and sees the event in the stream and in the list of topics', async () => {
    await page.goto(served.url);
    await live();
    await page.fill('#publish-type', 'said');
    await page.fill('#publish-key', 'ada');
    await page.fill('#publish-data', '{"text":"<img src=x onerror=alert(1)>"}');
    await page.click('#publish-form button[type=submit]');
    await page.locator('#publish-answer[data-kind=good]').waitFor();
    expect(await page.textContent('#publish-answer')).toMatch(/^201 cursor [0-9a-z]+-1$/);
    await rows().first().waitFor();
    expect(await rows().count()).toBe(1);
    expect(await rows().locator('.type').textContent()).toBe('said');
    // What looks like markup stays text.
    expect(await rows().locator('.data').textContent()).toBe('{"text":"<img src=x onerror=alert(1)>"}');
    await page.locator('#topic-list button', { hasText: 'chat:lobby' }).waitFor();
    await rows().locator('summary').click();
    expect(JSON.parse((await rows().locator('pre').textContent()) ?? '')).toMatchObject({
      topic: 'chat:lobby',
      key: 'ada',
    });
  });

  it('says what is wrong with the data before they are sent, and what the server says of the rest', async () => {
    await page.goto(served.url);
    await page.fill('#publish-data', '{"text":');
    await page.click('#publish-form button[type=submit]');
    expect(await page.textContent('#publish-error')).toMatch(/^Not JSON: /);
    expect(await page.locator('#publish-answer').isVisible()).toBe(false);
    await page.fill('#publish-data', '1');
    await page.fill('#publish-type', '$close');
    await page.click('#publish-form button[type=submit]');
    await page.locator('#publish-answer[data-kind=bad]').waitFor();
    expect(await page.textContent('#publish-answer')).toMatch(/^400 .*does not begin with \$/);
    // The browser's own note of the 400.
    expect(complaints.splice(0)).toHaveLength(1);
  });

  it('cuts the line, reconnects from the last id, and shows that nothing was missed', async () => {
    await page.goto(`${served.url}/#topic=cut:a&topic=cut:b`);
    await live();
    await served.publishNumbers('cut:a', 1, 2);
    await rows().nth(1).waitFor();
    await page.click('#cut');
    await page.locator('#stream-state[data-state=cut]').waitFor();
    await served.publishNumbers('cut:a', 3, 5);
    await served.publishNumbers('cut:b', 1, 2);
    await page.click('#cut');
    await page.locator('#verdict').waitFor();
    expect(await page.textContent('#verdict')).toMatch(/5 events replayed, none missed, none repeated\.$/);
    await page.waitForFunction(() => document.querySelectorAll('#events > .event').length === 7);
    expect(await page.locator('.mark', { hasText: 'replayed' }).count()).toBe(5);
    expect(await page.locator('.control[data-control=ready]').count()).toBe(2);
  });

  it('watches a topic that is clicked, with its past, and stops when it is clicked again', async () => {
    await served.publishNumbers('clicked', 1, 3);
    await page.goto(served.url);
    await live();
    const before = await rows().count();
    const button = page.locator('#topic-list button', { hasText: 'clicked' });
    await button.click();
    await page.waitForFunction((count) => document.querySelectorAll('#events > .event').length === count, before + 3);
    await served.publishNumbers('clicked', 4, 4);
    await page.waitForFunction((count) => document.querySelectorAll('#events > .event').length === count, before + 4);
    expect(await button.getAttribute('aria-pressed')).toBe('true');
    expect(page.url()).toContain('topic=clicked');
    await button.click();
    expect(await button.getAttribute('aria-pressed')).toBe('false');
    expect(page.url()).not.toContain('topic=clicked');
  });

  it('holds events back while paused, and keeps no more rows than it says', async () => {
    await page.goto(`${served.url}/#topic=many`);
    await live();
    await page.click('#pause');
    await served.publishNumbers('many', 1, 5);
    await page.waitForFunction(() => /\(5\)/.test(document.querySelector('#pause')?.textContent ?? ''));
    expect(await rows().count()).toBe(0);
    await page.click('#pause');
    await page.waitForFunction(() => document.querySelectorAll('#events > .event').length === 5);
    await served.publishNumbers('many', 6, 1000);
    await page.waitForFunction(() => document.querySelector('#events .seq')?.textContent === '#1000');
    expect(await page.locator('#events > li').count()).toBeLessThanOrEqual(300);
    await page.click('#clear');
    expect(await page.locator('#events > li').count()).toBe(0);
  });

  it('offers lines for the shell that work as they are', async () => {
    await page.goto(`${served.url}/#topic=${encodeURIComponent("it's/odd?")}`);
    await live();
    const line = await page
      .locator('#curl-lines dt', { hasText: 'one JSON object a line' })
      .locator('+ dd')
      .textContent();
    expect(line).toBe(`curl -N '${served.url}/v1/topics/it'\\''s%2Fodd%3F/events?format=ndjson&after=earliest'`);
  });

  it.for([320, 760, 1180, 1600])('does not scroll sideways at a width of %i', async (width) => {
    await page.setViewportSize({ width, height: 800 });
    await page.goto(`${served.url}/#topic=${'long'.repeat(60)}`);
    await live();
    await served.publish('long'.repeat(60), { data: { text: 'x'.repeat(2000) }, key: 'k'.repeat(200) });
    await rows().first().waitFor();
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(over).toBeLessThanOrEqual(0);
  });
});
