/**
 * What an isolate has done, for `/metrics`: its counters begin with it, and each answer is of the isolate that gives it. They show what a
 * deployment is busy with; sums over all of it are the platform's to give ("Workers Analytics").
 */
import type { RealtimeObserver } from '../http/observer.ts';

export interface IsolateMetrics {
  readonly observer: RealtimeObserver;
  /** As Prometheus reads it (text exposition format 0.0.4). */
  text(): { readonly contentType: string; readonly text: string };
}

export function createIsolateMetrics(): IsolateMetrics {
  const counters = new Map<string, { readonly help: string; readonly values: Map<string, number> }>();

  function counter(name: string, help: string): (count: number, label?: string) => void {
    const values = new Map<string, number>([]);
    counters.set(name, { help, values });
    return (count, label = '') => values.set(label, (values.get(label) ?? 0) + count);
  }

  const published = counter('sluice_published_events_total', 'Events that were published.');
  const ephemeral = counter('sluice_ephemeral_events_total', 'Ephemeral events that were published.');
  const delivered = counter('sluice_delivered_events_total', 'Events written to streams.');
  const bytes = counter('sluice_delivered_bytes_total', 'Bytes of events written to streams.');
  const closes = counter('sluice_streams_closed_total', 'Streams that ended, by reason.');
  const responses = counter('sluice_http_responses_total', 'Answers, by class of status.');
  return {
    observer: {
      onPublish: (events) => published(events),
      onEphemeral: (events) => ephemeral(events),
      onDelivery(events, size) {
        delivered(events);
        bytes(size);
      },
      onClose: (reason) => closes(1, `{reason="${reason}"}`),
      onResponse: (status) => responses(1, `{status="${Math.trunc(status / 100)}xx"}`),
    },
    text() {
      let text = '';
      for (const [name, { help, values }] of counters) {
        text += `# HELP ${name} ${help}\n# TYPE ${name} counter\n`;
        for (const [label, value] of values) text += `${name}${label} ${value}\n`;
      }
      return { contentType: 'text/plain; version=0.0.4; charset=utf-8', text };
    },
  };
}
