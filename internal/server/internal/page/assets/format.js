// Numbers and times as people read them.

/**
 * A number with about four figures.
 * @param {number | null | undefined} x
 */
export function number(x) {
  if (x === null || x === undefined || Number.isNaN(x)) return "–";
  const a = Math.abs(x);
  if (a === 0) return "0";
  if (a >= 1e6) return (x / 1e6).toPrecision(3) + " M";
  if (a >= 1e4) return Math.round(x).toLocaleString("en");
  if (a >= 100) return x.toFixed(Number.isInteger(x) ? 0 : 1);
  if (a >= 1) return Number.isInteger(x) ? String(x) : x.toFixed(2);
  if (a >= 1e-3) return x.toPrecision(3);
  return x.toExponential(1);
}

/**
 * A share in percent.
 * @param {number | null | undefined} x
 */
export function percent(x) {
  if (x === null || x === undefined || Number.isNaN(x)) return "–";
  return (100 * x).toFixed(1) + " %";
}

/**
 * A time that passed.
 * @param {number} seconds
 */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 10) return seconds.toFixed(1) + " s";
  if (seconds < 60) return Math.round(seconds) + " s";
  if (seconds < 3600) return Math.floor(seconds / 60) + " min " + Math.round(seconds % 60) + " s";
  return Math.floor(seconds / 3600) + " h " + Math.round((seconds % 3600) / 60) + " min";
}

/**
 * A point in time, the shorter the nearer.
 * @param {string | number | Date} when
 */
export function moment(when) {
  const date = new Date(when);
  if (Number.isNaN(date.getTime())) return "";
  const today = new Date();
  const clock = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (date.toDateString() === today.toDateString()) return clock;
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: date.getFullYear() === today.getFullYear() ? undefined : "numeric" }) + " " + clock;
}

/**
 * A count with its noun.
 * @param {number} n
 * @param {string} noun
 */
export function count(n, noun) {
  return n.toLocaleString("en") + " " + noun + (n === 1 ? "" : "s");
}
