/** Who may come in: the verification of tokens, tickets and revocations, made of the options. */
import { type Authenticator, createAuthenticator } from '../auth/authenticate.ts';
import type { Revocations } from '../auth/revocations.ts';
import { createTickets, type Tickets } from '../auth/tickets.ts';
import { createTokenVerifier, type TokenVerifier, type TokenVerifierOptions } from '../auth/token-verifier.ts';
import type { GrantsClaim } from '../protocol/grants.ts';
import { type Store, StoreUnavailable } from '../store/store.ts';

/** How tokens are verified. Without a secret and a JWKS URL every token is refused. */
export interface CredentialOptions extends Omit<TokenVerifierOptions, 'clock' | 'onFault'> {
  /** What a request without a token may do. Nothing unless told. */
  readonly anonymous?: GrantsClaim | undefined;
  /** Verifies tokens in the place of what the other options would make: for several apps that are to share what it has fetched. */
  readonly verifier?: TokenVerifier | undefined;
  /** Signs tickets: 32 bytes, the same on every node. Kept in the store unless told. */
  readonly ticketKey?: Uint8Array | undefined;
}

export interface CredentialParts {
  readonly store: Store;
  readonly clock: () => number;
  readonly revocations: Revocations;
  /** Told when the keys of tokens cannot be fetched. */
  readonly onFault: (error: unknown) => void;
}

export interface Credentials {
  readonly authenticator: Authenticator;
  /** Throws `StoreUnavailable` until `load` is done. */
  readonly tickets: Tickets;
  /** Fetches what is kept in the store. @throws StoreUnavailable */
  load(): Promise<void>;
}

export function createCredentials(
  options: CredentialOptions,
  { store, clock, revocations, onFault }: CredentialParts,
): Credentials {
  const { anonymous, ticketKey, verifier, ...verification } = options;
  const configured = verification.secret !== undefined || verification.jwksUrl !== undefined;
  let loaded: Tickets | undefined;
  const tickets: Tickets = {
    issue: (...asked) => ready().issue(...asked),
    verify: (ticket) => ready().verify(ticket),
  };
  function ready(): Tickets {
    if (loaded === undefined) throw new StoreUnavailable('the key of tickets is not there yet');
    return loaded;
  }
  return {
    tickets,
    authenticator: createAuthenticator({
      verifier: verifier ?? (configured ? createTokenVerifier({ ...verification, clock, onFault }) : undefined),
      tickets,
      revocations,
      anonymous,
    }),
    async load() {
      loaded = createTickets({ key: ticketKey ?? (await store.secret('tickets')), clock });
    },
  };
}
