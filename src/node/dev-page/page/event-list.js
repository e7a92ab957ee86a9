/** What came down the stream, newest first: events, and the stream's own control events, which look different. */
import { readId } from './continuity.js';
import { byId, make, setState, setText } from './dom.js';

/** The most rows shown, and the most held back while the list is paused; the oldest go. */
const MAX_ROWS = 300;
/** The most characters of an event's data in its row; the whole of it is in its details. */
const MAX_PREVIEW = 400;

const clock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
});

export function createEventList() {
  const list = byId('events');
  const pause = byId('pause');
  const beats = byId('beats');
  const verdict = byId('verdict');
  let waiting = [];
  let paused = false;
  let scheduled = false;
  let events = 0;

  function add(row) {
    waiting.push(row);
    if (waiting.length > MAX_ROWS) waiting.shift();
    if (paused) return label();
    if (scheduled) return;
    scheduled = true;
    // One frame takes all that came since the last one, however fast they come. A hidden page has no frames, but timers.
    if (document.hidden) setTimeout(flush, 250);
    else requestAnimationFrame(flush);
  }

  function flush() {
    scheduled = false;
    if (paused) return;
    for (const { element, time } of waiting) list.insertBefore(element(), placeOf(list, time));
    waiting = [];
    while (list.childElementCount > MAX_ROWS) list.lastElementChild.remove();
    label();
  }

  function label() {
    setText(
      pause,
      paused
        ? `Resume${waiting.length === 0 ? '' : ` (${waiting.length}${waiting.length === MAX_ROWS ? '+' : ''})`}`
        : 'Pause',
    );
    const kept = events > MAX_ROWS ? `, newest ${MAX_ROWS} kept` : '';
    setText(
      byId('stream-count'),
      events === 0 ? '' : `${events.toLocaleString('en')} ${events === 1 ? 'event' : 'events'}${kept}`,
    );
    byId('events-empty').hidden = list.childElementCount > 0 || waiting.length > 0;
  }

  pause.addEventListener('click', () => {
    paused = !paused;
    pause.setAttribute('aria-pressed', String(paused));
    label();
    if (!paused) flush();
  });
  byId('clear').addEventListener('click', () => {
    list.replaceChildren();
    waiting = [];
    events = 0;
    verdict.hidden = true;
    label();
  });
  beats.addEventListener('change', () => list.classList.toggle('with-beats', beats.checked));

  return {
    receive(item) {
      if (item.kind === 'state') setState(byId('stream-state'), item.state, item.text);
      else if (item.kind === 'verdict') {
        verdict.hidden = false;
        verdict.classList.toggle('good', item.holes + item.repeats === 0);
        setText(verdict, verdictText(item));
      } else if (item.kind === 'control') {
        add({ element: () => controlRow(item), time: item.at });
      } else {
        events += 1;
        const time = item.past === true ? Date.parse(item.event.time) : Number.POSITIVE_INFINITY;
        add({ element: () => eventRow(item), time });
      }
    },
  };
}

/** Where a row goes: on top, unless it is of the past; then below all that are newer. */
function placeOf(list, time) {
  let before = list.firstElementChild;
  while (before !== null && Number(before.dataset.time) > time) before = before.nextElementSibling;
  return before;
}

function verdictText({ ms, replayed, holes, repeats }) {
  const gone = `${replayed} ${replayed === 1 ? 'event' : 'events'} replayed`;
  const missed = holes === 0 ? 'none missed' : `${holes} ${holes === 1 ? 'hole' : 'holes'} in seq`;
  const again = repeats === 0 ? 'none repeated' : `${repeats} repeated`;
  return `Back after ${(ms / 1000).toFixed(1)} s without a line: ${gone}, ${missed}, ${again}.`;
}

function eventRow({ event, order, replayed, past }) {
  const time = Date.parse(event.time);
  const position = readId(event.id);
  const data = JSON.stringify(event.data);
  const preview = data.length > MAX_PREVIEW ? `${data.slice(0, MAX_PREVIEW)}…` : data;
  const mark = order === 'repeat' ? 'repeat' : order === 'hole' ? 'hole before' : replayed ? 'replayed' : undefined;
  const summary = make(
    'summary',
    {},
    make('time', { datetime: event.time }, clock.format(time)),
    make('span', { class: 'name', title: event.topic }, event.topic),
    make('span', { class: 'seq', title: event.id ?? 'ephemeral' }, position === undefined ? '~' : `#${position.seq}`),
    make('span', { class: 'type' }, event.type),
    event.key === undefined ? undefined : make('span', { class: 'key', title: 'key' }, event.key),
    mark === undefined
      ? undefined
      : make('span', { class: `mark ${order === 'next' || order === 'first' ? '' : 'bad'}` }, mark),
    make('span', { class: 'data' }, preview),
  );
  const details = make('details', {}, summary);
  // The whole event is written out only for who opens it.
  details.addEventListener('toggle', () => {
    if (details.open && details.childElementCount === 1)
      details.append(make('pre', { tabindex: '0' }, JSON.stringify(event, undefined, 2)));
  });
  const row = make('li', { class: 'event', 'data-time': time, 'data-past': past === true }, details);
  return row;
}

function controlRow({ name, data, at }) {
  return make(
    'li',
    { class: 'control', 'data-control': name, 'data-time': at },
    make('time', {}, clock.format(at)),
    make('strong', {}, `$${name}`),
    make('span', { class: 'data' }, controlText(name, data)),
  );
}

function controlText(name, data) {
  switch (name) {
    case 'open':
      return `stream ${data.stream}, a heartbeat every ${data.heartbeat} s`;
    case 'ready':
      return 'replay is done: whatever commits from here on arrives';
    case 'gap':
      return `${data.topic}: what lies before ${data.oldest} cannot be delivered (${data.reason})`;
    case 'expiring':
      return `the token ends at ${data.at}`;
    case 'close':
      return `${data.reason}; come back in ${(data.retry / 1000).toFixed(1)} s`;
    default:
      return JSON.stringify(data);
  }
}
