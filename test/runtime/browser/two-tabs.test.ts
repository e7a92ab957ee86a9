/**
 * Two tabs of a real Chromium in a storm. `TWO_TABS_SEEDS` is how many storms there are, each with a seed of its own; `SEED` is the first.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CHROMIUM } from '../../browser/chromium.ts';
import { findPostgres } from '../../support/postgres-database.ts';
import { chooseSeed } from '../../support/random.ts';
import { killServers } from '../../support/server-process.ts';
import { pause } from '../../support/until.ts';
import { type Pages, servePages } from './pages.ts';
import { launchPlainChromium } from './plain-chromium.ts';
import { openStorm, type Storm } from './storm.ts';
import { openSystem, type System } from './system.ts';
import { findFaults } from './verify.ts';

const STEPS = 80;
const STORMS = Number(process.env['TWO_TABS_SEEDS'] || 3);
const FIRST = chooseSeed();
/** The longest that the tabs may need to find the server again by themselves, and to send and read all, in ms. */
const CALM_MS = 75_000;

const server = await findPostgres();

describe.skipIf(CHROMIUM === undefined || server === undefined)('two tabs in a storm', () => {
  let pages: Pages;
  let system: System;

  beforeAll(async () => {
    pages = await servePages();
    system = await openSystem(pages.url);
  });

  afterAll(async () => {
    await system?.close();
    await pages?.close();
    killServers();
  });

  beforeEach(async () => {
    await system.start();
    await system.sql`DELETE FROM items`;
  });

  async function weather(storm: Storm): Promise<string> {
    await storm.rage(STEPS);
    const began = Date.now();
    const tabs = await storm.calm();
    for (;;) {
      const views = [await tabs[0].view(), await tabs[1].view()];
      const faults = await findFaults(storm, views, system);
      const ms = Date.now() - began;
      const errors = views.flatMap((view) => view.errors);
      if (faults.length === 0)
        return `${storm.kept.length} writes, ${views[0]?.dead.length} dead, calm after ${ms} ms, errors: ${errors.length}`;
      if (ms > CALM_MS) throw new Error([...faults, ...errors, storm.trace.join(' ')].join('\n'));
      await pause(100);
    }
  }

  const seeds = Array.from({ length: STORMS }, (_, index) => FIRST + index);

  it.for(seeds)('write everything once, and end equal to the server (seed %i)', { timeout: 240_000 }, async (seed) => {
    const chromium = await launchPlainChromium();
    try {
      const storm = await openStorm(chromium, pages, system, seed);
      console.info(`SEED=${seed}: ${await weather(storm)}`);
      expect(storm.kept.length).toBeGreaterThan(0);
    } catch (error) {
      throw new Error(`with SEED=${seed}: ${String(error)}`, { cause: error });
    } finally {
      await chromium.close();
    }
  });
});
