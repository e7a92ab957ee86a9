/** How a command ends. Scripts rely on these numbers, so they never change their meaning. */

export const EXIT = {
  ok: 0,
  failure: 1,
  /** The command line or the input was not understood. */
  usage: 2,
  /** The server said no (4xx): asking again would not help. */
  refused: 3,
  /** The server could not be reached, or was not available for as long as the command was willing to try. */
  unreachable: 4,
  /** 128 + the number of the signal, as shells have it. */
  interrupted: 130,
  terminated: 143,
} as const;

/** Ends the command with a text for people and an exit code. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The part of `--help` that tells the exit codes. */
export const EXIT_HELP = `
Exit codes: 0 done, 1 failed, 2 not understood, 3 refused by the server (4xx), 4 server unreachable or unavailable,
130 interrupted (SIGINT), 143 terminated (SIGTERM).`;
