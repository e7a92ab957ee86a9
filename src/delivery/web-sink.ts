/** A sink for any runtime with web streams: the body of a `Response`. */
import { HIGH_WATER_BYTES, type Sink } from './sink.ts';

/**
 * @param gone aborts when the reader is gone, on runtimes that do not say so by cancelling the body
 * @returns the sink, and the body that carries what is written to it
 */
export function createWebSink(gone?: AbortSignal): { readonly sink: Sink; readonly body: ReadableStream<Uint8Array> } {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let ready = true;

  function close(): void {
    if (controller === undefined) return;
    gone?.removeEventListener('abort', close);
    controller = undefined;
    ready = false;
    sink.onClose?.();
  }

  const sink: Sink = {
    framing: 'none',
    get ready() {
      return ready;
    },
    write(bytes) {
      if (controller === undefined) return false;
      controller.enqueue(bytes);
      ready = (controller.desiredSize ?? 0) > 0;
      return ready;
    },
    end() {
      controller?.close();
      close();
    },
    onReady: undefined,
    onClose: undefined,
  };

  const body = new ReadableStream<Uint8Array>(
    {
      start(started) {
        controller = started;
      },
      pull() {
        // Called whenever there is room; only the end of a full spell is news.
        if (ready || controller === undefined) return;
        ready = true;
        sink.onReady?.();
      },
      cancel: close,
    },
    new ByteLengthQueuingStrategy({ highWaterMark: HIGH_WATER_BYTES }),
  );
  gone?.addEventListener('abort', close);
  // Whoever went before this is gone already; who made the sink has yet to say whom to tell.
  if (gone?.aborted) queueMicrotask(close);
  return { sink, body };
}
