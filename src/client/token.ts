/** The client's token: given, or asked for, and renewed before it ends. */

/** A token, or how to get a fresh one. `undefined`: without a token. */
export type TokenOption = string | (() => string | undefined | Promise<string | undefined>);

export interface Token {
  /** The token to send; `undefined` without one, `false` when the application's function failed. */
  get(): Promise<string | undefined | false>;
  /**
   * Asks for another one. Concurrent calls share one question.
   * @param used the token that was refused: if it was replaced meanwhile, the replacement is the answer
   */
  renew(used: string | undefined): Promise<string | undefined | false>;
  /** When the present one ends, ms since 1970; `undefined` when it does not say. */
  readonly expires: number | undefined;
}

/** How long before its end a token is not used any more, in ms. */
const MARGIN_MS = 30_000;

/** @param onError told what the application's function threw */
export function createToken(
  option: TokenOption | undefined,
  { clock, onError }: { readonly clock: () => number; readonly onError: (error: unknown) => void },
): Token {
  let present: string | undefined;
  let expires: number | undefined;
  let known = false;
  let asking: Promise<string | undefined | false> | undefined;

  function take(token: string | undefined): string | undefined {
    present = token;
    expires = token === undefined ? undefined : expiryOf(token);
    known = true;
    return token;
  }

  async function ask(): Promise<string | undefined | false> {
    try {
      return take(typeof option === 'function' ? await option() : option);
    } catch (error) {
      onError(error);
      return false;
    } finally {
      asking = undefined;
    }
  }

  function fresh(): Promise<string | undefined | false> {
    asking ??= ask();
    return asking;
  }

  return {
    async get() {
      const ending = expires !== undefined && expires - clock() < MARGIN_MS;
      return known && !(ending && typeof option === 'function') ? present : fresh();
    },
    async renew(used) {
      if (known && present !== used && asking === undefined) return present;
      return fresh();
    },
    get expires() {
      return expires;
    },
  };
}

/** The `exp` of a JWT in ms since 1970 (RFC 7519, section 4.1.4). It is not verified here: the server does that. */
export function expiryOf(token: string): number | undefined {
  try {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const { exp } = JSON.parse(atob(payload)) as { exp?: unknown };
    return typeof exp === 'number' ? exp * 1000 : undefined;
  } catch {
    // Not a JWT that can be read: then its end is not known, and the server will say.
    return undefined;
  }
}
