/** How the elements look: in the page's own font and colours, light or dark, with as little beside them as will do. */
const CSS = `
:host{display:block;font:var(--sluice-font,inherit);color:var(--sluice-color,inherit)}
:host([hidden]){display:none}
:host(sluice-value),:host(sluice-status){display:inline}
div{max-height:var(--sluice-height,24em);overflow:auto}
:host([order=oldest]) div{display:flex;flex-direction:column-reverse}
ol{list-style:none;margin:0;padding:0}
li,[part=notice]{display:flex;flex-wrap:wrap;gap:0 .7em;align-items:baseline;padding:var(--sluice-padding,.4em .1em)}
li+li{border-top:1px solid var(--sluice-line,color-mix(in srgb,currentColor 14%,transparent))}
[part=time],[part=type],i,[part=notice]{color:var(--sluice-soft,color-mix(in srgb,currentColor 65%,transparent));font-size:.85em}
[part=type]{color:var(--sluice-accent,currentColor)}
[part=data],[part=type],[part=value]{unicode-bidi:isolate;overflow-wrap:anywhere;white-space:pre-line}
[part=time],[part=value]{font-variant-numeric:tabular-nums}
[part=data]{flex:1 1 12em}
ol:not(:empty)+[name=empty],[part=value]:not(:empty)+slot{display:none}
u{display:inline-block;width:.6em;height:.6em;margin-inline-end:.45em;border-radius:50%;background:var(--sluice-wait,#c78500)}
:host([state=connected]) u,:host([state=polling]) u{background:var(--sluice-good,#2f9e52)}
:host([state=offline]) u,:host([state=refused]) u{background:var(--sluice-bad,#d64535)}
`;

let sheet: CSSStyleSheet | undefined;

/** One sheet for all elements. A constructed one, which every Content-Security-Policy allows. */
export function styleSheet(): CSSStyleSheet {
  if (sheet === undefined) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  return sheet;
}
