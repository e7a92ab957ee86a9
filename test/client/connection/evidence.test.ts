import { describe, expect, it } from 'vitest';
import { createEvidence } from '../../../src/client/connection/evidence.ts';

/** Heartbeats as sent and as arrived, in s. @returns what is found at each */
function found(...beats: readonly (readonly [sent: number, arrived: number] | 'paused')[]): (string | undefined)[] {
  const evidence = createEvidence();
  return beats.flatMap((beat) => {
    if (beat !== 'paused') return [evidence.heartbeat(beat[0] * 1000, beat[1] * 1000)];
    evidence.paused();
    return [];
  });
}

describe('evidence that a stream is held back', () => {
  it('is not seen in heartbeats that come as they are sent, however late', () => {
    expect(found([0, 9], [25, 34], [50, 59.5], [75, 83])).toEqual([undefined, undefined, undefined, undefined]);
  });

  it('is two clumps of heartbeats in a row', () => {
    expect(found([0, 75], [25, 75.1], [50, 75.2])).toEqual([undefined, undefined, 'clumps']);
  });

  it('is not one clump, which may be the network’s', () => {
    expect(found([0, 25], [25, 25.1], [50, 50], [75, 75], [100, 75.5])).toEqual(Array(5).fill(undefined));
  });

  it('is not what comes together because the client stood still', () => {
    expect(found([0, 0], 'paused', [25, 100], 'paused', [50, 100.1], 'paused', [75, 100.2])).toEqual(
      Array(4).fill(undefined),
    );
  });

  it('is not seen in heartbeats that follow each other closely', () => {
    expect(found([0, 0], [1, 1], [2, 2], [3, 3])).toEqual(Array(4).fill(undefined));
  });
});
