import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { lockDataDir } from '../../src/node/data-dir-lock.ts';

const MODULE = fileURLToPath(new URL('../../src/node/data-dir-lock.ts', import.meta.url));

function freshDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-lock-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

interface Holder {
  readonly child: ChildProcess;
  readonly pid: number;
  /** `true`, or the pid that it was told. */
  readonly answer: true | number;
}

/** A process of its own that locks the directory and stays until its standard input ends. */
async function startHolder(dir: string): Promise<Holder> {
  const code = `
    const { lockDataDir } = await import(${JSON.stringify(MODULE)});
    const lock = await lockDataDir(${JSON.stringify(dir)});
    console.log(JSON.stringify(lock.ok || lock.pid));
    for await (const _ of process.stdin);
    if (lock.ok) await lock.release();
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [bytes] = (await once(child.stdout, 'data')) as [Buffer];
  if (child.pid === undefined) throw new Error('the process did not start');
  return { child, pid: child.pid, answer: JSON.parse(bytes.toString()) as true | number };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

it('a second process is refused and told who has the directory, until that one ends well', async () => {
  const dir = freshDir();
  const holder = await startHolder(dir);
  expect(holder.answer).toBe(true);
  expect(await lockDataDir(dir)).toEqual({ ok: false, pid: holder.pid, file: join(dir, 'lock') });
  expect((await startHolder(dir)).answer).toBe(holder.pid);
  holder.child.stdin?.end();
  await ended(holder.child);
  const lock = await lockDataDir(dir);
  expect(lock.ok).toBe(true);
  if (lock.ok) await lock.release();
});

it('a lock whose process was killed is taken over at once', async () => {
  const dir = freshDir();
  const holder = await startHolder(dir);
  holder.child.kill('SIGKILL');
  await ended(holder.child);
  const start = performance.now();
  const lock = await lockDataDir(dir);
  expect(lock.ok).toBe(true);
  expect(performance.now() - start).toBeLessThan(1_000);
  if (lock.ok) await lock.release();
});

it('one process cannot lock a directory twice', async () => {
  const dir = freshDir();
  const first = await lockDataDir(dir);
  expect(first.ok).toBe(true);
  expect(await lockDataDir(dir)).toMatchObject({ ok: false, pid: process.pid });
  if (first.ok) await first.release();
  const second = await lockDataDir(dir);
  expect(second.ok).toBe(true);
  if (second.ok) await second.release();
});

it('of many that come at once, exactly one gets a lock left behind', async () => {
  const dir = freshDir();
  for (let round = 0; round < 5; round += 1) {
    // A claim of a pid that is in use, by a process that began at another time.
    const [line = ''] = (await claimLine(dir)).slice(-1);
    const [, , pid, start, ...place] = line.split(' ');
    appendFileSync(join(dir, 'lock'), `\n+ dead-${round} ${pid} ${start}0 ${place.join(' ')}\n`);
    const locks = await Promise.all(Array.from({ length: 8 }, () => lockDataDir(dir)));
    const held = locks.filter((lock) => lock.ok);
    expect(held).toHaveLength(1);
    for (const lock of held) await lock.release();
  }
});

it('three processes that start together after a kill agree on one', async () => {
  const dir = freshDir();
  const first = await startHolder(dir);
  first.child.kill('SIGKILL');
  await ended(first.child);
  const holders = await Promise.all([startHolder(dir), startHolder(dir), startHolder(dir)]);
  const winners = holders.filter(({ answer }) => answer === true);
  expect(winners).toHaveLength(1);
  for (const { answer } of holders) if (answer !== true) expect(holders.map(({ pid }) => pid)).toContain(answer);
});

it('a claim of another container holds while its file is touched, and no longer', async () => {
  const dir = freshDir();
  const file = join(dir, 'lock');
  const alive = await lockDataDir(dir, { touchMs: 20 });
  // As another container would see it: the same claim, from a place that is not here.
  writeFileSync(file, readFileSync(file, 'utf8').replace(/(\+ \S+ \S+ \S+ ).*/, '$1elsewhere'));
  expect(await lockDataDir(dir, { watchMs: 3_000 })).toMatchObject({ ok: false, pid: process.pid });
  if (alive.ok) await alive.release();
  appendFileSync(file, '+ gone 12345 678 elsewhere\n');
  const next = await lockDataDir(dir, { watchMs: 300 });
  expect(next.ok).toBe(true);
  if (next.ok) await next.release();
});

it('a torn or foreign line in the file is passed over', async () => {
  const dir = freshDir();
  writeFileSync(join(dir, 'lock'), 'hello\n+ x\n+ y notapid 1 here\n- z\n+ torn 12');
  const lock = await lockDataDir(dir);
  expect(lock.ok).toBe(true);
  expect(await lockDataDir(dir)).toMatchObject({ ok: false, pid: process.pid });
  if (lock.ok) await lock.release();
});

it('the file stays small over many starts', async () => {
  const dir = freshDir();
  for (let count = 0; count < 120; count += 1) {
    const lock = await lockDataDir(dir);
    expect(lock.ok).toBe(true);
    if (lock.ok) await lock.release();
  }
  expect(statSync(join(dir, 'lock')).size).toBeLessThan(6_000);
});

it('rejects where it cannot write', async () => {
  const dir = freshDir();
  writeFileSync(join(dir, 'plain'), '');
  await expect(lockDataDir(join(dir, 'plain'))).rejects.toMatchObject({ code: 'ENOTDIR' });
});

/** The lines that locking and releasing leaves. */
async function claimLine(dir: string): Promise<readonly string[]> {
  const lock = await lockDataDir(dir);
  if (lock.ok) await lock.release();
  return readFileSync(join(dir, 'lock'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('+ '));
}
