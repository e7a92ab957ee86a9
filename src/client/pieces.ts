/** The pieces of a body as they come. Safari cannot iterate over a stream. Leaving the loop early cancels the rest. */
export async function* piecesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // Of a stream that is over or broken there is nothing to cancel.
    reader.cancel().catch(() => undefined);
  }
}
