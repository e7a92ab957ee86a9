import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLogger, type LoggerOptions, redactUrl, scrub } from '../../src/node/logger.ts';

const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl';
const TICKET = 'slt1_AbC-dEf_123';

function logTo(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const log = createLogger({ level: 'debug', format: 'json', write: (line) => lines.push(line), ...options });
  return { log, lines, parsed: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('the log', () => {
  it('is one JSON object a line, with level, time, fields and text', () => {
    const { log, lines, parsed } = logTo({ fields: { node: 'n1' } });
    log.info({ a: 1 }, 'first\nline');
    log.error({ error: Object.assign(new Error('broken'), { code: 'X', query: 'select secret' }) }, 'second');
    expect(lines.every((line) => line.endsWith('\n') && line.indexOf('\n') === line.length - 1)).toBe(true);
    expect(parsed()[0]).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      node: 'n1',
      a: 1,
      msg: 'first\nline',
    });
    expect(parsed()[1]).toMatchObject({ level: 'error', error: { name: 'Error', code: 'X', message: 'broken' } });
    expect(lines.join('')).not.toContain('select secret');
  });

  it('leaves out what is below its level', () => {
    const { log, lines } = logTo({ level: 'warn' });
    log.debug({}, 'a');
    log.info({}, 'b');
    log.warn({}, 'c');
    log.error({}, 'd');
    expect(lines).toHaveLength(2);
    const silent = logTo({ level: 'silent' });
    silent.log.error({}, 'e');
    expect(silent.lines).toEqual([]);
  });

  it('writes no credential, wherever it stands', () => {
    for (const format of ['json', 'human'] as const) {
      const { log, lines } = logTo({ format });
      log.warn({ authorization: 'hidden-1', headers: { Authorization: 'hidden-2', cookie: 'hidden-3' } }, 'x');
      log.warn({ deep: { deeper: { ticket: 'hidden-4', secret: 'hidden "5' } } }, `Bearer ${'hidden6'.repeat(4)}`);
      log.warn({ url: `/v1/events?topic=a&ticket=${TICKET}&other=hidden-7`, note: `got ${JWT} and ${TICKET}` }, JWT);
      log.warn({ database: 'postgres://ann:hidden-8@db/x' }, 'see https://x/?ticket=hidden-9');
      log.error({ error: new Error(`refused ${JWT}`, { cause: new Error(TICKET) }) }, 'y');
      expect(lines).toHaveLength(5);
      expect(lines.join('')).not.toMatch(/hidden|eyJhb|slt1_/);
      expect(lines.join('')).toContain('topic=a');
    }
  });

  it('is still JSON after credentials were taken out, whatever the text', () => {
    const part = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(JWT, TICKET, 'Bearer ', '?ticket=', '"', '\\', 'a://b:', '@', '"token":"', '&ticket=x'),
    );
    fc.assert(
      fc.property(fc.array(part), fc.array(part), (name, value) => {
        const { log, parsed } = logTo();
        log.info({ [name.join('')]: value.join(''), token: value.join('') }, name.join(''));
        expect(parsed()).toHaveLength(1);
      }),
    );
  });

  it('for a person is short, one line, and cannot steer the terminal', () => {
    const { log, lines } = logTo({ format: 'human', fields: { node: 'n1' } });
    log.warn({ node: 'n1', retryMs: 100, list: [1], name: 'a\x1b[31m\nb' }, 'bus is cut off\x07');
    expect(lines[0]).toMatch(
      /^\d\d:\d\d:\d\d warn {2}bus is cut off\\u0007 {2}retryMs=100 {2}list=\[1\] {2}name=a\\u001b\[31m\\nb\n$/,
    );
    log.error({ error: new Error('broken') }, 'it failed');
    expect(lines[1]).toMatch(/^\S+ error it failed\nError: broken\n {4}at /);
  });

  it('goes to standard error, and is whole when the process ends', () => {
    const module = fileURLToPath(new URL('../../src/node/logger.ts', import.meta.url));
    const code = `
      const { createLogger } = await import(${JSON.stringify(module)});
      const log = createLogger({ level: 'info', format: 'json' });
      for (let n = 0; n < 500; n += 1) log.info({ n }, 'line');
      log.flush();
      process.exit(3);
    `;
    const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '--eval', code]);
    expect(status).toBe(3);
    expect(stdout.toString()).toBe('');
    const lines = stderr.toString().trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { n: number }).n)).toEqual(
      Array.from({ length: 500 }, (_, n) => n),
    );
  });
});

describe('a redacted URL', () => {
  it('keeps what is known to be harmless and hides all other values', () => {
    expect(redactUrl(`/v1/events?topic=a&ticket=${TICKET}&after=k3f0q8s1zd-1`)).toBe(
      '/v1/events?topic=a&ticket=[redacted]&after=k3f0q8s1zd-1',
    );
    expect(redactUrl('/a?%74icket=x&access_token=y&TICKET=z&flag')).toBe(
      '/a?%74icket=[redacted]&access_token=[redacted]&TICKET=[redacted]&flag',
    );
    expect(redactUrl(`/a?topic=${JWT}`)).toBe('/a?topic=[redacted]');
    expect(redactUrl('postgres://ann:pass@db:5432/x?sslmode=require')).toBe('postgres://db:5432/x?sslmode=[redacted]');
    expect(redactUrl('/v1/topics/a/events')).toBe('/v1/topics/a/events');
    expect(redactUrl('/a?ticket=a?b=c&x=1#f')).toBe('/a?ticket=[redacted]&x=[redacted]#f');
  });

  it('never shows the value of a ticket, whatever surrounds it', () => {
    const piece = fc.stringMatching(/^[a-z0-9=%./:-]{0,8}$/);
    fc.assert(
      fc.property(fc.array(piece), fc.array(piece), (before, after) => {
        const url = `/v1/events?${[...before, 'ticket=TheSecret', ...after].join('&')}`;
        expect(redactUrl(url)).not.toContain('TheSecret');
        expect(scrub(url)).not.toContain('TheSecret');
      }),
    );
  });
});
