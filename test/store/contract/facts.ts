import { expect, it } from 'vitest';
import type { Revocation } from '../../../src/store/store.ts';
import type { Harness } from '../contract.ts';
import { freshTopic, turn } from './log.ts';

export function facts(harness: Harness): void {
  it('tells revocations in their order, from any position', async () => {
    const { nodes } = harness();
    const { position: start } = await toTheEnd(harness, 0);
    const made: Revocation[] = [
      { kind: 'sub', value: freshTopic('sub'), at: 1_700_000_000_000 },
      { kind: 'jti', value: freshTopic('jti'), at: 1 },
      { kind: 'sub', value: '🎈"\\', at: 2 ** 52 },
    ];
    const positions = [];
    for (const [index, revocation] of made.entries()) {
      await nodes[index % 2]!.revocations.add(revocation);
      positions.push((await toTheEnd(harness, start)).position);
    }
    expect((await nodes[0].revocations.since(start)).revocations).toEqual(made);
    expect((await nodes[1].revocations.since(positions[0]!)).revocations).toEqual(made.slice(1));
    expect(await nodes[0].revocations.since(positions[2]!)).toEqual({
      revocations: [],
      position: positions[2],
      more: false,
    });
  });

  it('gives at most 1,000 revocations at once, and says that there are more', async () => {
    const { nodes } = harness();
    const { position: start } = await toTheEnd(harness, 0);
    const values = Array.from({ length: 1300 }, (_, index) => `${index}`);
    for (const value of values) await nodes[0].revocations.add({ kind: 'jti', value, at: 1 });
    const page = await nodes[0].revocations.since(start);
    expect(page.revocations.length).toBe(1000);
    expect(page.more).toBe(true);
    expect((await toTheEnd(harness, start)).revocations.map(({ value }) => value)).toEqual(values);
  });

  it('never lets a reader pass over a revocation that two nodes add at the same moment', async () => {
    const { nodes } = harness();
    const { position: start } = await toTheEnd(harness, 0);
    const mark = freshTopic('mark');
    let adding = true;
    const read = (async () => {
      const seen: string[] = [];
      for (let position = start; ; ) {
        const last = !adding;
        const page = await nodes[0].revocations.since(position);
        seen.push(...page.revocations.map(({ value }) => value));
        position = page.position;
        if (last && !page.more) return seen;
        await turn();
      }
    })();
    const values = Array.from({ length: 200 }, (_, index) => `${mark}:${index}`);
    await Promise.all(values.map((value, index) => nodes[index % 2]!.revocations.add({ kind: 'sub', value, at: 1 })));
    adding = false;
    const seen = await read;
    expect(seen.length).toBe(values.length);
    expect(new Set(seen)).toEqual(new Set(values));
  });

  it('makes a secret of 32 bytes once, the same for all who ask at the same moment on both nodes', async () => {
    const { nodes } = harness();
    const name = freshTopic('secret');
    const made = await Promise.all(Array.from({ length: 10 }, (_, index) => nodes[index % 2]!.secret(name)));
    expect(made[0]).toBeInstanceOf(Uint8Array);
    expect(made[0]!.byteLength).toBe(32);
    for (const secret of made) expect(secret).toEqual(made[0]);
    expect(await nodes[0].secret(`${name}:other`)).not.toEqual(made[0]);
  });

  it('says that it works', async () => {
    for (const node of harness().nodes) await expect(node.check()).resolves.toBeUndefined();
  });
}

/** Everything after a position, page by page. */
async function toTheEnd(harness: Harness, after: number) {
  const revocations: Revocation[] = [];
  for (let position = after; ; ) {
    const page = await harness().nodes[0].revocations.since(position);
    revocations.push(...page.revocations);
    position = page.position;
    if (!page.more) return { revocations, position };
  }
}
