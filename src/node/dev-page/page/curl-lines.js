/** The same requests as lines for a shell, ready to copy. */
import { encodeTopic } from './addresses.js';
import { byId, make, setText } from './dom.js';

/** How long "Copied" stands, in ms. */
const COPIED_MS = 1500;

/** Text as one word of a POSIX shell. */
function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

export function createCurlLines(origin) {
  const rows = new Map();
  const url = (topic, query = '') => quote(`${origin}/v1/topics/${encodeTopic(topic)}/events${query}`);

  function row(name) {
    const known = rows.get(name);
    if (known !== undefined) return known;
    const code = make('code', { tabindex: '0' });
    const copy = make('button', { type: 'button', 'aria-label': `Copy: ${name}` }, 'Copy');
    copy.addEventListener('click', () => void copyText(copy, code));
    byId('curl-lines').append(make('dt', {}, name, copy), make('dd', {}, code));
    rows.set(name, code);
    return code;
  }

  return {
    /** @param cursor the position of the stream, or `undefined`; @param publish the event of the form, if it is one */
    show({ topic, publish, publishTopic, cursor }) {
      if (topic !== '') {
        setText(row('Watch'), `curl -N ${url(topic)}`);
        setText(row('All of it, one JSON object a line'), `curl -N ${url(topic, '?format=ndjson&after=earliest')}`);
        setText(row('Go on after a cut'), `curl -N -H ${quote(`Last-Event-ID: ${cursor ?? '<id>'}`)} ${url(topic)}`);
        setText(row('Long poll, up to 30 s'), `curl ${url(topic, '?format=json&wait=30')}`);
      }
      if (publish !== undefined && publishTopic !== '')
        setText(
          row('Publish'),
          `curl ${url(publishTopic)} -H 'Content-Type: application/json' -d ${quote(JSON.stringify(publish))}`,
        );
    },
  };
}

async function copyText(button, code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = 'Copied';
  } catch {
    // Without leave to write to the clipboard, the line is selected for the reader to copy.
    getSelection().selectAllChildren(code);
    button.textContent = 'Selected';
  }
  byId('copied').textContent = `${button.textContent}: ${code.textContent}`;
  setTimeout(() => {
    button.textContent = 'Copy';
  }, COPIED_MS);
}
