/** Reading by another tab's connection. */
import type { OpenTransport, TransportObserver } from '../connection/transport.ts';
import type { TabLine, Told } from './tab-words.ts';

function tell<Name extends keyof TransportObserver>(
  observer: { readonly [Each in keyof TransportObserver]: (data: Parameters<TransportObserver[Each]>[0]) => void },
  { what, data }: Told<Name>,
): void {
  observer[what](data);
}

/** @param tab the name of this tab's lock, by which the other learns that it is gone */
export function tabTransport(line: TabLine, tab: string): OpenTransport {
  return (topics, observer, { clock }) => {
    const id = crypto.randomUUID();
    let lastHeard = clock();
    const stopListening = line.listen((word) => {
      if (word.kind !== 'tell' || word.id !== id) return;
      lastHeard = clock();
      if (word.what === 'ended') close();
      tell(observer, word);
    });

    function close(): void {
      stopListening();
      line.send({ kind: 'end', id });
    }

    line.send({ kind: 'read', id, tab, add: topics, remove: [] });
    return {
      kind: 'tab',
      lastHeard: () => lastHeard,
      async change(add, remove) {
        line.send({ kind: 'read', id, tab, add, remove });
        return undefined;
      },
      renew: async () => true,
      close,
    };
  };
}
