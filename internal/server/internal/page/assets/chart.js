// Curves on a canvas: many points are drawn as the range that they have within a pixel, so that 10,000 steps cost no more than 1,000.
import { h, put } from "./dom.js";
import { number, percent } from "./format.js";

/**
 * A curve. y has one number per x; null and NaN are gaps.
 * @typedef {{name: string, colour: string, x: number[], y: (number | null)[], dash?: number[], faint?: boolean}} Curve
 */

/**
 * What charts side by side share: the step under the pointer, and the part that is shown.
 * @typedef {object} Shared
 * @property {number | null} at
 * @property {[number, number] | null} part null shows all
 * @property {number} smooth 0 shows the values themselves, up to 0.99
 * @property {{step: number, text: string}[]} flags
 * @property {Set<() => void>} listeners
 * @property {(() => void)} changed
 * @property {((step: number) => void) | null} pick
 */

/** @returns {Shared} */
export function sharedView() {
  let due = 0;
  /** @type {Shared} */
  const shared = {
    at: null, part: null, smooth: 0, flags: [], listeners: new Set(), pick: null,
    changed() {
      if (due) return;
      due = requestAnimationFrame(() => {
        due = 0;
        shared.listeners.forEach((listen) => listen());
      });
    },
  };
  return shared;
}

/** The colours of the theme, read once per change of it. @type {Map<string, string>} */
const colours = new Map();
window.addEventListener("themechange", () => colours.clear());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  colours.clear();
  window.dispatchEvent(new Event("themechange"));
});

/**
 * The value of a colour of the theme.
 * @param {string} name
 */
export function colour(name) {
  let value = colours.get(name);
  if (!value) {
    value = getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim() || "#888";
    colours.set(name, value);
  }
  return value;
}

/**
 * Round numbers within a range.
 * @param {number} low
 * @param {number} high
 * @param {number} most
 */
export function ticks(low, high, most) {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return [low];
  const raw = span / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw) ?? raw;
  const list = [];
  for (let x = Math.ceil(low / step - 1e-9) * step; x <= high + step * 1e-6 && list.length < 50; x += step) list.push(Math.abs(x) < step * 1e-6 ? 0 : x);
  return list;
}

/**
 * A running mean that forgets: y[i] = s y[i-1] + (1-s) x[i], begun without a bias towards 0.
 * @param {(number | null)[]} values
 * @param {number} s
 */
export function smoothed(values, s) {
  let sum = 0;
  let weight = 0;
  return values.map((x) => {
    if (x === null || Number.isNaN(x)) return null;
    sum = s * sum + (1 - s) * x;
    weight = s * weight + (1 - s);
    return sum / weight;
  });
}

/** The first index whose x is at least that. @param {number[]} list @param {number} x */
export function lowerBound(list, x) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

const left = 46;
const right = 10;
const top = 8;
const bottom = 22;

/**
 * @param {object} o
 * @param {string} o.title
 * @param {string} [o.note] says what is shown
 * @param {Shared} o.shared
 * @param {boolean} [o.isShare] values are shares of 1
 * @param {boolean} [o.fromZero] the axis begins at 0
 * @param {boolean} [o.stacked] areas on top of each other
 * @param {number} [o.height]
 * @param {string} [o.xName]
 * @param {(x: number) => string} [o.xText]
 */
export function lineChart(o) {
  const { shared } = o;
  const canvas = h("canvas", { tabindex: 0, role: "img", "aria-label": o.title });
  const readout = h("span", { class: "readout" });
  const legend = h("span", { class: "legend" });
  const element = h("figure", { class: "chart card" }, h("figcaption", { title: o.note ?? null }, h("strong", null, o.title), readout, legend), canvas);
  /** @type {Curve[]} */
  let curves = [];
  /** @type {(number | null)[][]} */
  let smooth = [];
  let smoothOf = -1;
  /** @type {[number, number]} */
  let xs = [0, 1];
  /** @type {[number, number]} */
  let ys = [0, 1];
  const show = o.isShare ? percent : number;
  const height = o.height ?? 170;
  canvas.style.height = height + "px";
  /** The width is asked for once a frame: asking makes the browser lay the page out. */
  let wide = 0;
  const width = () => wide || Math.max(120, canvas.clientWidth);
  const xAt = (/** @type {number} */ px) => xs[0] + (px - left) / (width() - left - right) * (xs[1] - xs[0]);
  const toX = (/** @type {number} */ x) => left + (x - xs[0]) / (xs[1] - xs[0] || 1) * (width() - left - right);
  const toY = (/** @type {number} */ y) => height - bottom - (y - ys[0]) / (ys[1] - ys[0] || 1) * (height - top - bottom);

  const range = () => {
    let low = Infinity;
    let high = -Infinity;
    for (const c of curves) {
      if (!c.x.length) continue;
      low = Math.min(low, c.x[0]);
      high = Math.max(high, c.x[c.x.length - 1]);
    }
    xs = shared.part ?? (low <= high ? [low, high === low ? low + 1 : high] : [0, 1]);
    let least = Infinity;
    let most = -Infinity;
    /** @type {number[]} */
    const sums = [];
    curves.forEach((c) => {
      const from = Math.max(0, lowerBound(c.x, xs[0]) - 1);
      const to = Math.min(c.x.length, lowerBound(c.x, xs[1]) + 1);
      for (let i = from; i < to; i++) {
        let y = c.y[i];
        if (y === null || y === undefined || Number.isNaN(y)) continue;
        if (o.stacked) y = sums[i] = (sums[i] ?? 0) + y;
        if (y < least) least = y;
        if (y > most) most = y;
      }
    });
    if (least > most) [least, most] = [0, 1];
    if (o.fromZero || o.isShare || o.stacked) least = Math.min(0, least);
    if (o.isShare && most <= 1 && most > 0.5) most = 1;
    if (least === most) most = least + (Math.abs(least) || 1);
    const margin = (most - least) * 0.06;
    ys = [least < 0 || !(o.fromZero || o.isShare || o.stacked) ? least - margin : least, o.isShare && most === 1 ? 1 : most + margin];
  };

  /** Charts that are out of sight are drawn when they come into it. */
  let isSeen = false;
  const draw = () => {
    if (!element.isConnected || !isSeen) return;
    wide = 0;
    const w = wide = width();
    const ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(w * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, w, height);
    range();
    drawAxes(ctx, w);
    if (smoothOf !== shared.smooth) {
      smoothOf = shared.smooth;
      told = undefined;
      smooth = shared.smooth && !o.stacked ? curves.map((c) => smoothed(c.y, shared.smooth)) : [];
    }
    ctx.save();
    ctx.beginPath();
    ctx.rect(left - 1, 0, w - left - right + 2, height - bottom + 1);
    ctx.clip();
    if (o.stacked) drawAreas(ctx);
    else {
      curves.forEach((c, i) => {
        drawCurve(ctx, c, c.y, smooth.length ? 0.28 : 1, smooth.length || c.faint ? 1 : 1.7);
        if (smooth.length) drawCurve(ctx, c, smooth[i], 1, 2);
      });
    }
    drawAt(ctx);
    ctx.restore();
    drawReadout();
  };

  /** @param {CanvasRenderingContext2D} ctx @param {number} w */
  const drawAxes = (ctx, w) => {
    ctx.font = "11px system-ui, sans-serif";
    ctx.fillStyle = colour("soft");
    ctx.strokeStyle = colour("grid");
    ctx.lineWidth = 1;
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    for (const y of ticks(ys[0], ys[1], 4)) {
      const py = Math.round(toY(y)) + 0.5;
      ctx.beginPath();
      ctx.moveTo(left, py);
      ctx.lineTo(w - right, py);
      ctx.stroke();
      ctx.fillText(o.isShare ? Math.round(y * 1000) / 10 + " %" : short(y), left - 6, py);
    }
    ctx.textBaseline = "top";
    const list = ticks(xs[0], xs[1], Math.max(2, Math.floor((w - left) / 90)));
    for (const x of list) {
      if (!Number.isInteger(x) && xs[1] - xs[0] >= 2) continue;
      const px = toX(x);
      ctx.textAlign = px > w - 30 ? "right" : px < left + 12 ? "left" : "center";
      ctx.fillText(o.xText ? o.xText(x) : short(x), px, height - bottom + 6);
    }
    ctx.save();
    ctx.setLineDash([3, 3]);
    ctx.strokeStyle = colour("s1");
    ctx.globalAlpha = 0.65;
    for (const flag of shared.flags) {
      if (flag.step < xs[0] || flag.step > xs[1]) continue;
      ctx.beginPath();
      ctx.moveTo(toX(flag.step), top);
      ctx.lineTo(toX(flag.step), height - bottom);
      ctx.stroke();
    }
    ctx.restore();
  };

  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {Curve} c
   * @param {(number | null)[]} values
   * @param {number} alpha
   * @param {number} thick
   */
  const drawCurve = (ctx, c, values, alpha, thick) => {
    ctx.strokeStyle = colour(c.colour);
    ctx.globalAlpha = alpha;
    ctx.lineWidth = thick;
    ctx.lineJoin = "round";
    ctx.setLineDash(c.dash ?? []);
    ctx.beginPath();
    const from = Math.max(0, lowerBound(c.x, xs[0]) - 1);
    const to = Math.min(c.x.length, lowerBound(c.x, xs[1]) + 1);
    const isDense = to - from > 2 * width();
    let pen = false;
    let column = -1;
    let low = 0;
    let high = 0;
    let last = 0;
    const flush = () => {
      if (column < 0) return;
      if (pen) ctx.lineTo(column, toY(low));
      else ctx.moveTo(column, toY(low));
      ctx.lineTo(column, toY(high));
      ctx.lineTo(column, toY(last));
      pen = true;
    };
    for (let i = from; i < to; i++) {
      const y = values[i];
      if (y === null || y === undefined || Number.isNaN(y)) {
        if (isDense) flush();
        column = -1;
        pen = false;
        continue;
      }
      const px = toX(c.x[i]);
      if (!isDense) {
        if (pen) ctx.lineTo(px, toY(y));
        else ctx.moveTo(px, toY(y));
        pen = true;
        continue;
      }
      const at = Math.round(px);
      if (at !== column) {
        flush();
        column = at;
        low = high = y;
      }
      if (y < low) low = y;
      if (y > high) high = y;
      last = y;
    }
    if (isDense) flush();
    ctx.stroke();
    if (to - from === 1 && values[from] !== null) {
      ctx.beginPath();
      ctx.arc(toX(c.x[from]), toY(Number(values[from])), 3, 0, 7);
      ctx.fillStyle = ctx.strokeStyle;
      ctx.fill();
    }
    ctx.setLineDash([]);
    ctx.globalAlpha = 1;
  };

  /** @param {CanvasRenderingContext2D} ctx */
  const drawAreas = (ctx) => {
    /** @type {number[]} */
    const below = [];
    for (const c of curves) {
      const from = Math.max(0, lowerBound(c.x, xs[0]) - 1);
      const to = Math.min(c.x.length, lowerBound(c.x, xs[1]) + 1);
      const stride = Math.max(1, Math.floor((to - from) / width()));
      ctx.beginPath();
      /** @type {[number, number][]} */
      const edge = [];
      for (let i = from; i < to; i += stride) {
        const base = below[i] ?? 0;
        const y = base + (c.y[i] ?? 0);
        edge.push([toX(c.x[i]), toY(base)]);
        for (let j = i; j < Math.min(to, i + stride); j++) below[j] = (below[j] ?? 0) + (c.y[j] ?? 0);
        if (i === from) ctx.moveTo(toX(c.x[i]), toY(y));
        else ctx.lineTo(toX(c.x[i]), toY(y));
      }
      for (const [px, py] of edge.reverse()) ctx.lineTo(px, py);
      ctx.closePath();
      ctx.fillStyle = colour(c.colour);
      ctx.globalAlpha = 0.72;
      ctx.fill();
      ctx.globalAlpha = 1;
    }
  };

  /** @param {CanvasRenderingContext2D} ctx */
  const drawAt = (ctx) => {
    if (drag && Math.abs(drag[1] - drag[0]) > 3) {
      ctx.fillStyle = colour("turn");
      ctx.globalAlpha = 0.14;
      ctx.fillRect(Math.min(...drag), top, Math.abs(drag[1] - drag[0]), height - top - bottom);
      ctx.globalAlpha = 1;
    }
    if (shared.at === null || shared.at < xs[0] || shared.at > xs[1]) return;
    const px = Math.round(toX(shared.at)) + 0.5;
    ctx.strokeStyle = colour("soft");
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(px, top);
    ctx.lineTo(px, height - bottom);
    ctx.stroke();
    if (o.stacked) return;
    curves.forEach((c, k) => {
      const i = nearest(c.x, /** @type {number} */ (shared.at));
      const y = i < 0 ? null : (smooth[k] ?? c.y)[i];
      if (y === null || y === undefined) return;
      ctx.beginPath();
      ctx.arc(toX(c.x[i]), toY(y), 3.5, 0, 7);
      ctx.fillStyle = colour(c.colour);
      ctx.fill();
      ctx.strokeStyle = colour("card");
      ctx.stroke();
    });
  };

  /** @type {number | null | undefined} */
  let told; // the step that the readout tells of; undefined: it is to be made anew
  const drawReadout = () => {
    const step = shared.at;
    if (told !== undefined && told === step) return;
    told = step;
    const parts = curves.map((c, k) => {
      const i = step === null ? lastOf(c.y) : nearest(c.x, step);
      const y = i < 0 ? null : c.y[i];
      return h("span", { class: "value" }, h("i", { style: { background: "var(--" + c.colour + ")" }, class: c.dash ? "dashed" : null }), curves.length > 1 ? h("span", { class: "soft" }, c.name) : null, h("b", null, show(y)),
        smooth[k] && i >= 0 && step !== null ? h("span", { class: "soft" }, "≈ " + show(smooth[k][i])) : null);
    });
    put(legend, parts);
    put(readout, step === null ? null : (o.xName ?? "step") + " " + (o.xText ? o.xText(step) : Math.round(step)));
    canvas.setAttribute("aria-label", o.title + (step === null ? ", last: " : ", " + (o.xName ?? "step") + " " + step + ": ") + curves.map((c) => {
      const i = step === null ? lastOf(c.y) : nearest(c.x, step);
      return c.name + " " + show(i < 0 ? null : c.y[i]);
    }).join(", "));
  };

  /** @type {[number, number] | null} */
  let drag = null;
  const place = (/** @type {PointerEvent} */ e) => e.clientX - canvas.getBoundingClientRect().left;
  const move = (/** @type {number} */ px) => {
    const x = Math.min(xs[1], Math.max(xs[0], xAt(px)));
    const c = curves.find((one) => one.x.length);
    const i = c ? nearest(c.x, x) : -1;
    shared.at = c && i >= 0 ? c.x[i] : null;
    shared.changed();
  };
  canvas.addEventListener("pointermove", (e) => {
    if (drag) drag[1] = place(e);
    move(place(e));
  });
  canvas.addEventListener("pointerleave", () => {
    if (drag) return;
    shared.at = null;
    shared.changed();
  });
  canvas.addEventListener("pointerdown", (e) => {
    if (e.pointerType === "touch") return;
    drag = [place(e), place(e)];
    canvas.setPointerCapture(e.pointerId);
  });
  canvas.addEventListener("pointerup", (e) => {
    const [a, b] = drag ?? [place(e), place(e)];
    drag = null;
    if (Math.abs(a - b) > 6) shared.part = [xAt(Math.min(a, b)), xAt(Math.max(a, b))];
    else if (shared.at !== null && shared.pick && e.pointerType !== "touch") shared.pick(shared.at);
    shared.changed();
  });
  canvas.addEventListener("wheel", (e) => {
    const by = e.deltaX || (e.shiftKey ? e.deltaY : 0);
    if (!by || !shared.part) return;
    e.preventDefault();
    pan(by / (width() - left - right) * (xs[1] - xs[0]));
    shared.changed();
  }, { passive: false });
  canvas.addEventListener("dblclick", () => {
    shared.part = null;
    shared.changed();
  });
  canvas.addEventListener("keydown", (e) => {
    const c = curves.find((one) => one.x.length);
    if (!c) return;
    const i = shared.at === null ? c.x.length - 1 : nearest(c.x, shared.at);
    const jump = e.shiftKey ? Math.max(1, Math.round(c.x.length / 20)) : 1;
    if (e.key === "ArrowLeft") shared.at = c.x[Math.max(0, i - jump)];
    else if (e.key === "ArrowRight") shared.at = c.x[Math.min(c.x.length - 1, i + jump)];
    else if (e.key === "Home") shared.at = c.x[0];
    else if (e.key === "End") shared.at = c.x[c.x.length - 1];
    else if (e.key === "+" || e.key === "=") zoom(0.6, c.x[i]);
    else if (e.key === "-") zoom(1 / 0.6, c.x[i]);
    else if (e.key === "0") shared.part = null;
    else if (e.key === "Enter" && shared.at !== null && shared.pick) shared.pick(shared.at);
    else return;
    e.preventDefault();
    if (shared.part && shared.at !== null) pan(shared.at < shared.part[0] ? shared.at - shared.part[0] : shared.at > shared.part[1] ? shared.at - shared.part[1] : 0);
    shared.changed();
  });
  /** Moves the part that is shown, as far as there are steps. @param {number} by */
  const pan = (by) => {
    const drawn = curves.filter((one) => one.x.length);
    if (!shared.part || !drawn.length || !by) return;
    const first = Math.min(...drawn.map((one) => one.x[0]));
    const last = Math.max(...drawn.map((one) => one.x[one.x.length - 1]));
    const [a, b] = shared.part;
    const bounded = Math.max(Math.min(first - a, 0), Math.min(by, Math.max(last - b, 0)));
    shared.part = [a + bounded, b + bounded];
  };
  /** @param {number} factor @param {number} about */
  const zoom = (factor, about) => {
    const half = (xs[1] - xs[0]) * factor / 2;
    const c = curves.find((one) => one.x.length);
    const all = c ? c.x[c.x.length - 1] - c.x[0] : 1;
    shared.part = half * 2 >= all ? null : [about - half, about + half];
  };
  const watch = new ResizeObserver(() => draw());
  watch.observe(canvas);
  const sight = new IntersectionObserver((entries) => {
    isSeen = entries[entries.length - 1].isIntersecting;
    draw();
  }, { rootMargin: "120px" });
  sight.observe(canvas);
  window.addEventListener("themechange", draw);
  shared.listeners.add(draw);
  return {
    element,
    /** @param {Curve[]} next */
    show(next) {
      curves = next;
      smoothOf = -1;
      element.dataset.steps = String(Math.max(0, ...next.map((c) => c.x.length)));
      draw();
    },
    stop() {
      watch.disconnect();
      sight.disconnect();
      shared.listeners.delete(draw);
      window.removeEventListener("themechange", draw);
    },
  };
}

/** The index of the x that is nearest, -1 if there is none. @param {number[]} list @param {number} x */
function nearest(list, x) {
  if (!list.length) return -1;
  const i = lowerBound(list, x);
  if (i === 0) return 0;
  if (i === list.length) return list.length - 1;
  return x - list[i - 1] <= list[i] - x ? i - 1 : i;
}

/** @param {(number | null)[]} values */
function lastOf(values) {
  for (let i = values.length - 1; i >= 0; i--) if (values[i] !== null && values[i] !== undefined && !Number.isNaN(values[i])) return i;
  return -1;
}

/** A number beside an axis. @param {number} x */
export function short(x) {
  const a = Math.abs(x);
  if (a >= 1e6) return +(x / 1e6).toPrecision(3) + "M";
  if (a >= 1e4) return +(x / 1e3).toPrecision(3) + "k";
  if (a !== 0 && a < 1e-3) return x.toExponential(0);
  return String(+x.toPrecision(4));
}
