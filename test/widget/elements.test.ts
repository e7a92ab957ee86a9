/** The elements on a page of another origin, in a real Chromium against a real server. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHROMIUM, launchChromium } from '../browser/chromium.ts';
import { type Served, serveForTest } from '../browser/served.ts';
import { type Site, startSite } from './site.ts';

/** What a page must not take for anything but text. */
const HOSTILE = [
  '<img src=x onerror="globalThis.broken=1">',
  '</script><script>globalThis.broken=1</script>',
  '"><svg onload=globalThis.broken=1>',
  '{{constructor.constructor("globalThis.broken=1")()}}',
];

describe.skipIf(CHROMIUM === undefined)('the widget', () => {
  let browser: Browser;
  let served: Served;
  let site: Site;
  let count = 0;

  beforeAll(async () => {
    site = await startSite();
    served = await serveForTest('serve', {
      AUTH_ANON: '{"subscribe":["open:**"]}',
      CORS_ORIGINS: site.origin,
    });
    browser = await launchChromium();
  });

  afterAll(async () => {
    await browser?.close();
    await served?.close();
    await site?.close();
  });

  const topicOf = (name: string): string => `open:${name}${count++}`;
  const open = (body: string, options = {}) => site.open(browser, served.url, body, options);
  const patient = { timeout: 8000 };

  describe('a feed', () => {
    it('shows the newest events of the past, then what comes, newest first, under the strictest policy', async () => {
      const topic = topicOf('feed');
      await served.publishNumbers(topic, 1, 30);
      const { page, parts, attribute, complaints } = await open(`<sluice-feed topic="${topic}"></sluice-feed>`, {
        strict: true,
      });
      const last20 = Array.from({ length: 20 }, (_, index) => `${30 - index}`);
      await expect.poll(() => parts('sluice-feed', 'data'), patient).toEqual(last20);
      await served.publish(topic, { type: 'said', data: { text: 'Hello' } });
      await expect.poll(() => parts('sluice-feed', 'data'), patient).toEqual(['{"text":"Hello"}', ...last20]);
      expect(await parts('sluice-feed', 'type')).toEqual(['said']);
      expect(await attribute('sluice-feed', 'state')).toBe('connected');
      expect(complaints).toEqual([]);
      await page.close();
    });

    it('shows whatever is published as text', async () => {
      const topic = topicOf('hostile');
      const values = [
        ...HOSTILE,
        null,
        0,
        false,
        '',
        'x'.repeat(200_000),
        { a: { b: ['<b>', null] } },
        '\u202egnp.exe',
      ];
      for (const text of values) await served.publish(topic, { type: '<b>t</b>', key: '<i>', data: { text } });
      const { page, parts, complaints } = await open(
        `<sluice-feed topic="${topic}" path="text"></sluice-feed>
         <sluice-feed id="templated" topic="${topic}"><template><b data-text="data.text" part="said"></b><script data-text="data.text"></script></template></sluice-feed>
         <sluice-value topic="${topic}" path="text"></sluice-value>`,
      );
      const shown = [
        ...HOSTILE,
        '–',
        '0',
        'false',
        '',
        `${'x'.repeat(2000)}…`,
        '{"a":{"b":["<b>",null]}}',
        '\u202egnp.exe',
      ].reverse();
      await expect.poll(() => parts('sluice-feed:not([id])', 'data'), patient).toEqual(shown);
      expect(await parts('#templated', 'said')).toEqual(shown);
      expect(new Set(await parts('sluice-feed:not([id])', 'type'))).toEqual(new Set(['<b>t</b>']));
      expect(await page.evaluate(() => 'broken' in globalThis)).toBe(false);
      expect(
        await page.evaluate(() => document.querySelector('sluice-feed')?.shadowRoot?.querySelector('img, svg')),
      ).toBe(null);
      expect(complaints).toEqual([]);
      await page.close();
    });

    it('keeps no more than it is told, oldest first if told, and only what it is told to', async () => {
      const topic = topicOf('kept');
      await served.publish(
        topic,
        Array.from({ length: 30 }, (_, n) => ({ type: n % 2 === 0 ? 'even' : 'odd', data: { n } })),
      );
      const { page, parts } = await open(
        `<sluice-feed id="a" topic="${topic}" path="n" last="30" max="3" order="oldest"></sluice-feed>
         <sluice-feed id="b" topic="${topic}" path="n" last="6" types="odd, none"></sluice-feed>
         <sluice-feed id="c" topic="${topic}" path="n" last="100" filter="n=gte.3\n n=lt.6"></sluice-feed>`,
      );
      await expect.poll(() => parts('#a', 'data'), patient).toEqual(['27', '28', '29']);
      await expect.poll(() => parts('#b', 'data'), patient).toEqual(['29', '27', '25']);
      await expect.poll(() => parts('#c', 'data'), patient).toEqual(['5', '4', '3']);
      await page.close();
    });

    it('fills the template of its author, times and numbers in the language of the page', async () => {
      const topic = topicOf('template');
      await served.publish(topic, { type: 'paid', key: 'o-7', data: { amount: '1234.5', at: '2026-01-02T03:04:05Z' } });
      const { page, parts } = await open(
        `<div lang="de"><sluice-feed topic="${topic}"><template>
           <strong part="key" data-text="key"></strong>
           <span part="amount" data-text="data.amount" data-format="currency:EUR"></span>
           <time part="when" data-text="data.at" data-format="date"></time>
           <span part="none" data-text="data.none.at.all"></span>
         </template></sluice-feed></div>`,
      );
      await expect.poll(() => parts('sluice-feed', 'key'), patient).toEqual(['o-7']);
      expect(await parts('sluice-feed', 'amount')).toEqual(['1.234,50\u00a0€']);
      expect((await parts('sluice-feed', 'when'))[0]).toMatch(/^0?2\.0?1\.2026$/);
      expect(await parts('sluice-feed', 'none')).toEqual(['–']);
      const when = await page.evaluate(
        () => document.querySelector('sluice-feed')?.shadowRoot?.querySelector('time')?.dateTime,
      );
      expect(when).toBe('2026-01-02T03:04:05Z');
      await page.close();
    });

    it('says when there is nothing, in the words of its author if there are some', async () => {
      const topic = topicOf('empty');
      const { page, text } = await open(
        `<sluice-feed id="a" topic="${topic}"></sluice-feed>
         <sluice-feed id="b" topic="${topic}"><em slot="empty">Be the first!</em></sluice-feed>`,
      );
      await expect.poll(() => text('#a'), patient).toBe('Nothing yet');
      expect(await text('#b')).toBe('Be the first!');
      await served.publish(topic, { data: 'one' });
      await expect.poll(() => text('#b'), patient).toMatch(/one$/);
      expect(await text('#a')).not.toContain('Nothing');
      await page.close();
    });

    it('is a log to those who hear it, and does not read history out', async () => {
      const topic = topicOf('log');
      await served.publishNumbers(topic, 1, 3);
      const { page, parts } = await open(`<sluice-feed topic="${topic}" aria-label="Orders"></sluice-feed>`);
      const log = () =>
        page.evaluate(() => {
          const element = document.querySelector('sluice-feed')?.shadowRoot?.querySelector('[role=log]');
          return [
            element?.getAttribute('aria-live'),
            element?.getAttribute('aria-label'),
            element?.querySelector('ol')?.children.length,
          ];
        });
      await expect.poll(log, patient).toEqual(['polite', 'Orders', 3]);
      expect(await parts('sluice-feed', 'time')).toHaveLength(3);
      await page.close();
    });
  });

  describe('a value', () => {
    it('shows the newest value, and what its author wrote until there is one', async () => {
      const topic = topicOf('value');
      const { page, text } = await open(
        `<sluice-value topic="${topic}" path="total" format="currency:EUR">no orders yet</sluice-value>`,
        { strict: true },
      );
      await expect.poll(() => text('sluice-value'), patient).toBe('no orders yet');
      await served.publish(topic, { data: { total: 12 } });
      await expect.poll(() => text('sluice-value'), patient).toBe('€12.00');
      // An event that says nothing of it leaves it as it is.
      await served.publish(topic, [{ data: { total: 13.5 } }, { data: { other: 1 } }]);
      await expect.poll(() => text('sluice-value'), patient).toBe('€13.50');
      await page.close();
    });

    it('shows the newest of one key, or of one type, from before and after', async () => {
      const topic = topicOf('keys');
      await served.publish(topic, [
        { key: 'a', type: 'price', data: 1 },
        { key: 'b', type: 'price', data: 2 },
        { key: 'a', type: 'note', data: 3 },
        { key: 'b', type: 'note', data: 4 },
      ]);
      const { page, text } = await open(
        `<sluice-value id="a" topic="${topic}" key="a"></sluice-value>
         <sluice-value id="p" topic="${topic}" types="price"></sluice-value>`,
      );
      await expect.poll(async () => [await text('#a'), await text('#p')], patient).toEqual(['3', '2']);
      await served.publish(topic, [
        { key: 'b', type: 'price', data: 5 },
        { key: 'a', type: 'note', data: 6 },
      ]);
      await expect.poll(async () => [await text('#a'), await text('#p')], patient).toEqual(['6', '5']);
      await page.close();
    });

    it('goes on telling how long ago it was', async () => {
      const topic = topicOf('ago');
      await served.publish(topic, { data: Date.now() });
      const { page, text } = await open(`<sluice-value topic="${topic}" format="relative"></sluice-value>`);
      await expect.poll(() => text('sluice-value'), patient).toMatch(/^(?:now|\d seconds? ago)$/);
      await expect.poll(() => text('sluice-value'), patient).toMatch(/^[2-9] seconds ago$/);
      await page.close();
    });
  });

  it('reads all topics of a page on one connection', async () => {
    const topics = Array.from({ length: 12 }, (_, index) => topicOf(`shared${index}-`));
    for (const topic of topics) await served.publish(topic, { data: topic });
    const streams: string[] = [];
    const { page, parts } = await open(
      topics
        .map((topic) => `<sluice-value topic="${topic}"></sluice-value><sluice-value topic="${topic}"></sluice-value>`)
        .join(''),
      {
        setUp: async (opened: any) => {
          opened.on('request', (request: any) => {
            if (request.resourceType() === 'eventsource') streams.push(request.url());
          });
        },
      },
    );
    await expect.poll(() => parts('sluice-value', 'value'), patient).toEqual(topics.flatMap((topic) => [topic, topic]));
    expect(streams).toHaveLength(1);
    await page.close();
  });

  it('tells topics apart, whatever characters are in their names', async () => {
    const [one, two] = [topicOf('x'), topicOf('y')];
    const odd = `${one},${two}`;
    for (const topic of [one, two, odd]) await served.publish(topic, { data: topic });
    const { page, parts } = await open(`<sluice-value topic="${odd}"></sluice-value>`);
    await expect.poll(() => parts('sluice-value', 'value'), patient).toEqual([odd]);
    await page.evaluate(
      (topics) => {
        document.querySelector('sluice-value')?.remove();
        for (const topic of topics)
          document.body.append(Object.assign(document.createElement('sluice-value'), { topic }));
      },
      [one, two],
    );
    await expect.poll(() => parts('sluice-value', 'value'), patient).toEqual([one, two]);
    await served.publish(two, { data: 'next' });
    await expect.poll(() => parts('sluice-value', 'value'), patient).toEqual([one, 'next']);
    await page.close();
  });

  it('says how the line is, in the words of the page if it has some', async () => {
    const topic = topicOf('status');
    const { page, text, attribute } = await open(
      `<sluice-feed topic="${topic}"></sluice-feed><sluice-status></sluice-status>
       <sluice-status id="own"><b slot="connected">Läuft</b></sluice-status>`,
    );
    await expect.poll(() => text('sluice-status:not([id])'), patient).toBe('Live');
    expect(await text('#own')).toBe('Läuft');
    expect(await attribute('#own', 'state')).toBe('connected');
    await page.close();
  });

  it('tells the page of every event, which may keep it from being shown', async () => {
    const topic = topicOf('events');
    await served.publishNumbers(topic, 1, 4);
    const { page, parts } = await open(`<main><sluice-feed topic="${topic}"></sluice-feed></main>`, {
      setUp: (opened: any) =>
        opened.addInitScript(() => {
          addEventListener('sluice-event', (told: any) => {
            if (told.detail.data % 2 === 0) told.preventDefault();
          });
        }),
    });
    await expect.poll(() => parts('sluice-feed', 'data'), patient).toEqual(['3', '1']);
    await page.close();
  });

  it('takes attributes and properties at any time, also from before the script came', async () => {
    const [first, second] = [topicOf('first'), topicOf('second')];
    await served.publish(first, { data: { a: 1, b: 2 } });
    await served.publish(second, { data: { a: 3, b: 4 } });
    const { page, parts, complaints } = await open('', {
      setUp: (opened: any) =>
        opened.addInitScript((topic: string) => {
          addEventListener('DOMContentLoaded', () => {
            const early: any = document.createElement('sluice-feed');
            // Whether or not the element is defined by now, the property counts.
            early.topic = topic;
            early.path = 'a';
            document.body.append(early);
          });
        }, first),
    });
    const data = () => parts('sluice-feed', 'data');
    const set = (values: Record<string, unknown>) =>
      page.evaluate((given) => Object.assign(document.querySelector('sluice-feed')!, given), values);
    await expect.poll(data, patient).toEqual(['1']);
    await set({ path: 'b' });
    await expect.poll(data, patient).toEqual(['2']);
    await set({ topic: second });
    await expect.poll(data, patient).toEqual(['4']);
    await set({ path: null });
    await expect.poll(data, patient).toEqual(['{"a":3,"b":4}']);
    await set({ topic: null });
    await expect.poll(data, patient).toEqual([]);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('keeps what it has when it is moved, catches up when it comes back, and lets go when it is removed', async () => {
    const topic = topicOf('moved');
    await served.publishNumbers(topic, 1, 3);
    const { page, parts } = await open(
      `<div id="a"><sluice-feed topic="${topic}" last="2"></sluice-feed></div><div id="b"></div>`,
    );
    const data = () => parts('sluice-feed', 'data');
    await expect.poll(data, patient).toEqual(['3', '2']);
    await page.evaluate(() => document.querySelector('#b')?.append(document.querySelector('sluice-feed')!));
    await served.publishNumbers(topic, 4, 4);
    await expect.poll(data, patient).toEqual(['4', '3', '2']);
    const admin = await served.token({ sub: 'admin', sluice: { admin: true } });
    const streams = async (): Promise<number> => {
      const answer = await fetch(`${served.url}/v1/streams`, { headers: { Authorization: `Bearer ${admin}` } });
      const { streams } = (await answer.json()) as { streams: { topics: string[] }[] };
      return streams.filter(({ topics }) => topics.includes(topic)).length;
    };
    expect(await streams()).toBe(1);
    await page.evaluate(() => {
      const feed = document.querySelector('sluice-feed')!;
      Object.assign(globalThis, { feed });
      feed.remove();
    });
    await expect.poll(streams, patient).toBe(0);
    await served.publishNumbers(topic, 5, 9);
    await page.evaluate(() => document.body.append((globalThis as any).feed));
    await expect.poll(data, patient).toEqual(['9', '8', '7', '6', '5', '4', '3', '2']);
    await page.close();
  });
});
