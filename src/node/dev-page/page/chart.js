/** Small charts of the last minutes on a canvas, which glide instead of jumping once a second. */

/** How much time a chart shows, in ms. */
export const SPAN_MS = 90_000;
/** The right edge lies this far in the past, so that the next point is known before the line gets there. */
const LAG_MS = 1300;
/** Points further apart than this are not joined: there was a cut. */
const CUT_MS = 4000;
/** The most points kept; the oldest go. */
const MAX_POINTS = 240;
/** Milliseconds between two frames: enough to look smooth, and a small share of one core. */
const FRAME_MS = 40;

const charts = new Set();
const still = matchMedia('(prefers-reduced-motion: reduce)');
let lastFrame = 0;

function frame(at) {
  if (at - lastFrame >= (still.matches ? 1000 : FRAME_MS)) {
    lastFrame = at;
    for (const chart of charts) chart.draw();
  }
  requestAnimationFrame(frame);
}
requestAnimationFrame(frame);

/** A chart of one bold series and any number of faint ones. */
export class Chart {
  #canvas;
  #context;
  #ceiling;
  #clock;
  #points = [];
  #scale = 0;
  #colours = { line: '', faint: '', grid: '' };
  #visible = true;

  /**
   * @param ceiling the value at the top edge, from the largest value shown
   * @param clock ms since 1970, by the clock that the points' times are of
   */
  constructor(canvas, ceiling, clock) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d');
    this.#ceiling = ceiling;
    this.#clock = clock;
    new ResizeObserver(() => this.#fit()).observe(canvas);
    new IntersectionObserver(([entry]) => {
      this.#visible = entry?.isIntersecting ?? true;
    }).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#fit());
    charts.add(this);
  }

  /** @param at ms since 1970 @param value the bold series @param faint the others */
  push(at, value, faint = []) {
    this.#points.push({ at, value, faint });
    if (this.#points.length > MAX_POINTS) this.#points.shift();
  }

  clear() {
    this.#points = [];
    this.#scale = 0;
  }

  draw() {
    const { width, height } = this.#canvas;
    if (!this.#visible || width === 0) return;
    const right = this.#clock() - LAG_MS;
    const from = right - SPAN_MS;
    const shown = this.#points.filter((point) => point.at > from - CUT_MS);
    const wanted = this.#ceiling(Math.max(0, ...shown.map((point) => Math.max(point.value, ...point.faint))));
    this.#scale = this.#scale === 0 || still.matches ? wanted : this.#scale + (wanted - this.#scale) * 0.15;
    const ratio = devicePixelRatio;
    const x = (at) => ((at - from) / SPAN_MS) * width;
    const y = (value) => height - ratio - (value / this.#scale) * (height - 3 * ratio);
    const context = this.#context;
    context.clearRect(0, 0, width, height);
    this.#grid(width, height, ratio);
    context.lineJoin = 'round';
    for (const run of runs(shown)) {
      const count = Math.max(...run.map((point) => point.faint.length));
      context.strokeStyle = this.#colours.faint;
      context.lineWidth = ratio;
      for (let series = 0; series < count; series += 1) {
        trace(context, run, x, (point) => y(point.faint[series] ?? 0));
        context.stroke();
      }
      trace(context, run, x, (point) => y(point.value));
      context.strokeStyle = this.#colours.line;
      context.lineWidth = 1.75 * ratio;
      context.stroke();
      context.lineTo(x(run.at(-1).at), height);
      context.lineTo(x(run[0].at), height);
      context.globalAlpha = 0.12;
      context.fillStyle = this.#colours.line;
      context.fill();
      context.globalAlpha = 1;
    }
  }

  #grid(width, height, ratio) {
    this.#context.fillStyle = this.#colours.grid;
    for (const part of [0, 0.5, 1])
      this.#context.fillRect(0, Math.round(part * (height - ratio)), width, Math.max(1, Math.floor(ratio)));
  }

  /** Takes the size in device pixels and the colours that the style sheet gives at the moment. */
  #fit() {
    const box = this.#canvas.getBoundingClientRect();
    this.#canvas.width = Math.round(box.width * devicePixelRatio);
    this.#canvas.height = Math.round(box.height * devicePixelRatio);
    const style = getComputedStyle(this.#canvas);
    const colour = (name) => style.getPropertyValue(name).trim();
    this.#colours = { line: colour('--accent'), faint: colour('--faint'), grid: colour('--line') };
    this.draw();
  }
}

/** Cuts points where too much time lies between two. */
function runs(points) {
  const all = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const point of points) {
    if (point.at - last > CUT_MS) all.push([]);
    all.at(-1).push(point);
    last = point.at;
  }
  return all;
}

function trace(context, points, x, y) {
  context.beginPath();
  for (const point of points) context.lineTo(x(point.at), y(point));
}
