/** Bad input below the body: headers, framing, and clients that are slow or never done. */
import { describe, expect } from 'vitest';
import { eventsPath, type Kit, numbers } from './client.ts';
import { exchange, type RawAnswer, socketTo } from './raw.ts';
import { goneMsOf, type Suite } from './target.ts';

/** The head of a request as text, with headers that fetch would not send. */
async function head(kit: Kit, method: string, path: string, lines: readonly string[]): Promise<string> {
  const { host, pathname } = new URL(kit.base);
  const at = `${pathname.replace(/\/$/, '')}${path}`;
  const bearer = `authorization: Bearer ${await kit.owner()}`;
  return [`${method} ${at} HTTP/1.1`, `host: ${host}`, 'connection: close', bearer, ...lines, '', ''].join('\r\n');
}

/**
 * A refusal: 4xx, or a connection closed without a word, but no fault of the server and no success.
 * @param isEdge whether what stands before the server may answer, which is no HTTP to it, and call that a fault
 */
function refusedOrCut(answer: RawAnswer, why: string, isEdge = false): void {
  expect(
    answer.status === 0 || (answer.status >= 400 && answer.status < (isEdge ? 600 : 500)),
    `${why}: ${answer.text.slice(0, 300)}`,
  ).toBe(true);
}

/** The server is as it was. @param topic one to which nothing has come */
async function well(kit: Kit, topic?: string): Promise<void> {
  if (topic !== undefined) expect((await kit.page(topic)).events).toEqual([]);
  expect((await kit.ask('GET', '/healthz', { token: undefined })).status).toBe(200);
}

export function badWire({ it, target }: Suite): void {
  const goneMs = goneMsOf(target);
  const isEdge = target.features?.edge === true;

  describe('bad headers', { timeout: 60_000 }, () => {
    it('lets no CR, LF or NUL in any header do harm', async ({ kit }) => {
      const topic = kit.topic();
      const body = '{"data":1}';
      const plain = {
        id: expect.any(String),
        topic,
        time: expect.any(String),
        type: 'message',
        data: 1,
        actor: expect.any(String),
      };
      const names = [
        'idempotency-key',
        'last-event-id',
        'traceparent',
        'x-request-id',
        'accept',
        'content-type',
        'x-any',
      ];
      for (const name of names)
        for (const bad of ['a\rb', 'a\0b', 'a\nb c', '\u0001']) {
          const lines = [`content-length: ${body.length}`, 'content-type: application/json', `${name}: ${bad}`];
          const answer = await exchange(kit.base, [await head(kit, 'POST', eventsPath(topic), lines), body]);
          const why = `${name}: ${JSON.stringify(bad)}`;
          // What an edge lets pass must do no harm: nothing of it comes back, neither now nor later.
          if (isEdge && answer.status === 201) expect(answer.text, why).not.toContain(bad);
          else refusedOrCut(answer, why);
        }
      const { events } = await kit.page(topic);
      if (!isEdge) expect(events).toEqual([]);
      for (const event of events) expect(event).toEqual(plain);
      await well(kit);
    });

    it('refuses a header that goes on in the next line, or takes a space for it (RFC 9112, section 5.2)', async ({
      kit,
    }) => {
      const topic = kit.topic();
      const body = '{"data":1}';
      const lines = [`content-length: ${body.length}`, 'content-type: application/json', 'idempotency-key: a\r\n b'];
      const answer = await exchange(kit.base, [await head(kit, 'POST', eventsPath(topic), lines), body]);
      const { events } = await kit.page(topic);
      if (answer.status === 201) expect(events).toMatchObject([{ data: 1, mutation: expect.stringMatching(/^a +b$/) }]);
      else {
        refusedOrCut(answer, 'a header of two lines');
        expect(events).toEqual([]);
      }
    });

    it.for([
      ['bytes beyond ASCII', '\u00e9\u00ff'],
      ['a tab', 'a\tb'],
      ['nothing', ''],
    ] as const)('refuses an Idempotency-Key of %s', async ([, key], { kit }) => {
      const topic = kit.topic();
      const body = '{"data":1}';
      const lines = [`content-length: ${body.length}`, 'content-type: application/json', `idempotency-key: ${key}`];
      refusedOrCut(await exchange(kit.base, [await head(kit, 'POST', eventsPath(topic), lines), body]), key);
      await well(kit, topic);
    });

    it('never sends a header of the request back as it came', async ({ kit }) => {
      const forged = { 'x-request-id': `mine, and more ${'x'.repeat(500)} <script>` };
      const answer = await kit.ask('GET', '/nothing', { headers: forged });
      expect(answer.headers.get('x-request-id')).not.toContain('<script>');
      expect(answer.text).not.toContain('<script>');
    });

    it('refuses headers too large to hold', async ({ kit }) => {
      const topic = kit.topic();
      const lines = numbers(1, 400).map((n) => `x-filler-${n}: ${'x'.repeat(500)}`);
      const answer = await exchange(kit.base, [await head(kit, 'GET', `${eventsPath(topic)}?format=json`, lines)]);
      // An edge may hold more of them than a server would.
      if (!isEdge || answer.status !== 200) refusedOrCut(answer, 'large headers');
      await well(kit, topic);
    });
  });

  describe('bad framing', { timeout: 60_000 }, () => {
    it('refuses what is not HTTP', async ({ kit }) => {
      const topic = kit.topic();
      for (const bytes of [
        '\0\0\0\0\r\n\r\n',
        'hello\r\n\r\n',
        'GET / HTTP/9.9\r\n\r\n',
        '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n',
      ])
        refusedOrCut(await exchange(kit.base, [bytes], 5000), JSON.stringify(bytes), isEdge);
      await well(kit, topic);
    });

    it('refuses a length that contradicts itself', async ({ kit }) => {
      const topic = kit.topic();
      for (const lines of [
        ['content-length: 10', 'transfer-encoding: chunked'],
        ['content-length: 10', 'content-length: 11'],
        ['content-length: -1'],
        ['content-length: ten'],
        ['transfer-encoding: chunked, identity'],
      ]) {
        const text = await head(kit, 'POST', eventsPath(topic), ['content-type: application/json', ...lines]);
        refusedOrCut(await exchange(kit.base, [text, '0\r\n\r\n{"data":1}'], 5000), lines.join(), isEdge);
      }
      await well(kit, topic);
    });

    it('refuses a body without end with 413, by its announced length or by what comes', async ({ kit }) => {
      const topic = kit.topic();
      const json = 'content-type: application/json';
      const announced = await head(kit, 'POST', eventsPath(topic), [json, 'content-length: 9000000000']);
      const one = await exchange(kit.base, [announced, 'x'.repeat(1000)], 5000);
      expect(one.status, one.text.slice(0, 200)).toBe(413);
      const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
      const chunked = await head(kit, 'POST', eventsPath(topic), [json, 'transfer-encoding: chunked']);
      const two = await exchange(kit.base, [chunked, ...numbers(1, 400).map(() => chunk)]);
      // The server may hang up on a client that goes on sending, before the client has read why.
      expect(two.status, two.text.slice(0, 200)).toBeOneOf([413, 0]);
      await well(kit, topic);
    });

    it('appends nothing when a body is cut off', async ({ kit }) => {
      const topic = kit.topic();
      const lines = ['content-type: application/x-ndjson', 'content-length: 100'];
      const text = await head(kit, 'POST', eventsPath(topic), lines);
      for (const _ of numbers(1, 5)) {
        const socket = await socketTo(kit.base);
        await new Promise((written) => socket.write(`${text}{"data":1}\n`, written));
        socket.destroy();
      }
      await well(kit, topic);
    });
  });

  describe('slow clients', { timeout: 60_000 }, () => {
    it('answers others while a hundred clients never finish their headers', async ({ kit }) => {
      const topic = kit.topic();
      const sockets = await Promise.all(numbers(1, 100).map(() => socketTo(kit.base)));
      for (const socket of sockets) {
        // The server may cut them whenever it likes.
        socket.on('error', () => socket.destroy());
        socket.write('GET /v1/events HTTP/1.1\r\nhost: x\r\nx-slow: ');
      }
      const started = Date.now();
      await kit.publish(topic, { data: 1 });
      expect((await kit.page(topic)).events).toHaveLength(1);
      expect(Date.now() - started).toBeLessThan(5000);
      for (const socket of sockets) socket.destroy();
    });

    it('reads a request that comes byte by byte', async ({ kit }) => {
      const topic = kit.topic();
      const text = await head(kit, 'GET', `${eventsPath(topic)}?format=json`, []);
      const socket = await socketTo(kit.base);
      socket.setNoDelay(true);
      let answer = '';
      const answered = new Promise<void>((resolve) => {
        socket.on('data', (piece) => {
          answer += piece.toString('latin1');
          resolve();
        });
        socket.on('close', () => resolve());
      });
      for (const character of text) await new Promise((written) => socket.write(character, written));
      await answered;
      socket.destroy();
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    });

    it('forgets streams whose readers vanish without a word', { timeout: goneMs + 30_000 }, async ({ kit }) => {
      const topic = kit.topic();
      const text = await head(kit, 'GET', eventsPath(topic), ['accept: text/event-stream']);
      const open = async (): Promise<number> =>
        (await kit.ask('GET', '/v1/streams')).json.streams.filter((each: any) => each.topics.includes(topic)).length;
      const sockets = await Promise.all(numbers(1, 20).map(() => socketTo(kit.base)));
      for (const socket of sockets) socket.write(text);
      await expect.poll(open, { timeout: 10_000 }).toBe(20);
      for (const socket of sockets) socket.resetAndDestroy();
      await expect.poll(open, { timeout: goneMs }).toBe(0);
    });
  });
}
