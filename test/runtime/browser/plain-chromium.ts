/**
 * A Chromium as people have it. One that Playwright launches shows every page at once and keeps none that was left; in this one a tab
 * hides the others, hidden ones can be frozen, and pages that are left are kept for the way back.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { CHROMIUM } from '../../browser/chromium.ts';

export interface PlainChromium {
  readonly context: BrowserContext;
  /** An empty tab, to bring to the front. */
  readonly empty: Page;
  close(): Promise<void>;
}

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--no-first-run',
  '--remote-debugging-port=0',
];

/** How long a browser may take to answer once it listens, in ms, and how many are begun: now and then one hangs on a busy machine. */
const ANSWER_MS = 15_000;
const LAUNCHES = 4;

export async function launchPlainChromium(): Promise<PlainChromium> {
  for (let launch = 1; ; launch += 1) {
    try {
      return await launchOnce();
    } catch (error) {
      if (launch === LAUNCHES) throw error;
      console.warn(`Chromium did not begin (${launch} of ${LAUNCHES}): ${String(error).split('\n')[0]}`);
    }
  }
}

async function launchOnce(): Promise<PlainChromium> {
  if (CHROMIUM === undefined) throw new Error('there is no Chromium: guard the tests with describe.skipIf');
  const dir = await mkdtemp(join(tmpdir(), 'sluice-chromium-'));
  const child = spawn(CHROMIUM, [...FLAGS, `--user-data-dir=${dir}`], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(child, 'exit');
  // A test that failed may not have come to its end.
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const address = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stderr.setEncoding('utf8').on('data', (more: string) => {
      text = (text + more).slice(-4000);
      const [, found] = /DevTools listening on (\S+)/.exec(text) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.once('exit', () => reject(new Error(`Chromium ended: ${text}`)));
  });
  const browser = await chromium
    .connectOverCDP(address, { noDefaults: true, timeout: ANSWER_MS })
    .catch(async (error: unknown) => {
      kill();
      await exited;
      process.off('exit', kill);
      await rm(dir, { recursive: true, force: true });
      throw error;
    });
  const [context] = browser.contexts();
  if (context === undefined) throw new Error('Chromium has no window');
  return {
    context,
    empty: context.pages()[0] ?? (await context.newPage()),
    async close() {
      const session = await browser.newBrowserCDPSession();
      // It ends before it answers.
      session.send('Browser.close').catch(() => undefined);
      await exited;
      process.off('exit', kill);
      await rm(dir, { recursive: true, force: true });
    },
  };
}
