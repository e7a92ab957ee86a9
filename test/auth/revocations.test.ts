import { describe, expect, it } from 'vitest';
import { readClaims } from '../../src/auth/claims.ts';
import type { Principal } from '../../src/auth/principal.ts';
import { createRevocations } from '../../src/auth/revocations.ts';
import { type Revocation, type RevocationStore, StoreUnavailable } from '../../src/store/store.ts';
import { manualClock, START, START_SECONDS } from './issuer.ts';

/** A store's revocations, in pages small enough to need several. */
class RevocationList implements RevocationStore {
  readonly list: Revocation[] = [];
  reads = 0;
  down = false;
  /** Held back until it resolves, when given. */
  gate: Promise<void> | undefined;

  async add(revocation: Revocation): Promise<void> {
    if (this.down) throw new StoreUnavailable('down');
    this.list.push(revocation);
  }

  async since(after: number) {
    this.reads += 1;
    if (this.down) throw new StoreUnavailable('down');
    const revocations = this.list.slice(after, after + 3);
    const position = after + revocations.length;
    const page = { revocations, position, more: position < this.list.length };
    await this.gate;
    return page;
  }
}

function setUp() {
  const store = new RevocationList();
  const clock = manualClock();
  const calls: ((principal: Principal) => boolean)[] = [];
  const node = () => createRevocations({ store, clock, onRevoked: (matches) => calls.push(matches) });
  return { store, clock, calls, node, revocations: node() };
}

const token = (claims: Record<string, unknown>) => readClaims(claims) as Principal;
const jti = (value: string): Revocation => ({ kind: 'jti', value, at: START });

describe('revoking a subject', () => {
  it('covers tokens issued until then, and none issued later', async () => {
    const { revocations } = setUp();
    await revocations.revoke({ kind: 'sub', value: 'ada' });
    expect(revocations.isRevoked(token({ sub: 'ada', iat: START_SECONDS - 1 }))).toBe(true);
    expect(revocations.isRevoked(token({ sub: 'ada', iat: START_SECONDS + 1 }))).toBe(false);
    expect(revocations.isRevoked(token({ sub: 'eve', iat: START_SECONDS - 1 }))).toBe(false);
    expect(revocations.isRevoked(token({ iat: START_SECONDS - 1 }))).toBe(false);
  });

  it('covers tokens issued in the same second, which may have been before', async () => {
    const { revocations, clock } = setUp();
    clock.now = START + 700;
    await revocations.revoke({ kind: 'sub', value: 'ada' });
    expect(revocations.isRevoked(token({ sub: 'ada', iat: START_SECONDS }))).toBe(true);
    expect(revocations.isRevoked(token({ sub: 'ada', iat: START_SECONDS + 0.9 }))).toBe(true);
    expect(revocations.isRevoked(token({ sub: 'ada', iat: START_SECONDS + 1 }))).toBe(false);
  });

  it('covers tokens that do not say when they were issued', async () => {
    const { revocations } = setUp();
    await revocations.revoke({ kind: 'sub', value: 'ada' });
    expect(revocations.isRevoked(token({ sub: 'ada' }))).toBe(true);
  });

  it('is never taken back by an older revocation', async () => {
    const { revocations } = setUp();
    await revocations.revoke({ kind: 'sub', value: 'ada', at: START });
    await revocations.revoke({ kind: 'sub', value: 'ada', at: START - 60_000 });
    expect(revocations.isRevoked(token({ sub: 'ada', iat: START_SECONDS }))).toBe(true);
  });
});

describe('revoking an id', () => {
  it('covers the token and the tickets made from it, or one ticket', async () => {
    const { revocations } = setUp();
    const parent = token({ sub: 'ada', jti: 'token-1' });
    const ticket: Principal = { ...parent, kind: 'ticket', ids: ['ticket-1', 'token-1'] };
    const sibling: Principal = { ...parent, kind: 'ticket', ids: ['ticket-2', 'token-1'] };
    await revocations.revoke({ kind: 'jti', value: 'ticket-1' });
    expect([parent, ticket, sibling].map(revocations.isRevoked)).toEqual([false, true, false]);
    await revocations.revoke({ kind: 'jti', value: 'token-1' });
    expect([parent, ticket, sibling].map(revocations.isRevoked)).toEqual([true, true, true]);
  });

  it('does not mistake a subject for an id', async () => {
    const { revocations } = setUp();
    await revocations.revoke({ kind: 'jti', value: 'ada' });
    expect(revocations.isRevoked(token({ sub: 'ada' }))).toBe(false);
  });
});

describe('a node', () => {
  it('loads all there is, page by page', async () => {
    const { store, revocations } = setUp();
    for (let index = 0; index < 10; index += 1) store.list.push(jti(`${index}`));
    await revocations.load();
    for (let index = 0; index < 10; index += 1) expect(revocations.isRevoked(token({ jti: `${index}` }))).toBe(true);
    expect(store.reads).toBe(4);
  });

  it('learns what another node has revoked, and only asks for what is new', async () => {
    const { store, revocations, node } = setUp();
    await revocations.load();
    await node().revoke({ kind: 'jti', value: 'token-1' });
    expect(revocations.isRevoked(token({ jti: 'token-1' }))).toBe(false);
    await revocations.refresh();
    expect(revocations.isRevoked(token({ jti: 'token-1' }))).toBe(true);
    const reads = store.reads;
    await revocations.refresh();
    expect(store.reads).toBe(reads + 1);
  });

  it('tells once whom a fresh revocation concerns', async () => {
    const { revocations, calls } = setUp();
    await revocations.revoke({ kind: 'sub', value: 'ada' });
    expect(calls.length).toBe(1);
    expect(calls[0]?.(token({ sub: 'ada' }))).toBe(true);
    expect(calls[0]?.(token({ sub: 'eve' }))).toBe(false);
    await revocations.refresh();
    expect(calls.length).toBe(1);
    await revocations.revoke({ kind: 'jti', value: 'token-1' });
    expect(calls[1]?.(token({ sub: 'ada' }))).toBe(false);
    expect(calls[1]?.(token({ jti: 'token-1' }))).toBe(true);
  });

  it('looks again when it is called while it reads', async () => {
    const { store, revocations } = setUp();
    let open = () => {};
    store.gate = new Promise((resolve) => {
      open = resolve;
    });
    const first = revocations.refresh();
    store.list.push(jti('late'));
    const second = revocations.refresh();
    open();
    await Promise.all([first, second]);
    expect(revocations.isRevoked(token({ jti: 'late' }))).toBe(true);
    expect(store.reads).toBe(2);
  });

  it('fails aloud when the store is away, and goes on from where it was', async () => {
    const { store, revocations } = setUp();
    store.list.push(jti('a'));
    await revocations.load();
    store.down = true;
    await expect(revocations.refresh()).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(revocations.revoke({ kind: 'jti', value: 'b' })).rejects.toBeInstanceOf(StoreUnavailable);
    expect(revocations.isRevoked(token({ jti: 'a' }))).toBe(true);
    expect(revocations.isRevoked(token({ jti: 'b' }))).toBe(false);
    store.down = false;
    store.list.push(jti('c'));
    await revocations.refresh();
    expect(revocations.isRevoked(token({ jti: 'c' }))).toBe(true);
  });
});
