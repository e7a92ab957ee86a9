/** Serves the page of the browser's tests, and takes what it writes, as a server with idempotency keys does. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PROBLEM_TYPE, problem } from '../../../src/protocol/problem.ts';
import { bundlePage } from '../../support/bundle-page.ts';

export interface Pages {
  readonly url: string;
  /** The data of what was published, in the order in which it was applied: by topic. */
  readonly applied: ReadonlyMap<string, readonly unknown[]>;
  /** What came with every request for which there was an answer, or none: how often a key was sent. */
  readonly attempts: ReadonlyMap<string, number>;
  /** What happens to writes: they are applied and answered, applied without an answer, or refused for now. */
  mode: 'answer' | 'lose' | 'refuse';
  close(): Promise<void>;
}

export async function servePages(): Promise<Pages> {
  const script = await bundlePage(new URL('./page.ts', import.meta.url));
  const applied = new Map<string, unknown[]>();
  const attempts = new Map<string, number>();
  const answers = new Map<string, string>();
  const server = createServer((request, response) => {
    const topic = /^\/v1\/topics\/([^/]+)\/events$/.exec(request.url ?? '')?.[1];
    if (topic !== undefined) return void publish(decodeURIComponent(topic), request, response);
    const isScript = request.url === '/page.js';
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? script : '<!doctype html><script type="module" src="/page.js"></script>');
  });

  async function publish(topic: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += chunk;
    const key = String(request.headers['idempotency-key']);
    attempts.set(key, (attempts.get(key) ?? 0) + 1);
    if (pages.mode === 'refuse') {
      const document = JSON.stringify(problem('unavailable'));
      return void response.writeHead(503, { 'Content-Type': PROBLEM_TYPE }).end(document);
    }
    if (!answers.has(key)) {
      applied.set(topic, [...(applied.get(topic) ?? []), JSON.parse(text)[0].data]);
      answers.set(key, JSON.stringify({ events: [], cursor: `e-${answers.size + 1}` }));
    }
    if (pages.mode === 'lose') return void response.destroy();
    response.writeHead(201, { 'Content-Type': 'application/json' }).end(answers.get(key));
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const pages: Pages = {
    url: `http://127.0.0.1:${port}`,
    applied,
    attempts,
    mode: 'answer',
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return pages;
}
