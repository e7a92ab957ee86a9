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
  renew(used?: string): Promise<string | undefined | false>;
}

/** How long the application's function may take, in ms. */
const ASKING_MS = 30_000;

/**
 * A token is used until the server says that it ends soon (`$expiring`) or has ended (401). When that is, only the server's clock knows.
 *
 * @param onError told what the application's function threw
 */
export function createToken(option: TokenOption | undefined, onError: (error: unknown) => void): Token {
  let present: string | undefined;
  let known = false;
  let asking: Promise<string | undefined | false> | undefined;

  async function ask(): Promise<string | undefined | false> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(reject, ASKING_MS, new Error('the token function did not answer'));
    });
    try {
      present = typeof option === 'function' ? await Promise.race([option(), late]) : option;
      // No header could carry it.
      if (present && !/^[!-~]+$/.test(present)) throw new Error('the token function gave no token');
      known = true;
      return present;
    } catch (error) {
      onError(error);
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  function fresh(): Promise<string | undefined | false> {
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    return asking;
  }

  return {
    get: async () => (known ? present : fresh()),
    renew: async (used) => (used && known && present !== used && !asking ? present : fresh()),
  };
}
