/** Making and finding elements. Text only ever becomes text: nothing here takes markup. */

/** The element with this id, which `index.html` has. */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`index.html has no #${id}`);
  return element;
}

/**
 * Makes an element.
 *
 * @param attributes `class`, `data-*`, `aria-*` and others; `undefined` and `false` leave one out
 * @param children elements and text
 */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes))
    if (value !== undefined && value !== false) element.setAttribute(attribute, value === true ? '' : String(value));
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** Sets text only where it differs, so that a screen reader is not told the same again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets a state pill: a word for people, a state for the colour. */
export function setState(element, state, text) {
  element.dataset.state = state;
  setText(element, text);
}
