// The runs: a list, and one or several of them in curves.
import { button, h, icon, put, statusBadge, trouble } from "./dom.js";
import { json } from "./api.js";
import { moment, number, percent } from "./format.js";
import { runView } from "./run.js";

/** What a line of the list says of a run's last step. @param {any} run */
function lastOf(run) {
  const last = run.last ?? {};
  if (run.kind === "eval") return last.right !== undefined ? percent(last.right) + " right so far" : "";
  const parts = [];
  if (last.accuracy !== undefined) parts.push(percent(last.accuracy) + " right");
  if (last.reward_mean !== undefined) parts.push("reward " + number(last.reward_mean));
  if (!parts.length && last.loss !== undefined) parts.push("loss " + number(last.loss));
  return parts.join(" · ");
}

/** @type {import("./stage.js").View} */
export async function view(stage) {
  if (stage.route.path.length) return runView(stage);
  const filter = h("input", { type: "search", placeholder: "Filter", "aria-label": "Filter the runs", "data-slash": true, value: stage.route.query.get("filter") ?? "", oninput: () => draw() });
  const list = h("div", { class: "stack" });
  const bar = h("div", { class: "selection", hidden: true });
  /** @type {Set<string>} */
  const chosen = new Set();
  /** @type {any[]} */
  let runs = [];
  let shown = true;
  put(stage.root, h("div", { class: "head" }, h("div", { class: "grow" }, h("h1", null, "Runs"), h("p", null, "Every run below the server's folder, also while it is made. Choose several to lay their curves over each other.")), filter), list, bar);

  const draw = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fitting = runs.filter((run) => words.every((word) => (run.name + " " + run.kind + " " + run.status + " " + (run.title ?? "")).toLowerCase().includes(word)));
    /** @type {Map<string, any[]>} */
    const groups = new Map();
    for (const run of fitting) {
      const group = run.name.includes("/") ? run.name.slice(0, run.name.lastIndexOf("/")) : "";
      groups.set(group, [...groups.get(group) ?? [], run]);
    }
    put(list, [...groups].map(([group, members]) => h("section", { class: "card tight" }, group ? h("h2", { class: "groupname" }, group) : null, h("div", { class: "scroll" }, h("table", { class: "runs" },
      h("thead", { class: "unseen" }, h("tr", null, ["Choose", "Run", "Kind", "State", "Steps", "Last step", "Begun"].map((name) => h("th", null, name)))),
      h("tbody", null, members.map(row))))),
    ), fitting.length ? null : empty());
    const n = chosen.size;
    bar.hidden = n === 0;
    put(bar, h("span", { class: "grow" }, n + (n === 1 ? " run" : " runs") + " chosen"), button("Clear", () => { chosen.clear(); draw(); }),
      button(n > 1 ? "Overlay" : "Open", () => {
        const [first, ...others] = [...chosen];
        stage.go(first.split("/"), { with: others });
      }, { class: "first" }));
  };
  const empty = () => h("div", { class: "empty" }, icon("runs"), h("p", null, !shown ? "This server shows no runs; see its option --runs." : runs.length ? "No run fits the filter." : "There is no run yet. retort lab makes ten of them in as many minutes."));
  const row = (/** @type {any} */ run) => {
    const name = run.name.slice(run.name.lastIndexOf("/") + 1);
    const where = run.kind === "eval" ? "#/evaluations/" + run.name.split("/").map(encodeURIComponent).join("/") : stage.link(run.name.split("/"));
    const box = h("input", { type: "checkbox", checked: chosen.has(run.name), disabled: run.kind === "eval" || run.status === "damaged", "aria-label": "Choose " + run.name, onchange: () => {
      if (box.checked && chosen.size < 8) chosen.add(run.name);
      else chosen.delete(run.name);
      draw();
    } });
    box.checked = chosen.has(run.name);
    return h("tr", null, h("td", { class: "pick" }, box),
      h("th", { scope: "row" }, h("a", { href: where }, name), run.fault ? h("div", { class: "small soft" }, run.fault) : null),
      h("td", { class: "soft" }, [run.kind, run.title].filter(Boolean).join(" · ")),
      h("td", null, statusBadge(run.status)),
      h("td", { class: "number" }, run.steps && run.steps !== run.step ? run.step + " of " + run.steps : String(run.step)),
      h("td", null, lastOf(run)),
      h("td", { class: "number soft" }, run.created && !run.created.startsWith("0001") ? moment(run.created) : ""));
  };
  const load = async () => {
    try {
      const answer = await json("/page/api/runs", { signal: stage.signal });
      runs = answer.runs;
      shown = answer.shown;
      draw();
    } catch (error) {
      if (!stage.signal.aborted) put(list, trouble(error));
    }
  };
  await load();
  const timer = setInterval(() => { if (!document.hidden && runs.some((run) => run.status === "running")) void load(); }, 4000);
  stage.signal.addEventListener("abort", () => clearInterval(timer));
}
