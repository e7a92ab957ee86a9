/**
 * Which tab has the connection: the one that holds a Web Lock. The others wait for it in a queue, so that when the leader closes or crashes,
 * the browser itself names the next one. A leader that is frozen gives the lock up; from one that does not answer it is taken.
 */
import type { TabLine } from './tab-words.ts';

export interface Leadership {
  leads(): boolean;
  /** Gives the lead up, until `run` is called again: the page is being frozen. */
  resign(): void;
  run(): void;
  close(): void;
}

export interface LeadershipOptions {
  /** Of the lock. */
  readonly name: string;
  /** Of this tab, unlike any other's. */
  readonly tab: string;
  readonly locks: LockManager;
  readonly line: TabLine;
  /** Whether nobody sees this tab. */
  readonly hidden: () => boolean;
  /** Whether this tab, while it leads, has a connection. */
  readonly connected: () => boolean;
  /** Another tab leads now, or this one does, or does no more. */
  readonly onChange: () => void;
}

/** How often the others look for the leader, and how long it has to answer, in ms. */
const LOOK_MS = 5000;
const ANSWER_MS = 3000;

export function createLeadership({
  name,
  tab,
  locks,
  line,
  hidden,
  connected,
  onChange,
}: LeadershipOptions): Leadership {
  let leading = false;
  let running = false;
  let release: (() => void) | undefined;
  let waiting: AbortController | undefined;
  let answered = true;
  let leader: string | undefined;
  let look: ReturnType<typeof setTimeout> | undefined;

  function lead(): Promise<void> {
    leading = true;
    leader = tab;
    say();
    onChange();
    return new Promise((resolve) => {
      release = resolve;
    });
  }

  function say(): void {
    line.send({ kind: 'lead', leader: tab, idle: hidden() && !connected() });
  }

  /** Waits in the queue, or takes the lock from whoever has it. */
  function request(steal: boolean): void {
    waiting?.abort();
    const wait = new AbortController();
    waiting = wait;
    const options: LockOptions = steal ? { steal } : { signal: wait.signal };
    locks.request(name, options, lead).catch(() => {
      // Aborted by us, or taken by another tab while we led.
      if (waiting !== wait || !running) return;
      leading = false;
      onChange();
      request(false);
    });
  }

  const stopListening = line.listen((word) => {
    if (word.kind === 'who-leads' && leading) say();
    if (word.kind !== 'lead' || leading) return;
    // Nobody sees the leader, so its timers are slow, and it has no connection: one that is seen does better.
    answered = !(word.idle && !hidden());
    if (word.leader === leader) return;
    leader = word.leader;
    onChange();
  });

  /** Looks now and then whether the leader still answers: frozen, it may hold the lock and do nothing. */
  function watch(): void {
    clearTimeout(look);
    look = setTimeout(() => {
      if (leading) return watch();
      answered = false;
      line.send({ kind: 'who-leads' });
      look = setTimeout(() => {
        if (running && !leading && !answered && !hidden()) request(true);
        watch();
      }, ANSWER_MS);
    }, LOOK_MS);
  }

  function resign(): void {
    running = false;
    leading = false;
    clearTimeout(look);
    waiting?.abort();
    release?.();
  }

  return {
    leads: () => leading,
    resign() {
      if (!running) return;
      resign();
      onChange();
    },
    run() {
      if (running) return;
      running = true;
      request(false);
      line.send({ kind: 'who-leads' });
      watch();
    },
    close() {
      resign();
      stopListening();
    },
  };
}
