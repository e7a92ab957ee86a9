/** Holds the import rules of the house: which room may know which, and where what is foreign may be used. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/** Every room, and the rooms that it may import. A room is a folder of `src` with all that is in it, unless a folder within is named. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  store: ['protocol'],
  'store/postgres': ['store', 'protocol'],
  'store/durable-object': ['store', 'protocol'],
  bus: ['protocol'],
  delivery: ['protocol'],
  auth: ['store', 'protocol'],
  // The rows of tables, and the changes to them: neither knows the other, `http` puts them together.
  records: ['broker', 'store', 'store/postgres', 'protocol'],
  capture: ['broker', 'store', 'store/postgres', 'protocol'],
  broker: ['store', 'bus', 'protocol'],
  presence: ['store', 'bus', 'protocol'],
  // Composes the parts into an app, whatever the runtime; never the adapters.
  http: ['auth', 'broker', 'bus', 'capture', 'delivery', 'presence', 'records', 'store', 'store/postgres', 'protocol'],
  // What a server is told by its surroundings, whatever the runtime.
  config: ['http', 'store', 'protocol'],
  // The composition root of one runtime.
  node: [
    'config',
    'http',
    'auth',
    'broker',
    'bus',
    'capture',
    'delivery',
    'presence',
    'records',
    'store',
    'store/postgres',
    'protocol',
  ],
  // Runs in the browser, as it is: this folder, and `page.js` beside it.
  'node/dev-page/page': [],
  // Runs in browsers: nothing of the server, and no package.
  client: ['protocol'],
  // Over the client, for what runs in the same places.
  react: ['client', 'protocol'],
  query: ['client', 'protocol'],
  // Runs on anybody's page: as little as will do.
  widget: ['protocol'],
  // The other one: Workers and their objects.
  cloudflare: [
    'config',
    'http',
    'auth',
    'broker',
    'bus',
    'delivery',
    'presence',
    'records',
    'store',
    'store/durable-object',
    'protocol',
  ],
  // What a Worker with collections has besides: apart, since it brings a database's driver.
  'cloudflare/collections': [
    'cloudflare',
    'config',
    'http',
    'broker',
    'capture',
    'records',
    'store',
    'store/postgres',
    'protocol',
  ],
  cli: ['config', 'node', 'http', 'capture', 'records', 'store', 'store/postgres', 'protocol'],
  // The portable public entry, `src/index.ts`.
  '': ['http', 'auth', 'broker', 'bus', 'capture', 'records', 'store', 'protocol'],
};

/** Every package, and the rooms or files that may import it. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  zod: ['protocol', 'auth', 'bus', 'records', 'http', 'config', 'cli'],
  hono: ['http', 'node'],
  '@hono/zod-validator': ['http'],
  '@hono/node-server': ['node'],
  'zod-openapi': ['http'],
  jose: ['auth', 'cli'],
  // Drivers, each in its adapters only.
  'drizzle-orm': ['store/postgres', 'records'],
  'drizzle-zod': ['records'],
  postgres: ['store/postgres/postgres-pool.ts', 'store/postgres/postgres-js.ts', 'bus/postgres.ts'],
  '@electric-sql/pglite': ['store/postgres/pglite.ts'],
  pino: ['node', 'cli'],
  'prom-client': ['node'],
  commander: ['cli'],
  react: ['react'],
  '@tanstack/query-core': ['query'],
  // A part of the Workers runtime.
  'cloudflare:workers': ['cloudflare'],
  // Where it is installed, in development.
  esbuild: ['node/bundle-widget.ts'],
};

/** Where Node itself may be used: these rooms, and as types only these files. */
const NODE_ROOMS = ['node', 'cli'];
const NODE_TYPES = [
  'delivery/node-sink.ts',
  'delivery/bare-socket.ts',
  'delivery/direct-write.ts',
  'http/open-stream.ts',
];

/** What an embedding application imports on any runtime. */
const PORTABLE_ENTRIES = ['index.ts', 'protocol/index.ts'];

const ROOT = fileURLToPath(new URL('../src/', import.meta.url));

interface Import {
  /** A file below `src`, or the name of a package or of a part of Node. */
  readonly target: string;
  readonly own: boolean;
  /** Erased when the code runs. */
  readonly typeOnly: boolean;
}

interface Source {
  readonly file: string;
  readonly room: string;
  readonly code: string;
  readonly imports: readonly Import[];
}

const sources: readonly Source[] = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.[jt]s$/.test(file))
  .map((file) => {
    const code = withoutComments(readFileSync(join(ROOT, file), 'utf8'));
    return { file, room: roomOf(file), code, imports: importsOf(file, code) };
  });

/** The innermost room that holds a file. */
function roomOf(file: string): string {
  const rooms = Object.keys(ROOMS).filter(
    (room) => room !== '' && (file.startsWith(`${room}/`) || file === `${room}.js`),
  );
  const known = rooms.toSorted((a, b) => b.length - a.length)[0];
  return known ?? (file.includes('/') ? (file.split('/')[0] ?? '') : '');
}

/** Block comments, and lines that are only a comment: enough for what is looked for, and blind to `//` in a URL. */
function withoutComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

function importsOf(file: string, code: string): readonly Import[] {
  const statement = /^\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\bfrom\s+)?['"]([^'"]+)['"]/gm;
  const dynamic = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;
  const found = [...code.matchAll(statement)].map(([, type, name = '']) => ({ name, typeOnly: type !== undefined }));
  for (const [, name = ''] of code.matchAll(dynamic)) found.push({ name, typeOnly: false });
  return found.map(({ name, typeOnly }) => {
    if (name.startsWith('.'))
      return { target: relative(ROOT, normalize(join(ROOT, dirname(file), name))), own: true, typeOnly };
    const parts = name.split('/');
    const target = name.startsWith('node:') ? name : parts.slice(0, name.startsWith('@') ? 2 : 1).join('/');
    return { target, own: false, typeOnly };
  });
}

/** Every import that breaks a rule, as a line that says which. */
function breaches(rule: (source: Source, imported: Import) => boolean): readonly string[] {
  return sources.flatMap((source) =>
    source.imports
      .filter((imported) => !rule(source, imported))
      .map(({ target }) => `${source.file} imports ${target}`),
  );
}

const isNode = (imported: Import) => imported.target.startsWith('node:');

describe('the rooms of src', () => {
  it('are all known to this table, and all there', () => {
    expect(new Set(sources.map(({ room }) => room))).toEqual(new Set(Object.keys(ROOMS)));
  });

  it('import only what the table allows', () => {
    expect(
      breaches(({ room }, { own, target }) => {
        const other = roomOf(target);
        return !own || other === room || (ROOMS[room] ?? []).includes(other);
      }),
    ).toEqual([]);
  });

  it('import only files that exist, by their whole names', () => {
    const files = new Set(sources.map(({ file }) => file));
    expect(breaches((_, { own, target }) => !own || files.has(target))).toEqual([]);
  });

  it('have a table without a cycle', () => {
    const state = new Map<string, 'open' | 'done'>();
    const visit = (room: string, path: readonly string[]): void => {
      if (state.get(room) === 'done') return;
      expect(state.get(room), `a cycle: ${[...path, room].join(' → ')}`).toBeUndefined();
      state.set(room, 'open');
      for (const next of ROOMS[room] ?? []) visit(next, [...path, room]);
      state.set(room, 'done');
    };
    for (const room of Object.keys(ROOMS)) visit(room, []);
  });

  it('are known to no one who is not named: nobody imports the command line', () => {
    expect(breaches(({ room }, { target }) => room === 'cli' || roomOf(target) !== 'cli')).toEqual([]);
  });
});

describe('what is foreign', () => {
  it('is a package of the table, where the table allows it', () => {
    expect(
      breaches((source, imported) => {
        if (imported.own || isNode(imported)) return true;
        const places = PACKAGES[imported.target] ?? [];
        return places.includes(source.room) || places.includes(source.file);
      }),
    ).toEqual([]);
  });

  it('of Node is imported only where the runtime is Node, and elsewhere as types in the files named', () => {
    expect(
      breaches((source, imported) => {
        if (!isNode(imported) || NODE_ROOMS.includes(source.room)) return true;
        return imported.typeOnly && NODE_TYPES.includes(source.file);
      }),
    ).toEqual([]);
  });

  it('of Node is not reached for by its global names either', () => {
    const found = sources
      .filter(
        ({ file, room, code }) =>
          file.endsWith('.ts') &&
          !NODE_ROOMS.includes(room) &&
          /\b(?:process|Buffer|require|__dirname)\b[.(]/.test(code),
      )
      .map(({ file }) => file);
    expect(found).toEqual([]);
  });
});

describe('a portable entry', () => {
  it.each(PORTABLE_ENTRIES)('reaches nothing of Node and no driver: %s', (entry) => {
    const reached = new Set<string>();
    const foreign = new Set<string>();
    const visit = (file: string): void => {
      if (reached.has(file)) return;
      reached.add(file);
      for (const { target, own, typeOnly } of sources.find((source) => source.file === file)?.imports ?? []) {
        if (typeOnly) continue;
        if (own) visit(target);
        else foreign.add(target);
      }
    };
    visit(entry);
    expect(reached.size).toBeGreaterThan(5);
    const portable = ['zod', 'hono', '@hono/zod-validator', 'zod-openapi', 'jose'];
    expect([...foreign].filter((name) => !portable.includes(name))).toEqual([]);
  });

  it('of the protocol needs nothing but the schemas’ library', () => {
    const foreign = sources.filter(({ room }) => room === 'protocol').flatMap(({ imports }) => imports);
    expect(new Set(foreign.filter(({ own }) => !own).map(({ target }) => target))).toEqual(new Set(['zod']));
  });
});

describe('this test', () => {
  it('sees imports in every way that they are written', () => {
    const code = `
import a from './a.ts';
import type { B } from '../b/b.ts';
import {
  c,
  type D,
} from 'hono/cors';
export { e } from '@scope/pack/e';
import 'node:fs';
const f = await import('./f.ts');
// import g from './g.ts';
/* import h from './h.ts'; */
`;
    expect(importsOf('room/file.ts', withoutComments(code))).toEqual([
      { target: 'room/a.ts', own: true, typeOnly: false },
      { target: 'b/b.ts', own: true, typeOnly: true },
      { target: 'hono', own: false, typeOnly: false },
      { target: '@scope/pack', own: false, typeOnly: false },
      { target: 'node:fs', own: false, typeOnly: false },
      { target: 'room/f.ts', own: true, typeOnly: false },
    ]);
  });
});
