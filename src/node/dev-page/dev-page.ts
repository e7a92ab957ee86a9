/** The first page: what `sluice dev` shows at `/`. Static files of this folder, which use nothing but the public API. */
import { readdirSync, readFileSync } from 'node:fs';
import { Hono } from 'hono';

/**
 * Everything comes from the server itself, nothing is inline, and no text can become markup, whatever a publisher sends.
 * https://www.w3.org/TR/CSP3/ and https://www.w3.org/TR/trusted-types/
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const HEADERS = {
  'Content-Security-Policy': POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  // The files change with the version that is installed.
  'Cache-Control': 'no-cache',
};

const TYPES = { html: 'text/html', css: 'text/css', js: 'text/javascript' } as const;

/**
 * A Hono app with `/`, `/page.css`, `/page.js` and the parts of both under `/page/`. For development only: the page has
 * whatever rights a request from its reader has.
 */
export function devPage(): Hono {
  const app = new Hono();
  const serve = (path: string, file: string, type: keyof typeof TYPES): void => {
    const text = readFileSync(new URL(file, import.meta.url), 'utf8');
    const headers = { ...HEADERS, 'Content-Type': `${TYPES[type]}; charset=utf-8` };
    app.get(path, (context) => context.body(text, 200, headers));
  };
  serve('/', 'index.html', 'html');
  serve('/page.css', 'page.css', 'css');
  serve('/page.js', 'page.js', 'js');
  for (const name of readdirSync(new URL('page', import.meta.url)))
    serve(`/page/${name}`, `page/${name}`, name.endsWith('.css') ? 'css' : 'js');
  return app;
}
