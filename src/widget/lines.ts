/** All lines of a page, so that elements which can share one do. */
import { createLine, type Line, type LineAddress } from './line.ts';
import type { Status } from './line-state.ts';

export interface Lines {
  /** The line for a topic: one that reads it, or has room for it, or a new one. */
  to(address: LineAddress, topic: string): Line;
  /** How all lines to a server are. */
  statusesOf(server: string): readonly Status[];
  /** @param watcher called when the status of any line may have changed @returns how to stop that */
  watch(watcher: () => void): () => void;
}

/** The most topics of one line (protocol section 9). */
const MAX_TOPICS = 50;

function createLines(): Lines {
  const lines = new Set<Line>();
  const watchers = new Set<() => void>();
  // A line without readers goes while it is told.
  const each = (tell: (line: Line) => void) => [...lines].forEach(tell);
  addEventListener('online', () => each((line) => line.wake('online')));
  addEventListener('offline', () => each((line) => line.tell()));
  addEventListener('visibilitychange', () => document.hidden || each((line) => line.wake('shown')));

  function add(address: LineAddress): Line {
    const line = createLine(address, () => {
      if (line.topics().size === 0) lines.delete(line);
      for (const watcher of watchers) watcher();
    });
    lines.add(line);
    return line;
  }

  return {
    to(address, topic) {
      const same = JSON.stringify(address);
      const fitting = [...lines].filter((line) => JSON.stringify(line.address) === same);
      return (
        fitting.find((line) => line.topics().has(topic)) ??
        fitting.find((line) => line.topics().size < MAX_TOPICS) ??
        add(address)
      );
    },
    statusesOf: (server) => [...lines].filter(({ address }) => address.server === server).map((line) => line.status()),
    watch(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
  };
}

let lines: Lines | undefined;

/** Those of this page: elements are made by the browser, which hands them nothing. */
export function linesOfPage(): Lines {
  lines ??= createLines();
  return lines;
}
