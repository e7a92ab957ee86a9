/**
 * The lock on a data directory: an embedded database must not be opened by two processes.
 *
 * The file `lock` is a log of claims. Whoever wants the directory appends a claim and reads the file: the first claim
 * that was not given back and whose process lives holds the directory. So a claim of a process that was killed is
 * passed over without anybody having to remove it, and two that come at once agree on who was first. Appends of one
 * line are atomic on a local file system.
 *
 * A process is known by its pid and, on Linux, by its start time, since pids are used again. A claim made in another
 * container or on another machine names a process that cannot be seen from here. A holder touches the file `lock.alive`
 * every {@link TOUCH_MS}, so that is watched for {@link WATCH_MS}: only if it stands still is the claim taken to be
 * dead. This is so also after a reboot.
 */
import { randomUUID } from 'node:crypto';
import type { Stats } from 'node:fs';
import { appendFile, mkdir, open, readFile, readlink, rename, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** How often a holder touches its file, and how long a foreign claim is watched, in milliseconds. */
export const TOUCH_MS = 2_000;
export const WATCH_MS = 5_000;
/** A file longer than this, in bytes, is written anew by whoever gets the lock. */
const MAX_LENGTH = 4_096;

export type DataDirLock =
  | {
      readonly ok: true;
      /** Gives the directory back. */
      release(): Promise<void>;
    }
  /** Another process has it. */
  | { readonly ok: false; readonly pid: number; readonly file: string };

interface Claim {
  readonly id: string;
  readonly pid: number;
  /** When the process began, in the kernel's own measure; `-` where there is none. */
  readonly start: string;
  /** Where its pid means something. */
  readonly place: string;
}

export interface DataDirLockOptions {
  /** {@link TOUCH_MS} and {@link WATCH_MS} unless told. */
  readonly touchMs?: number | undefined;
  readonly watchMs?: number | undefined;
  /**
   * Hears when the holder's file cannot be touched, so that others could take the claim to be dead. A process warning
   * unless told.
   */
  readonly onFault?: ((error: Error) => void) | undefined;
}

/** Locks the directory, making it if need be. Rejects when it cannot be written to. */
export async function lockDataDir(dir: string, options: DataDirLockOptions = {}): Promise<DataDirLock> {
  const { watchMs = WATCH_MS } = options;
  await makeDirectory(resolve(dir));
  const file = join(dir, 'lock');
  const claim: Claim = {
    id: randomUUID(),
    pid: process.pid,
    start: (await startOf(process.pid)) ?? '-',
    place: await placeHere(),
  };
  for (;;) {
    const handle = await open(file, 'a+');
    try {
      // The line break in front ends a line that a crash may have left unfinished.
      await handle.appendFile(`\n+ ${claim.id} ${claim.pid} ${claim.start} ${claim.place}\n`);
      const text = await readFile(file, 'utf8');
      const holder = await firstAlive(claimsOf(text), claim, file, watchMs);
      // A holder may have written the file anew meanwhile: what was appended to the old one then says nothing.
      if ((await handle.stat()).ino !== (await statIfThere(file))?.ino) continue;
      if (holder !== undefined && holder.id !== claim.id) {
        await handle.appendFile(`\n- ${claim.id}\n`);
        return { ok: false, pid: holder.pid, file };
      }
      // Our own claim is missing only if somebody emptied the file by hand.
      if (holder === undefined) continue;
      if (text.length > MAX_LENGTH) await writeAnew(file, claim);
      return await hold(file, claim, options);
    } finally {
      await handle.close();
    }
  }
}

async function hold(file: string, { id }: Claim, options: DataDirLockOptions): Promise<DataDirLock> {
  const { touchMs = TOUCH_MS, onFault = (error) => process.emitWarning(error) } = options;
  await writeFile(aliveFile(file), '');
  const timer = setInterval(() => {
    const now = new Date();
    utimes(aliveFile(file), now, now).catch(onFault);
  }, touchMs);
  timer.unref();
  return {
    ok: true,
    async release() {
      clearInterval(timer);
      await appendFile(file, `\n- ${id}\n`);
    },
  };
}

function aliveFile(file: string): string {
  return `${file}.alive`;
}

/** The claims that were not given back, in the order made. Lines that are not whole are passed over. */
function claimsOf(text: string): readonly Claim[] {
  const claims = new Map<string, Claim>();
  for (const line of text.split('\n')) {
    const [sign, id = '', pid = '', start, place] = line.split(' ');
    if (sign === '-') claims.delete(id);
    else if (sign === '+' && /^[1-9][0-9]*$/.test(pid) && start && place)
      claims.set(id, { id, pid: Number(pid), start, place });
  }
  return [...claims.values()];
}

async function firstAlive(
  claims: readonly Claim[],
  own: Claim,
  file: string,
  watchMs: number,
): Promise<Claim | undefined> {
  for (const claim of claims) {
    if (claim.id === own.id) return claim;
    const alive = claim.place === own.place ? await isAlive(claim) : await isTouched(file, watchMs);
    if (alive) return claim;
  }
  return undefined;
}

async function isAlive({ pid, start }: Claim): Promise<boolean> {
  if (start !== '-') return (await startOf(pid)) === start;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // ESRCH says that there is none; EPERM that there is one, of somebody else.
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

/** Whether a holder touches its file while that is watched. */
async function isTouched(file: string, watchMs: number): Promise<boolean> {
  const before = await statIfThere(aliveFile(file));
  const end = performance.now() + watchMs;
  while (performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, Math.min(100, watchMs)));
    if ((await statIfThere(aliveFile(file)))?.mtimeMs !== before?.mtimeMs) return true;
  }
  return false;
}

async function writeAnew(file: string, { id, pid, start, place }: Claim): Promise<void> {
  const fresh = `${file}.${id}`;
  await writeFile(fresh, `+ ${id} ${pid} ${start} ${place}\n`);
  await rename(fresh, file);
}

/**
 * A Linux process's start in clock ticks since boot (proc(5), field 22 of `stat`); `undefined` if there is none, or no
 * `/proc`.
 */
async function startOf(pid: number): Promise<string | undefined> {
  const text = await readIfThere(`/proc/${pid}/stat`);
  // The second field is the command in parentheses, which may hold anything.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  // A zombie (state Z) has ended; only its parent has not looked yet.
  return fields?.[0] === 'Z' ? undefined : fields?.[19];
}

/** Names the boot and the pid namespace on Linux, the machine elsewhere. */
async function placeHere(): Promise<string> {
  const boot = await readIfThere('/proc/sys/kernel/random/boot_id');
  if (boot === undefined) return encodeURIComponent(hostname());
  return `${boot.trim()}/${await readlink('/proc/self/ns/pid')}`;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    // ESRCH: the process ended between the opening and the reading.
    if (isMissing(error) || (error instanceof Error && 'code' in error && error.code === 'ESRCH')) return undefined;
    throw error;
  }
}

async function statIfThere(file: string): Promise<Stats | undefined> {
  try {
    return await stat(file);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** Makes a directory and those above it. Node's own recursive `mkdir` never ends where a file system refuses with ENOENT, as /proc does. */
async function makeDirectory(path: string): Promise<void> {
  if (await isThere(path)) return;
  const parent = dirname(path);
  if (parent !== path) await makeDirectory(parent);
  try {
    await mkdir(path);
  } catch (error) {
    // Another process may have made it meanwhile.
    if (!(await isThere(path))) throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await statIfThere(path)) !== undefined;
}
