import { createMemoryStore } from '../../src/store/memory.ts';
import { type Store, StoreUnavailable } from '../../src/store/store.ts';

/** A store that is away when it is told to be. */
export function fallibleStore(): { readonly store: Store; away: boolean } {
  const inner = createMemoryStore();
  const state = { away: false };
  const guarded = <Part extends object>(part: Part): Part =>
    new Proxy(part, {
      get(target, name) {
        const member = Reflect.get(target, name);
        if (typeof member !== 'function') return member;
        return async (...asked: unknown[]) => {
          if (state.away && name !== 'close') throw new StoreUnavailable('away');
          return member.apply(target, asked);
        };
      },
    });
  const store = guarded({
    ...inner,
    log: guarded(inner.log),
    revocations: guarded(inner.revocations),
    ...(inner.presence && { presence: guarded(inner.presence) }),
  });
  return Object.assign(state, { store });
}
