/** What the pages of the browser's tests run: the outbox on the browser's own storage, locks and channels. */

import { createOutbox } from '../../../src/client/outbox/create-outbox.ts';
import { openIndexedDbStore } from '../../../src/client/outbox/indexeddb-store.ts';
import { outboxName } from '../../../src/client/outbox/outbox.ts';
import { createRequest } from '../../../src/client/request.ts';
import { createToken } from '../../../src/client/token.ts';
import { change, entriesOf, kept, STORE_PROMISES } from './store-contract.ts';

let databases = 0;

async function openStore(name: string) {
  const store = await openIndexedDbStore(indexedDB, name);
  if (store === undefined) throw new Error('IndexedDB cannot be used');
  return store;
}

/** Runs one scenario of the contract in a database of its own. */
async function checkPromise(title: string): Promise<void> {
  databases += 1;
  const name = `contract-${databases}-${Date.now()}`;
  const opened: { close(): void }[] = [];
  await STORE_PROMISES[title]?.(async () => {
    const store = await openStore(name);
    opened.push(store);
    return store;
  });
  for (const store of opened) store.close();
}

/** Opens an outbox to the server that this page is from. */
async function openOutbox(user: string) {
  const clock = Date.now;
  const name = outboxName(location.origin, user);
  const onError = (error: unknown) => console.error(String(error));
  return createOutbox({
    name,
    store: openStore(name),
    request: createRequest({
      url: location.origin,
      fetch: fetch.bind(globalThis),
      token: createToken(undefined, onError),
      clock,
    }),
    environment: {
      clock,
      random: Math.random,
      createId: () => crypto.randomUUID(),
      locks: navigator.locks,
      openChannel: (channel) => new BroadcastChannel(channel),
    },
    onError,
  });
}

Object.assign(globalThis, { change, checkPromise, entriesOf, kept, openOutbox, openIndexedDbStore, openStore });
