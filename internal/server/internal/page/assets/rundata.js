// The numbers of a run, kept up to date while they come.
import { events, json, query, send } from "./api.js";

/**
 * @typedef {object} RunData
 * @property {string} name
 * @property {any} manifest
 * @property {string} status
 * @property {number[]} steps
 * @property {Map<string, (number | null)[]>} columns by metric
 * @property {Map<string, (number | null)[]>} seconds by part of a step
 * @property {{rule: string, step: number, message: string, fatal?: boolean}[]} findings
 * @property {string} fault
 * @property {number} generation
 */

/**
 * Reads what runs are; follow brings their numbers.
 * @param {string[]} names
 * @param {AbortSignal} signal
 * @returns {Promise<RunData[]>}
 */
export async function openRuns(names, signal) {
  return Promise.all(names.map(async (name) => {
    const answer = await json(query("/page/api/run", { run: name }), { signal });
    return { name, manifest: answer.manifest, status: answer.status, steps: [], columns: new Map(), seconds: new Map(), findings: answer.findings ?? [], fault: answer.fault ?? "", generation: -1 };
  }));
}

/**
 * Takes rows into a run. The first of them may have come before; they take the place of the old ones.
 * @param {RunData} run
 * @param {any} rows
 */
export function takeRows(run, rows) {
  if (rows.generation !== undefined && rows.generation !== run.generation) {
    run.generation = rows.generation;
    run.steps = [];
    run.columns = new Map();
    run.seconds = new Map();
  }
  run.status = rows.status;
  run.fault = rows.fault ?? "";
  if (rows.findings) run.findings = rows.findings;
  const from = rows.from ?? 0;
  const steps = rows.steps ?? [];
  for (let i = 0; i < steps.length; i++) run.steps[from + i] = steps[i];
  for (const [into, given] of /** @type {[Map<string, (number | null)[]>, any][]} */ ([[run.columns, rows.columns], [run.seconds, rows.seconds]])) {
    for (const [name, values] of Object.entries(given ?? {})) {
      let column = into.get(name);
      if (!column) {
        column = new Array(from).fill(null);
        into.set(name, column);
      }
      for (let i = 0; i < values.length; i++) column[from + i] = values[i];
    }
    for (const column of into.values()) while (column.length < run.steps.length) column.push(null);
  }
}

/**
 * Follows runs until signal ends, and calls changed after each piece. A connection that is lost is made again, from where it was.
 * @param {RunData[]} runs
 * @param {AbortSignal} signal
 * @param {() => void} changed
 */
export async function followRuns(runs, signal, changed) {
  let wait = 500;
  while (!signal.aborted) {
    try {
      const answer = await send(query("/page/api/follow", { run: runs.map((run) => run.name), from: runs.map((run) => String(run.steps.length)) }), { signal });
      for await (const event of events(answer)) {
        if (event.name !== "rows") continue;
        wait = 500;
        const rows = JSON.parse(event.data);
        const run = runs.find((one) => one.name === rows.run);
        if (run) takeRows(run, rows);
        changed();
      }
    } catch (error) {
      if (signal.aborted) return;
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(10000, wait * 2);
  }
}

/**
 * How long each step took; where only its parts are recorded, all of them together. null if nothing is.
 * @param {RunData} run
 */
export function stepSeconds(run) {
  const whole = run.seconds.get("step") ?? run.seconds.get("generate");
  if (whole || !run.seconds.size) return whole ?? null;
  return run.steps.map((_, i) => [...run.seconds.values()].reduce((sum, part) => sum + (part[i] ?? 0), 0));
}

/**
 * A metric of a run, also one that is computed of others; null if the run has none.
 * @param {RunData} run
 * @param {string} name
 * @returns {(number | null)[] | null}
 */
export function valuesOf(run, name) {
  const column = run.columns.get(name);
  if (column) return column;
  if (name === "tokens_per_second") {
    const tokens = run.columns.get("sampled_tokens") ?? run.columns.get("tokens");
    const seconds = stepSeconds(run);
    if (!tokens || !seconds) return null;
    return tokens.map((n, i) => n !== null && seconds[i] ? n / /** @type {number} */ (seconds[i]) : null);
  }
  return name.startsWith("seconds/") ? run.seconds.get(name.slice(8)) ?? null : null;
}

/**
 * The settings of a manifest, by their path.
 * @param {any} manifest
 * @returns {Map<string, string>}
 */
export function settingsOf(manifest) {
  const flat = new Map([["kind", manifest.kind], ["seed", String(manifest.seed)], ["build", manifest.build], ["level", manifest.level]]);
  /** @param {string} path @param {any} value */
  const walk = (path, value) => {
    if (value !== null && typeof value === "object" && Object.keys(value).length) {
      for (const [key, inner] of Object.entries(value)) walk(path ? path + "." + key : key, inner);
    } else flat.set(path, typeof value === "string" ? value : JSON.stringify(value));
  };
  walk("", manifest.config ?? {});
  (manifest.parents ?? []).forEach((/** @type {string} */ parent, /** @type {number} */ i) => flat.set("parents." + i, parent));
  return flat;
}
