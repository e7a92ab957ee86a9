/** A change of which its target can make no event, such as a row without a key after its column was renamed. */
export class UnreadableChange extends Error {
  override readonly name = 'UnreadableChange';
  /** `sluice.captures.id`. */
  readonly capture: number;

  constructor(what: string, { capture, cause }: { readonly capture: number; readonly cause: unknown }) {
    super(what, { cause });
    this.capture = capture;
  }
}
