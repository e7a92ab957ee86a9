import { describe, expect, it } from 'vitest';
import { follow } from '../../../src/client/outbox/follow.ts';
import type { Kept } from '../../../src/client/outbox/store.ts';
import { mutationOf, patch, publish, remove, replace } from './mutations.ts';

const appliedOf = (from: number, version: number, members: Partial<Kept> = {}) =>
  mutationOf(patch({ text: 'x' }, from), { state: 'acknowledged', answer: { version, merged: false }, ...members });

describe('a write that follows another', () => {
  it.each([
    ['a patch', patch({ text: 'y' }, 3)],
    ['a replacement', replace({}, 3)],
    ['a delete', remove(3)],
  ])('starts from the version that the other has made: %s', (_, write) => {
    const applied = [appliedOf(3, 4)];
    expect(follow(mutationOf(write), applied)).toBe(4);
  });

  it('follows one after the other', () => {
    const applied = [appliedOf(3, 4), appliedOf(4, 5)];
    expect(follow(mutationOf(patch({}, 3)), applied)).toBe(5);
  });

  it.each<[string, Partial<Kept>]>([
    ['of another lane', { lane: '/v1/collections/notes/2' }],
    ['that started from another version', { base: 2 }],
    ['that has no version', { answer: { merged: false } }],
    ['that others’ changes were merged into, which nobody has seen', { answer: { version: 5, merged: true } }],
  ])('follows none %s', (_, members) => {
    const applied = [appliedOf(3, 4, members)];
    expect(follow(mutationOf(patch({}, 3)), applied)).toBe(3);
  });

  it('follows none that came after it', () => {
    const first = mutationOf(patch({}, 3));
    expect(follow(first, [appliedOf(3, 4)])).toBe(3);
  });

  it('needs a version to start from', () => {
    const applied = [appliedOf(3, 4)];
    expect(follow(mutationOf(patch({})), applied)).toBeUndefined();
    expect(follow(mutationOf(publish()), applied)).toBeUndefined();
  });
});
