/** The machine's own numbers, from the topic `host:metrics`. */
import { manyEventsPath } from './addresses.js';
import { Chart, SPAN_MS } from './chart.js';
import { byId, make, setState, setText } from './dom.js';

const TOPIC = 'host:metrics';
const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
/** Without an event for so many ms, the numbers are called old. */
const SILENT_MS = 6000;

const percent = (value) => `${value.toFixed(0)} %`;
const milliseconds = (value) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
const mebibytes = (value) => `${(value / MIB).toFixed(0)} MiB`;
const gibibytes = (value) => (value / GIB).toFixed(1);

/** The next round number at or above: 1, 2 or 5 times a power of ten. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, Number.EPSILON)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value) ?? value;
}

/** Each tile: what it shows of an event's data, and what is at the top edge of its chart. */
const TILES = [
  {
    name: 'CPU',
    value: ({ cpu }) => cpu.total,
    faint: ({ cpu }) => cpu.cores,
    text: ({ cpu }) => percent(cpu.total),
    detail: ({ cpu }) => `${cpu.cores.length} ${cpu.cores.length === 1 ? 'core' : 'cores'}`,
    cores: ({ cpu }) => cpu.cores,
    ceiling: () => 100,
  },
  {
    name: 'Load',
    value: ({ load }) => load[0] ?? 0,
    text: ({ load }) => (load[0] ?? 0).toFixed(2),
    detail: ({ load }) => `${(load[1] ?? 0).toFixed(2)} in 5 min, ${(load[2] ?? 0).toFixed(2)} in 15`,
    ceiling: (most) => Math.max(1, roundUp(most)),
  },
  {
    name: 'Memory',
    value: ({ memory }) => (memory.used / memory.total) * 100,
    text: ({ memory }) => percent((memory.used / memory.total) * 100),
    detail: ({ memory }) => `${gibibytes(memory.used)} of ${gibibytes(memory.total)} GiB`,
    ceiling: () => 100,
  },
  {
    name: 'Event loop delay',
    value: ({ loop }) => loop.p99,
    text: ({ loop }) => milliseconds(loop.p99),
    detail: ({ loop }) => `p99; mean ${milliseconds(loop.mean)}, max ${milliseconds(loop.max)}`,
    ceiling: (most) => Math.max(5, roundUp(most)),
  },
  {
    name: 'Process memory',
    value: ({ process }) => process.rss / MIB,
    text: ({ process }) => mebibytes(process.rss),
    detail: ({ process }) => `heap ${mebibytes(process.heap)}, CPU ${percent(process.cpu)}`,
    ceiling: (most) => Math.max(64, roundUp(most)),
  },
  {
    name: 'Open streams',
    value: ({ server }) => server.streams ?? 0,
    text: ({ server }) => (server.streams === undefined ? '–' : String(server.streams)),
    detail: ({ process }) => `up ${duration(process.uptime)}`,
    ceiling: (most) => Math.max(5, roundUp(most)),
  },
];

function duration(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** Shows the numbers while the page can be seen; a hidden page holds no connection for them. */
export function startHostPanel() {
  /** What the server's clock is behind this one, and the way here; the least seen is nearest to it. */
  let offset = Number.POSITIVE_INFINITY;
  const clock = () => Date.now() - (Number.isFinite(offset) ? offset : 0);
  const tiles = TILES.map((tile) => createTile(tile, clock));
  byId('tiles').append(...tiles.map((tile) => tile.element));
  const state = byId('host-state');
  let source;
  let seen = 0;

  function receive({ data }) {
    const event = JSON.parse(data);
    if (event.type !== 'metrics') return;
    const time = Date.parse(event.time);
    offset = Math.min(offset, Date.now() - time);
    seen = Date.now();
    for (const tile of tiles) tile.show(event.data, time);
    setState(state, 'live', 'live');
  }

  function open() {
    if (source !== undefined) return;
    for (const tile of tiles) tile.clear();
    offset = Number.POSITIVE_INFINITY;
    source = new EventSource(manyEventsPath([TOPIC], { last: String(Math.ceil(SPAN_MS / 1000)) }));
    source.onmessage = receive;
    source.onerror = () => setState(state, 'retrying', 'reconnecting');
  }

  function follow() {
    if (!document.hidden) open();
    else {
      source?.close();
      source = undefined;
      setState(state, 'idle', 'paused');
    }
  }

  setInterval(() => {
    if (source?.readyState === EventSource.OPEN && Date.now() - seen > SILENT_MS)
      setState(state, 'retrying', 'no numbers');
    // A native EventSource gives up after an HTTP error, such as 503 while the server starts.
    if (source?.readyState === EventSource.CLOSED) {
      source = undefined;
      follow();
    }
  }, 3000);
  document.addEventListener('visibilitychange', follow);
  follow();
}

function createTile({ name, value, faint, text, detail, cores, ceiling }, clock) {
  const number = make('p', { class: 'number' }, '–');
  const note = make('p', { class: 'detail' }, ' ');
  const bars = cores === undefined ? undefined : make('div', { class: 'cores', 'aria-hidden': 'true' });
  const canvas = make('canvas', { 'aria-hidden': 'true' });
  const element = make('li', { class: 'tile' }, make('h3', {}, name), number, note, bars, canvas);
  const chart = new Chart(canvas, ceiling, clock);
  return {
    element,
    show(data, at) {
      setText(number, text(data));
      setText(note, detail(data));
      if (bars !== undefined) showBars(bars, cores(data));
      chart.push(at, value(data), faint?.(data));
    },
    clear: () => chart.clear(),
  };
}

function showBars(bars, values) {
  while (bars.childElementCount < values.length) bars.append(make('i'));
  while (bars.childElementCount > values.length) bars.lastElementChild.remove();
  values.forEach((value, index) => {
    bars.children[index].style.transform = `scaleY(${Math.max(0.04, value / 100)})`;
  });
}
