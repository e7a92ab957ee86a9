/** The end of a loop over a subscription that the server refuses. */
export class SubscriptionRefused extends Error {
  override readonly name = 'SubscriptionRefused';
  /** A code of protocol section 7. */
  readonly code: string;

  constructor(topic: string, code: string) {
    super(`${topic} was refused: ${code}`);
    this.code = code;
  }
}
