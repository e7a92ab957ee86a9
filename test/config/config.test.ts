import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CONFIG_TABLE, type ConfigResult, readConfig } from '../../src/config/config.ts';
import { exactSize, parseDuration, parseSize } from '../../src/config/units.ts';

const SECRET = { AUTH_SECRET: 'x'.repeat(32) };

function configOf(result: ConfigResult) {
  if (!result.ok) throw new Error(JSON.stringify(result.mistakes));
  return result.config;
}

function mistakesOf(result: ConfigResult) {
  return result.ok ? [] : result.mistakes;
}

const namesOf = (result: ConfigResult) => mistakesOf(result).map(({ name }) => name);

describe('readConfig', () => {
  test('dev needs nothing and listens on loopback', () => {
    expect(configOf(readConfig({}, {}, 'dev'))).toEqual({
      mode: 'dev',
      port: 8787,
      host: '127.0.0.1',
      dataDir: '.sluice',
      database: { kind: 'embedded', dir: '.sluice' },
      redisUrl: undefined,
      auth: { secret: undefined, jwksUrl: undefined, audience: undefined, issuer: undefined, anonymous: undefined },
      corsOrigins: [],
      retention: { ageMs: 7 * 86_400_000, events: undefined, bytes: undefined },
      retentionIntervalMs: 60_000,
      compactTopics: [],
      audit: 'collections',
      logLevel: 'info',
      trustProxy: 0,
      limits: {
        requestBytes: 1_048_576,
        eventBytes: 262_144,
        topicsPerStream: 50,
        membersPerTopic: 1000,
        streamsPerSubject: 100,
        streamsPerAddress: 1000,
        writesPerSubject: 1000,
        writesPerAddress: 5000,
      },
    });
  });

  test('dev refuses to listen beyond this machine', () => {
    for (const HOST of ['0.0.0.0', '::', '192.168.1.2', 'localhost.example', '127.evil.example'])
      expect(namesOf(readConfig({ HOST }, {}, 'dev')), HOST).toEqual(['HOST']);
    for (const HOST of ['127.0.0.1', '127.0.0.53', '::1', 'localhost', 'app.localhost'])
      expect(configOf(readConfig({ HOST }, {}, 'dev')).host).toBe(HOST);
  });

  test('serve listens on every address', () => {
    expect(configOf(readConfig(SECRET, {}, 'serve')).host).toBe('0.0.0.0');
  });

  test('serve refuses to start without a way to check tokens, and says how to make a secret', () => {
    const [mistake, ...others] = mistakesOf(readConfig({ AUTH_SECRET: ' ' }, {}, 'serve'));
    expect(others).toEqual([]);
    expect(mistake?.name).toBe('AUTH_SECRET');
    expect(mistake?.message).toContain('openssl rand -base64 48');
    expect(mistake?.message).toContain('AUTH_JWKS_URL');
    expect(readConfig({ AUTH_JWKS_URL: 'https://id.example/keys' }, {}, 'serve').ok).toBe(true);
  });

  test('serve refuses a secret of fewer than 32 bytes and does not repeat it', () => {
    const [mistake] = mistakesOf(readConfig({ AUTH_SECRET: 'hunter2' }, {}, 'serve'));
    expect(mistake?.message).toContain('at least 32 bytes, not 7');
    expect(mistake?.message).not.toContain('hunter2');
    expect(readConfig({ AUTH_SECRET: 'ä'.repeat(16) }, {}, 'serve').ok).toBe(true);
  });

  test('every mistake is named at once', () => {
    const bad = {
      PORT: '65536',
      HOST: 'a b',
      DATABASE_URL: 'mysql://user:password@host/db',
      REDIS_URL: 'http://redis',
      AUTH_SECRET: 'short',
      AUTH_JWKS_URL: 'http://id.example/keys',
      AUTH_ANON: '{"subcribe":["**"]}',
      CORS_ORIGINS: 'https://a.example/path',
      RETENTION_AGE: '7 fortnights',
      RETENTION_EVENTS: '-1',
      RETENTION_BYTES: 'lots',
      COMPACT_TOPICS: 'a:**:b',
      LOG_LEVEL: 'loud',
      TRUST_PROXY: 'yes',
      LIMIT_REQUEST_BYTES: '1TiB',
      LIMIT_EVENT_BYTES: '1',
      LIMIT_TOPICS_PER_STREAM: '0',
      LIMIT_STREAMS_PER_SUBJECT: 'x',
      LIMIT_STREAMS_PER_ADDRESS: 'x',
      LIMIT_WRITES_PER_SUBJECT: 'x',
      LIMIT_WRITES_PER_ADDRESS: 'x',
    };
    const result = readConfig(bad, {}, 'serve');
    expect(namesOf(result).sort()).toEqual(Object.keys(bad).sort());
    expect(JSON.stringify(mistakesOf(result))).not.toContain('password');
  });

  test('an event cannot be larger than a request, and that is told beside other mistakes', () => {
    const env = { LIMIT_REQUEST_BYTES: '64KiB', PORT: 'x' };
    expect(namesOf(readConfig(env, {}, 'dev'))).toEqual(['PORT', 'LIMIT_EVENT_BYTES']);
  });

  test('a flag wins over the environment, and empty counts as not set', () => {
    expect(configOf(readConfig({ PORT: '1' }, { port: '2' }, 'dev')).port).toBe(2);
    expect(configOf(readConfig({ PORT: '', DATA_DIR: 'there' }, { dataDir: '' }, 'dev'))).toMatchObject({
      port: 8787,
      dataDir: '.sluice',
    });
  });

  test('reads what each setting can be', () => {
    const config = configOf(
      readConfig(
        {
          ...SECRET,
          DATABASE_URL: 'postgresql://db/x',
          REDIS_URL: 'rediss://cache:6379',
          AUTH_JWKS_URL: 'http://127.0.0.1:9/keys',
          AUTH_AUDIENCE: 'a, b',
          AUTH_ISSUER: 'https://id.example',
          AUTH_ANON: '{"subscribe":["public:**"]}',
          CORS_ORIGINS: 'https://a.example/, http://localhost:3000',
          RETENTION_AGE: '12h',
          RETENTION_EVENTS: '1000',
          RETENTION_BYTES: '64MiB',
          COMPACT_TOPICS: 'state:*,prices:**',
          AUDIT: 'ALL',
          LOG_LEVEL: 'WARN',
          TRUST_PROXY: '2',
          LIMIT_WRITES_PER_SUBJECT: 'none',
          LIMIT_STREAMS_PER_ADDRESS: '0',
        },
        {},
        'serve',
      ),
    );
    expect(config).toMatchObject({
      database: { kind: 'postgres', url: 'postgresql://db/x' },
      redisUrl: 'rediss://cache:6379',
      auth: {
        jwksUrl: 'http://127.0.0.1:9/keys',
        audience: ['a', 'b'],
        issuer: 'https://id.example',
        anonymous: { subscribe: ['public:**'] },
      },
      corsOrigins: ['https://a.example', 'http://localhost:3000'],
      retention: { ageMs: 43_200_000, events: 1000, bytes: 67_108_864 },
      compactTopics: ['state:*', 'prices:**'],
      audit: 'all',
      logLevel: 'warn',
      trustProxy: 2,
      limits: { writesPerSubject: undefined, streamsPerAddress: undefined },
    });
    expect(configOf(readConfig({ DATABASE_URL: 'memory:', CORS_ORIGINS: '*' }, {}, 'dev'))).toMatchObject({
      database: { kind: 'memory' },
      corsOrigins: '*',
    });
  });

  test('anonymous callers cannot be made administrators', () => {
    expect(namesOf(readConfig({ AUTH_ANON: '{"admin":true}' }, {}, 'dev'))).toEqual(['AUTH_ANON']);
  });

  test('the table tells every setting with the flag that sets it', () => {
    for (const { name, flag, meaning } of CONFIG_TABLE) {
      expect(meaning, name).toMatch(/\.$/);
      const attribute = flag.slice(2).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
      const given = readConfig({ [name]: 'x y' }, {}, 'dev');
      expect(readConfig({}, { [attribute]: 'x y' }, 'dev'), name).toEqual(given);
    }
  });

  test('the defaults of the table are the defaults', () => {
    const defaults = Object.fromEntries(
      CONFIG_TABLE.flatMap(({ name, default: text }) => {
        const value = /^`([^`]+)`$/.exec(text)?.[1];
        return value === undefined ? [] : [[name, value]];
      }),
    );
    expect(Object.keys(defaults).length).toBeGreaterThan(10);
    expect(readConfig(defaults, {}, 'dev')).toEqual(readConfig({}, {}, 'dev'));
  });

  test('no text in any setting makes it throw', () => {
    const settings = fc.record(
      Object.fromEntries(CONFIG_TABLE.map(({ name }) => [name, fc.string({ unit: 'grapheme' })])),
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(settings, fc.constantFrom('dev' as const, 'serve' as const), (env, mode) => {
        const result = readConfig(env, {}, mode);
        expect(result.ok || result.mistakes.length > 0).toBe(true);
      }),
    );
  });
});

describe('units', () => {
  test('durations and sizes are read exactly', () => {
    expect(['250ms', '1.5s', '10m', '12h', '7d', '2w'].map(parseDuration)).toEqual([
      250, 1500, 600_000, 43_200_000, 604_800_000, 1_209_600_000,
    ]);
    expect(['10', '10B', '1kB', '1KiB', '64mib', '1.5GiB'].map(parseSize)).toEqual([
      10, 10, 1000, 1024, 67_108_864, 1_610_612_736,
    ]);
  });

  test('a size as text is read back as it was', () => {
    expect([0, 10, 1024, 1536, 256 * 1024, 1024 ** 2, 3 * 1024 ** 4].map(exactSize)).toEqual([
      '0B',
      '10B',
      '1KiB',
      '1536B',
      '256KiB',
      '1MiB',
      '3TiB',
    ]);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 45 }), (bytes) => {
        expect(parseSize(exactSize(bytes))).toBe(bytes);
      }),
    );
  });

  test('anything else is not a quantity', () => {
    for (const text of ['', '7', 'd', '-1d', '1 day', '7D', '1e3s', '1constructor', '0x10s', '٣d'])
      expect(parseDuration(text), text).toBeUndefined();
    for (const text of ['', '-1', '1XB', 'KiB', '1.1.1KiB', '99999999TiB', '1toString'])
      expect(parseSize(text), text).toBeUndefined();
  });
});
