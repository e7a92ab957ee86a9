import { describe, expect, it } from 'vitest';
import { createWire } from '../../../src/client/subscriptions/wire.ts';
import { epochOf } from '../../../src/protocol/cursor.ts';

const E = epochOf('log', 0, 't');
const OTHER = epochOf('other', 0, 't');
const id = (seq: number, epoch = E) => `${epoch}-${seq}`;
const at = (seq: number) => ({ epoch: E, seq });

function wire() {
  const made = createWire('t', '{}');
  return { ...made, arrivals: (...seqs: number[]) => seqs.map((seq) => made.arrive(id(seq)).arrival) };
}

describe('a wire', () => {
  it('asks for what is new before it knows anything, and from its place on afterwards', () => {
    const t = wire();
    expect(t.request()).toEqual({ topic: 't', after: 'latest', presence: undefined });
    t.arrive(id(3));
    expect(t.request()).toMatchObject({ after: id(3) });
    t.reach(id(7));
    expect(t.request()).toMatchObject({ after: id(7) });
  });

  it('knows what it has seen', () => {
    expect(wire().arrivals(1, 2, 2, 1, 3)).toEqual(['new', 'new', 'repeated', 'repeated', 'new']);
  });

  it('sees that an event comes after others that should have come later', () => {
    expect(wire().arrivals(1, 3, 2, 4)).toEqual(['new', 'new', 'late', 'new']);
  });

  it('takes what lies before its beginning for a repetition', () => {
    const t = wire();
    t.reach(id(10));
    expect(t.arrivals(9, 10, 11)).toEqual(['repeated', 'repeated', 'new']);
  });

  it('does not go back, nor to another log, by what it is told to have reached', () => {
    const t = wire();
    t.arrive(id(5));
    t.reach(id(4));
    t.reach(id(9, OTHER));
    expect(t.position()).toEqual(at(5));
  });

  it('does not believe an event of another log, unless a gap has told of it', () => {
    const t = wire();
    t.arrive(id(5));
    expect(() => t.arrive(id(1, OTHER))).toThrow(SyntaxError);
    t.skip({ topic: 't', requested: id(5), oldest: id(0, OTHER), latest: id(0, OTHER), reason: 'unknown-epoch' });
    expect(t.arrive(id(1, OTHER)).arrival).toBe('new');
  });

  it('finds its own place in a cursor of several topics, and says when there is none', () => {
    const t = wire();
    expect(t.reach(id(3, epochOf('log', 0, 'another')))).toBe(false);
    expect(t.reach(`${id(3, epochOf('log', 0, 'another'))}.${id(8)}.nonsense`)).toBe(true);
    expect(t.position()).toEqual(at(8));
  });

  it('goes on from where a gap ends', () => {
    const t = wire();
    t.arrive(id(5));
    const gap = { topic: 't', requested: id(5), oldest: id(20), latest: id(30) };
    expect(t.skip({ ...gap, reason: 'expired' })).toEqual(at(20));
    expect(t.skip({ ...gap, reason: 'ahead' })).toEqual(at(30));
    expect(t.request()).toMatchObject({ after: id(30) });
  });

  it('refuses an event whose id is none', () => {
    expect(() => wire().arrive('x')).toThrow(SyntaxError);
  });
});
