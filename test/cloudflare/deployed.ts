/** The Worker and its objects in workerd, as `wrangler deploy` would put them on Cloudflare. */
import { Miniflare } from 'miniflare';
import { bundleWorker } from '../support/worker-bundle.ts';

export interface Deployed {
  /** Without a slash at its end. */
  readonly url: string;
  readonly worker: Miniflare;
  close(): Promise<void>;
}

export interface DeployOptions {
  /** Settings, as variables. */
  readonly settings: Readonly<Record<string, string>>;
  /** Where the objects keep what they have. In memory unless told. */
  readonly dir?: string;
  readonly port?: number;
  /** How many writes of one caller the platform's limiter lets pass; without it there is none. */
  readonly writesPerTenSeconds?: number;
  /** The entry, below the root of the project. */
  readonly entry?: string;
  /** Whether it has the objects of a deployment. It has unless told. */
  readonly objects?: boolean;
  /** The database of collections, where the entry has any. */
  readonly database?: string;
}

const bundles = new Map<string, ReturnType<typeof bundleWorker>>();

export async function deploy({
  settings,
  dir,
  port = 0,
  writesPerTenSeconds,
  entry = 'src/cloudflare/index.ts',
  objects = true,
  database,
}: DeployOptions): Promise<Deployed> {
  const bundle = bundles.get(entry) ?? bundleWorker(entry);
  bundles.set(entry, bundle);
  const { code } = await bundle;
  const worker = new Miniflare({
    modules: [{ type: 'ESModule', path: 'worker.mjs', contents: code }],
    compatibilityDate: '2026-01-01',
    compatibilityFlags: ['enable_request_signal', ...(database === undefined ? [] : ['nodejs_compat'])],
    host: '127.0.0.1',
    port,
    bindings: settings,
    ...(objects && {
      durableObjects: {
        SLUICE_TOPICS: { className: 'SluiceTopic', useSQLite: true },
        SLUICE_SYSTEM: { className: 'SluiceSystem', useSQLite: true },
        SLUICE_GATES: { className: 'SluiceGate', useSQLite: true },
        SLUICE_RELAYS: { className: 'SluiceRelay', useSQLite: true },
        ...(database !== undefined && { SLUICE_COLLECTIONS: { className: 'SluiceCollections', useSQLite: true } }),
      },
    }),
    ...(database !== undefined && { hyperdrives: { HYPERDRIVE: withPassword(database) } }),
    ...(writesPerTenSeconds !== undefined && {
      ratelimits: { SLUICE_RATE_LIMITER: { namespace_id: '1001', simple: { limit: writesPerTenSeconds, period: 10 } } },
    }),
    ...(dir !== undefined && { durableObjectsPersist: dir }),
  });
  const url = (await worker.ready).href.replace(/\/$/, '');
  return { url, worker, close: () => worker.dispose() };
}

/** Miniflare wants one, whether the server does or not. */
function withPassword(database: string): string {
  const url = new URL(database);
  if (url.password === '') url.password = 'none';
  return url.href;
}
