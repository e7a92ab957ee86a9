/** The topics that there are, with a filter; a click watches one or stops watching it. */
import { problemText } from './addresses.js';
import { byId, make, setText } from './dom.js';

const REFRESH_MS = 2000;
/** The most topics asked for at once, and the most shown. */
const MAX_ASKED = 1000;
const MAX_SHOWN = 200;

export function createTopicBrowser({ watch }) {
  const list = byId('topic-list');
  const filter = byId('topic-filter');
  const note = byId('topics-note');
  const rows = new Map();
  let topics = [];
  let more = false;
  let asking = false;

  async function refresh() {
    if (asking || document.hidden) return;
    asking = true;
    try {
      const query = new URLSearchParams({ limit: String(MAX_ASKED) });
      // With more topics than one page holds, the server narrows them down by the beginning of their names.
      if (more && filter.value !== '') query.set('prefix', filter.value);
      const response = await fetch(`v1/topics?${query}`, { headers: { Accept: 'application/json' } });
      if (!response.ok) throw new Error(await problemText(response));
      const page = await response.json();
      topics = page.topics;
      more = page.next !== undefined || query.has('prefix');
      show();
    } catch (error) {
      setText(note, `Topics cannot be listed: ${error.message}`);
    } finally {
      asking = false;
    }
  }

  function show() {
    const wanted = filter.value.toLowerCase();
    const found = topics.filter(({ topic }) => topic.toLowerCase().includes(wanted));
    const shown = found.slice(0, MAX_SHOWN);
    const names = new Set(shown.map(({ topic }) => topic));
    for (const [topic, row] of rows) {
      if (names.has(topic)) continue;
      row.element.remove();
      rows.delete(topic);
    }
    shown.forEach((info, index) => {
      const row = rows.get(info.topic) ?? createRow(info.topic, watch);
      rows.set(info.topic, row);
      row.show(info);
      if (list.children[index] !== row.element) list.insertBefore(row.element, list.children[index] ?? null);
    });
    const hidden = found.length - shown.length;
    setText(byId('topics-count'), more ? `${topics.length}+` : String(topics.length));
    setText(note, noteOf({ topics, found, hidden, more }));
    // Only rarely does this change, and it must not close a list of suggestions that is open.
    const known = byId('known-topics');
    const suggested = [...known.children].map((option) => option.value).join('\n');
    if (suggested !== [...names].join('\n'))
      known.replaceChildren(...[...names].map((topic) => make('option', { value: topic })));
    mark();
  }

  function mark() {
    const watched = new Set(watch.topics());
    for (const [topic, row] of rows) row.mark(watched.has(topic));
  }

  filter.addEventListener('input', () => {
    show();
    if (more) void refresh();
  });

  return {
    /** Shows which topics are watched. */
    mark,
    start() {
      void refresh();
      setInterval(refresh, REFRESH_MS);
      document.addEventListener('visibilitychange', refresh);
    },
  };
}

function noteOf({ topics, found, hidden, more }) {
  if (topics.length === 0) return 'No topics yet: a topic begins with its first event.';
  if (found.length === 0) return 'No topic matches.';
  if (hidden > 0 || more) return `Showing ${found.length - hidden}: type to narrow them down.`;
  return '';
}

function createRow(topic, watch) {
  const name = make('span', { class: 'name' }, topic);
  const count = make('span', { class: 'count' });
  const button = make('button', { type: 'button', 'aria-pressed': 'false', title: topic }, name, count);
  button.addEventListener('click', () => watch.toggle(topic));
  return {
    element: make('li', {}, button),
    show(info) {
      setText(count, info.events.toLocaleString('en'));
    },
    mark(watched) {
      button.setAttribute('aria-pressed', String(watched));
    },
  };
}
