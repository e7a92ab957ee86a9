/** What every broker promises (see the port), run over logs that behave and logs that do not. */
import { afterEach, beforeEach, describe, expect, vi } from 'vitest';
import { describeBeginning } from './contract/beginning.ts';
import { describeChoosing } from './contract/choosing.ts';
import { describeGaps } from './contract/gaps.ts';
import { describeHolding } from './contract/holding.ts';
import { type Kit, TOPIC } from './contract/kit.ts';
import { describeSlowReader } from './contract/slow-reader.ts';
import type { System } from './system.ts';

export function describeBroker(name: string, open: () => System): void {
  describe(`the broker contract: ${name}`, () => {
    let system: System;
    beforeEach(() => {
      vi.useFakeTimers();
      system = open();
    });
    afterEach(async () => {
      await system.close();
      expect(system.faults).toEqual([]);
      await system.pass(1000);
      expect(vi.getTimerCount(), 'timers left behind').toBe(0);
      vi.useRealTimers();
    });

    const epoch = () => system.log.now(TOPIC).epoch;
    const kit: Kit = {
      get system() {
        return system;
      },
      epoch,
      cursor: (seq) => ({ kind: 'cursor', cursors: [{ epoch: epoch(), seq }] }),
    };
    describeBeginning(kit);
    describeSlowReader(kit);
    describeGaps(kit);
    describeChoosing(kit);
    describeHolding(kit);
  });
}
