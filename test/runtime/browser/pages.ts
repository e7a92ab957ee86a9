/** Serves the page of these tests, from a port that stays when the server of the client is gone. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bundlePage } from '../../support/bundle-page.ts';

export interface Pages {
  /** The page, and its origin. */
  readonly url: string;
  /** The script of the page, for those who serve it otherwise. */
  readonly script: string;
  close(): Promise<void>;
}

/** The browser may keep what it has, so that a page can be opened without a network. */
const KEPT = 'public, max-age=3600, immutable';
const HTML = '<!doctype html><title>Tab</title><script type="module" src="/page.js"></script>';

export async function servePages(): Promise<Pages> {
  const script = await bundlePage(new URL('./page.ts', import.meta.url));
  const server = createServer((request, response) => {
    const isScript = request.url === '/page.js';
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html; charset=utf-8');
    response.setHeader('Cache-Control', KEPT);
    response.end(isScript ? script : HTML);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    script,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
