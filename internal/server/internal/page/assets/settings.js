// How replies are drawn, as a form.
import { h } from "./dom.js";
import { listModels } from "./completions.js";

/** @typedef {import("./completions.js").Settings} Settings */

/** @type {Promise<string[]> | null} */
let models = null;

/** The models of the server, asked for once. */
export function knownModels() {
  models ??= listModels().catch(() => {
    models = null;
    return [];
  });
  return models;
}

/**
 * A field for a number that may be left to the server.
 * @param {string} label
 * @param {number | null} value
 * @param {{min: number, max: number, step: number | "any", hint: string}} o
 * @param {(value: number | null) => void} change
 */
export function numberField(label, value, o, change) {
  const field = h("input", { type: "number", min: o.min, max: o.max, step: o.step, placeholder: o.hint, value: value ?? "", oninput: () => {
    const x = field.value === "" ? null : Number(field.value);
    const isGood = x === null || Number.isFinite(x) && x >= o.min && x <= o.max;
    field.setCustomValidity(isGood ? "" : "from " + o.min + " to " + o.max);
    field.reportValidity();
    if (isGood) change(x);
  } });
  return h("label", { class: "field" }, label, field);
}

/**
 * @param {Settings} settings which is changed in place
 * @param {(settings: Settings) => void} changed
 * @param {{system?: boolean}} [o]
 */
export function settingsForm(settings, changed, o = { system: true }) {
  const select = h("select", { onchange: () => { settings.model = select.value; changed(settings); } }, h("option", { value: "" }, "the server's first"));
  void knownModels().then((list) => {
    for (const id of list) select.append(h("option", { value: id, selected: id === settings.model }, id));
    select.value = settings.model;
  });
  const system = h("textarea", { rows: 2, value: settings.system, placeholder: "none", oninput: () => { settings.system = system.value; changed(settings); } });
  return h("div", { class: "settings" },
    h("label", { class: "field" }, "Model", select),
    numberField("Temperature", settings.temperature, { min: 0, max: 2, step: "any", hint: "0.6" }, (x) => { settings.temperature = x; changed(settings); }),
    numberField("Top-p", settings.topP, { min: 0, max: 1, step: "any", hint: "0.95" }, (x) => { settings.topP = x; changed(settings); }),
    numberField("Tokens at most", settings.maxTokens, { min: 1, max: 1 << 24, step: 1, hint: "the context" }, (x) => { settings.maxTokens = x; changed(settings); }),
    numberField("Budget of the thought", settings.budget, { min: 0, max: 1 << 24, step: 1, hint: "no bound" }, (x) => { settings.budget = x; changed(settings); }),
    numberField("Seed", settings.seed, { min: 0, max: Number.MAX_SAFE_INTEGER, step: 1, hint: "random" }, (x) => { settings.seed = x; changed(settings); }),
    o.system ? h("label", { class: "field whole" }, "System prompt", system) : null);
}
