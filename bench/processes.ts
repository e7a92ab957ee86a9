/** The processes of a run: starts them, reads from the operating system what they cost, and ends every one of them. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** How much of a process's standard error is kept for the report of its failure, in characters. */
const KEPT_ERRORS = 4000;
/** How long a process may take to end after SIGTERM before it is killed, in milliseconds. */
const STOP_MS = 10_000;

const running = new Set<Running>();
/** Nothing is started any more once the run is being ended: it would be left behind. */
let ending = false;

/** A process of this run. */
export interface Running {
  readonly name: string;
  readonly pid: number;
  /** The end of what it wrote to standard error. */
  errors(): string;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  /** Sends a command to a process started with `ipc` and waits for its one answer. Rejects when it ends first. */
  ask<Reply>(command: unknown): Promise<Reply>;
  /** Waits for a first word of a process started with `ipc`. */
  hear<Reply>(): Promise<Reply>;
  /** Ends it: SIGTERM, then SIGKILL after ten seconds. */
  stop(): Promise<void>;
  /** Ends it at once. */
  kill(): void;
}

export interface StartOptions {
  readonly name: string;
  /** A program of this repository, from its root. Run by the Node that runs the bench. */
  readonly file?: string;
  /** Flags of Node for `file`. */
  readonly flags?: readonly string[];
  /** Another program, instead of `file`. */
  readonly command?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly ipc?: boolean;
}

const ROOT = resolve(import.meta.dirname, '..');

/** An answer that says that the child could not do what was asked. */
export interface Fault {
  readonly fault: string;
}

function isFault(reply: unknown): reply is Fault {
  return typeof reply === 'object' && reply !== null && 'fault' in reply;
}

export function start(options: StartOptions): Running {
  if (ending) throw new Error('the run is being ended');
  const command = options.command ?? process.execPath;
  const args = options.file === undefined ? [] : [...(options.flags ?? []), resolve(ROOT, options.file)];
  const child = spawn(command, [...args, ...(options.args ?? [])], {
    cwd: ROOT,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'ignore', 'pipe', options.ipc === true ? 'ipc' : 'ignore'],
  });
  return track(options.name, child);
}

function track(name: string, child: ChildProcess): Running {
  let errors = '';
  child.stderr?.setEncoding('utf8');
  child.stderr?.on('data', (text: string) => {
    errors = (errors + text).slice(-KEPT_ERRORS);
  });
  // A program that cannot be started says so with `error` and never with `exit`.
  const ended = new Promise<void>((done) => {
    child.once('exit', () => done());
    child.once('error', (error) => {
      errors += error.message;
      done();
    });
  }).then(() => {
    running.delete(self);
  });

  async function hear<Reply>(): Promise<Reply> {
    const gone = ended.then(() => {
      throw new Error(`${name} ended early. ${errors.trim()}`);
    });
    const [reply] = (await Promise.race([once(child, 'message'), gone])) as [Reply | Fault];
    if (isFault(reply)) throw new Error(`${name}: ${reply.fault}`);
    return reply;
  }

  const self: Running = {
    name,
    pid: child.pid ?? -1,
    errors: () => errors.trim(),
    ended,
    hear,
    ask<Reply>(message: unknown): Promise<Reply> {
      const answer = hear<Reply>();
      if (child.connected) child.send(message as object);
      return answer;
    },
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(timer);
    },
    kill() {
      child.kill('SIGKILL');
    },
  };
  running.add(self);
  return self;
}

/** Ends every process that is still running: the end of a run that was interrupted. */
export async function stopAll(): Promise<void> {
  ending = true;
  await Promise.all(Array.from(running, (one) => one.stop()));
}

let ticks: number | undefined;

/** Clock ticks per second, the unit of `/proc/<pid>/stat`. */
function ticksPerSecond(): number {
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return ticks;
}

/** Seconds of processor time that the process has used, user and system, all its threads (proc(5), `stat` fields 14, 15). */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field is the program's name in brackets, and may itself hold spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond();
}

/** Resident memory of the process, in bytes (proc(5), `VmRSS`). */
export function rssBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(line?.[1] ?? 0) * 1024;
}

/** The processes that a process has started. */
export function childrenOf(pid: number): readonly number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').trim().split(' ').filter(Boolean).map(Number),
  );
}

/** How many files this run may open in one process; connections count. */
export function openFileLimit(): number {
  const line = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
  return line?.[1] === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(line?.[1] ?? 1024);
}

/** Resolves after so many milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
