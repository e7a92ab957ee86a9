/** Health, readiness, metrics and documentation (protocol section 8). */
import { Hono } from 'hono';
import { docsPage } from '../docs-page.ts';
import { openApiDocument } from '../openapi.ts';
import { problemResponse } from '../problem-error.ts';
import type { Env, Services } from '../services.ts';

/** How long the log may take to show that it works, in ms. */
const READY_MS = 2000;

/** Gives the metrics as Prometheus text, with its content type. */
export type MetricsSource = () => Promise<{ readonly contentType: string; readonly text: string }>;

export function operatingRoute(
  { store, draining, collections }: Pick<Services, 'store' | 'draining' | 'collections'>,
  metrics: MetricsSource | undefined,
): Hono<Env> {
  const documents = new Map<string, string>();
  return new Hono<Env>()
    .get('/healthz', (c) => c.json({ status: 'ok' }))
    .get('/readyz', async (c) => {
      if (draining()) return problemResponse(c, 'draining');
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<'late'>((resolve) => {
        timer = setTimeout(() => resolve('late'), READY_MS);
      });
      try {
        const outcome = await Promise.race([store.check(), late]);
        return outcome === 'late' ? problemResponse(c, 'unavailable') : c.json({ status: 'ready' });
      } finally {
        clearTimeout(timer);
      }
    })
    .get('/metrics', async (c) => {
      if (metrics === undefined) return problemResponse(c, 'not-found');
      const { contentType, text } = await metrics();
      return c.body(text, 200, { 'Content-Type': contentType });
    })
    .get('/openapi.json', (c) => {
      // The document says where the API is mounted, so there is one for each place.
      const base = c.req.path.slice(0, -'/openapi.json'.length);
      const known =
        documents.get(base) ?? JSON.stringify(openApiDocument(base, { collections: collections !== undefined }));
      if (documents.size < 16) documents.set(base, known);
      return c.body(known, 200, { 'Content-Type': 'application/json' });
    })
    .get('/docs', (c) => c.html(docsPage(`${c.req.path.slice(0, -'/docs'.length)}/openapi.json`)));
}
