/**
 * `GET /widget.js`: the widget for pages of any origin. It holds no data and grants nothing, so everybody may load it.
 *
 * The published package has the file beside this folder. A checkout has not, and makes it from the source when it is first asked for.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { Hono } from 'hono';
import { problemResponse } from '../http/problem-error.ts';
import type { Env } from '../http/services.ts';

interface Script {
  readonly text: string;
  readonly gzipped: Uint8Array<ArrayBuffer>;
  readonly etag: string;
}

const BUILT = new URL('../widget/sluice.js', import.meta.url);

/** @param cacheSeconds how long a browser may use it without asking; 0 while it is worked on */
export function widgetScript({ cacheSeconds }: { readonly cacheSeconds: number }): Hono<Env> {
  let loaded: Promise<Script | undefined> | undefined;
  return new Hono<Env>().get('/widget.js', async (c) => {
    loaded ??= load();
    const script = await loaded;
    if (script === undefined)
      return problemResponse(c, 'not-found', { detail: 'The widget is not built: run `npm ci`, or `npm run build`.' });
    const { text, gzipped, etag } = script;
    c.header('Access-Control-Allow-Origin', '*');
    c.header('Cross-Origin-Resource-Policy', 'cross-origin');
    c.header('X-Content-Type-Options', 'nosniff');
    c.header('Cache-Control', cacheSeconds === 0 ? 'no-cache' : `public, max-age=${cacheSeconds}`);
    c.header('Vary', 'Accept-Encoding');
    c.header('ETag', etag);
    if (c.req.header('If-None-Match')?.includes(etag)) return c.body(null, 304);
    c.header('Content-Type', 'text/javascript; charset=utf-8');
    if (!/\bgzip\b/.test(c.req.header('Accept-Encoding') ?? '')) return c.body(text);
    c.header('Content-Encoding', 'gzip');
    return c.body(gzipped);
  });
}

async function load(): Promise<Script | undefined> {
  const text = await readFile(BUILT, 'utf8').catch(makeText);
  if (text === undefined) return undefined;
  // Weak, because one tag stands for both encodings.
  const etag = `W/"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
  return { text, gzipped: new Uint8Array(gzipSync(text, { level: 9 })), etag };
}

async function makeText(): Promise<string | undefined> {
  try {
    const { bundleWidget } = await import('./bundle-widget.ts');
    return (await bundleWidget()).text;
  } catch {
    // Neither built nor able to build: an installation without development dependencies.
    return undefined;
  }
}
