/** Why a server could not start, as a value that the command line can turn into words and an exit code. */

export type StartErrorCode = 'port-in-use' | 'data-dir-locked' | 'database' | 'collections';

/** Thrown by `startServer`. The text is for whoever operates the server and holds no secret. */
export class StartError extends Error {
  override readonly name = 'StartError';
  readonly code: StartErrorCode;

  constructor(code: StartErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
