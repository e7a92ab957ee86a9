import { describe, expect, it } from 'vitest';
import { qualityOf } from '../../src/client/quality.ts';

describe('the quality of a connection', () => {
  it.each([
    [0, 'excellent'],
    [99, 'excellent'],
    [100, 'good'],
    [299, 'good'],
    [300, 'fair'],
    [999, 'fair'],
    [1000, 'poor'],
    [undefined, 'unknown'],
  ] as const)('with a round trip of %s ms is %s', (roundTrip, quality) => {
    expect(qualityOf('connected', roundTrip)).toBe(quality);
  });

  it.each(['connecting', 'reconnecting', 'disconnected'] as const)('is offline while %s', (state) => {
    expect(qualityOf(state, 10)).toBe('offline');
  });
});
