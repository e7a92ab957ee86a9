/** Gives a client to the components below it, and keeps what they share. */
import { createContext, createElement, type ReactNode, useContext, useState } from 'react';
import type { Client } from '../client/create-client.ts';
import { createScope, type Scope } from './scope.ts';

export interface SluiceProviderProps {
  /** Made once, outside of components. It is not closed when the provider goes: whoever made it closes it. */
  readonly client: Client;
  readonly children?: ReactNode;
}

const ScopeContext = createContext<Scope | undefined>(undefined);

/**
 * Gives a client to the hooks of the components below it. Nothing connects until one of them is shown.
 *
 * @example
 * ```tsx
 * const client = createClient({ url: '/sluice', token: () => fetchToken() });
 * createRoot(element).render(<SluiceProvider client={client}><App /></SluiceProvider>);
 * ```
 */
export function SluiceProvider({ client, children }: SluiceProviderProps): ReactNode {
  const [known, setScope] = useState(() => createScope(client));
  let scope = known;
  if (scope.client !== client) {
    // Another client is for another user, or another server: nothing is carried over.
    scope = createScope(client);
    setScope(scope);
  }
  return createElement(ScopeContext.Provider, { value: scope }, children);
}

/** What the nearest provider gives. @throws Error when there is none */
export function useScope(): Scope {
  const scope = useContext(ScopeContext);
  if (scope === undefined)
    throw new Error('There is no Sluice client here: render this below <SluiceProvider client={client}>');
  return scope;
}
