import { describe, expect, it } from 'vitest';
import { createWire } from '../../../src/client/subscriptions/wire.ts';

const E = 'aaaaabbbbb';
const id = (seq: number, epoch = E) => `${epoch}-${seq}`;
const at = (seq: number, epoch = E) => ({ epoch, seq });

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
    t.reach([at(7)]);
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
    t.reach([at(10)]);
    expect(t.arrivals(9, 10, 11)).toEqual(['repeated', 'repeated', 'new']);
  });

  it('does not go back, nor to another log, by what it is told to have reached', () => {
    const t = wire();
    t.arrive(id(5));
    t.reach([at(4)]);
    t.reach([at(9, 'aaaaaccccc')]);
    expect(t.position()).toEqual(at(5));
  });

  it('tells an event of another log from one of its own', () => {
    const t = wire();
    t.arrive(id(5));
    expect(t.arrive(id(1, 'aaaaaccccc')).arrival).toBe('foreign');
    expect(t.arrive(id(2, 'aaaaaccccc')).arrival).toBe('new');
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
