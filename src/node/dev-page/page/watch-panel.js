/** Which topics are watched, and the line's own button. */
import { byId, make, setText } from './dom.js';

/** The most topics of one stream, by default. */
const MAX_TOPICS = 50;

export function createWatchPanel({ stream, changed }) {
  const chips = byId('chips');
  const field = byId('watch-topic');
  const cut = byId('cut');
  let topics = [];

  function set(next) {
    topics = [...new Set(next)].slice(0, MAX_TOPICS);
    chips.replaceChildren(...topics.map(chip));
    stream.watch(topics);
    cut.disabled = topics.length === 0;
    changed();
  }

  function chip(topic) {
    const remove = make('button', { type: 'button', 'aria-label': `Stop watching ${topic}` }, '×');
    remove.addEventListener('click', () => {
      set(topics.filter((each) => each !== topic));
      field.focus();
    });
    return make('li', {}, make('span', { title: topic }, topic), remove);
  }

  byId('watch-form').addEventListener('submit', (submit) => {
    submit.preventDefault();
    const topic = field.value.trim();
    if (topic === '') return;
    field.value = '';
    set([...topics, topic]);
  });
  cut.addEventListener('click', () => stream.cut());
  // The stream ends a cut by itself after a while, so the label follows its state.
  new MutationObserver(() => setText(cut, stream.isCut() ? 'Reconnect now' : 'Cut the line')).observe(
    byId('stream-state'),
    { attributes: true, attributeFilter: ['data-state'] },
  );

  return {
    topics: () => topics,
    set,
    toggle: (topic) => set(topics.includes(topic) ? topics.filter((each) => each !== topic) : [...topics, topic]),
  };
}
