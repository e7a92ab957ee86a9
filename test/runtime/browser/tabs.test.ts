/** Several tabs of a real Chromium: which of them has the connection, and what becomes of the others when it is gone. */
import { describe, expect, it } from 'vitest';
import { CHROMIUM } from '../../browser/chromium.ts';
import { until } from '../../support/until.ts';
import { launchPlainChromium } from './plain-chromium.ts';
import { openScene, type Scene } from './scene.ts';
import { setStage } from './stage.ts';
import type { Tab } from './tab.ts';

describe.skipIf(CHROMIUM === undefined)('tabs of one browser', () => {
  const stage = setStage();

  async function inScene(size: number, work: (scene: Scene) => Promise<void>): Promise<void> {
    const context = await stage.browser.newContext();
    try {
      await work(await openScene(context, stage.pages, stage.served, size));
    } finally {
      await context.close();
    }
  }

  /** Where tabs can be hidden and frozen. `front` shows this one, or none of them, and hides the others. */
  async function inPlainChromium(
    size: number,
    work: (scene: Scene & { front(tab?: Tab): Promise<void> }) => Promise<void>,
  ): Promise<void> {
    const { context, empty, close } = await launchPlainChromium();
    try {
      const scene = await openScene(context, stage.pages, stage.served, size);
      await work({ ...scene, front: (tab) => (tab?.page ?? empty).bringToFront() });
    } finally {
      await close();
    }
  }

  const isHidden = (tab: Tab) => tab.page.evaluate(() => document.hidden);

  it.concurrent('have one stream, by which all of them are told', () =>
    inScene(4, async ({ tabs, tell, streams, leader, check }) => {
      await tell();
      await tell();
      await leader();
      expect(await streams()).toBe(1);
      await check(...tabs);
    }));

  it.concurrent.for(['closes', 'crashes', 'is reloaded'] as const)(
    'have another that takes over when the one with the connection %s',
    { timeout: 60_000 },
    (how) =>
      inScene(3, async ({ tabs, tell, streams, leader, check }) => {
        for (const _ of ['once', 'and again']) {
          await tell();
          const old = await leader();
          const left = tabs.filter((tab) => tab !== old);
          if (how === 'is reloaded') await old.reload();
          else {
            tabs.splice(tabs.indexOf(old), 1);
            await (how === 'closes' ? old.close() : old.crash());
          }
          await tell(left);
          await until('there is one stream', async () => (await streams()) === 1);
          await tell();
          await leader();
        }
        await check(...tabs);
      }),
  );

  it.concurrent('take the connection from one that hangs without a word', { timeout: 60_000 }, () =>
    inScene(2, async ({ context, tabs, tell, streams, leader, check }) => {
      await tell();
      const hung = await leader();
      const other = tabs.find((tab) => tab !== hung)!;
      const session = await context.newCDPSession(hung.page);
      await session.send('Debugger.enable');
      await session.send('Debugger.pause');
      await tell([other]);
      expect((await other.view()).status.transport).toBe('stream');
      await session.send('Debugger.resume');
      await session.detach();
      await tell();
      expect(await leader()).toBe(other);
      await until('there is one stream', async () => (await streams()) === 1);
      await check(...tabs);
    }),
  );

  it(
    'have another that takes over while the one with the connection is frozen, and tell it all when it comes back',
    { timeout: 60_000 },
    () =>
      inPlainChromium(2, async ({ front, tabs, tell, streams, leader, check }) => {
        await tell();
        const frozen = await leader();
        const other = tabs.find((tab) => tab !== frozen)!;
        await front(other);
        await until('it is hidden', () => isHidden(frozen));
        await frozen.setFrozen(true);
        await tell([other]);
        await tell([other]);
        expect(await streams()).toBe(1);
        await frozen.setFrozen(false);
        await tell();
        expect(await leader()).toBe(other);
        expect(await streams()).toBe(1);
        await check(...tabs);
      }),
  );

  it('are told what came while all of them were frozen, once they go on, unseen as they are', { timeout: 60_000 }, () =>
    inPlainChromium(2, async ({ front, tabs, tell, streams, check }) => {
      await tell();
      await front();
      for (const tab of tabs) await until('it is hidden', () => isHidden(tab));
      for (const tab of tabs) await tab.setFrozen(true);
      await until('there is no stream', async () => (await streams()) === 0);
      await tell([]);
      for (const tab of tabs) await tab.setFrozen(false);
      await tell();
      expect(await streams()).toBe(1);
      await check(...tabs);
    }),
  );

  it('take the connection from one that nobody sees and that has none', { timeout: 60_000 }, () =>
    inPlainChromium(2, async ({ front, context, tabs, tell, leader, check }) => {
      await tell();
      const hidden = await leader();
      const seen = tabs.find((tab) => tab !== hidden)!;
      await front(seen);
      await until('it is hidden', () => isHidden(hidden));
      // This one alone has no network: its attempts fail for longer than those of others would.
      const session = await context.newCDPSession(hidden.page);
      const conditions = { latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
      await session.send('Network.enable');
      await session.send('Network.emulateNetworkConditions', { offline: true, ...conditions });
      await until('it has noticed', async () => (await hidden.view()).status.state === 'reconnecting');
      await tell([seen]);
      expect((await seen.view()).status.transport).toBe('stream');
      await session.send('Network.emulateNetworkConditions', { offline: false, ...conditions });
      await tell();
      expect(await leader()).toBe(seen);
      await check(...tabs);
    }),
  );
});
