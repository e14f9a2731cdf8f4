// Runs as retort writes them, for the tests of the page. Texts in them try to become more than text.
import fs from "node:fs";
import path from "node:path";

export const hostile = `<script>document.documentElement.dataset.pwned="1"</script><img src=x onerror="document.documentElement.dataset.pwned='1'"><svg onload="document.documentElement.dataset.pwned='1'"></svg>`;

const metricNames = ["loss", "entropy", "policy_kl", "clip_fraction", "gradient_norm", "learning_rate", "tokens", "sampled_tokens", "reward_mean", "accuracy", "format_rate", "all_equal_groups", "truncation_rate", "length_mean", "length_right",
  "length_wrong", "false_verdict_rate", "reflections", "attempts", "converted", "gave_up"];

/** A line of metrics. */
export function row(step, extra = 0) {
  const x = { step };
  metricNames.forEach((name, i) => { x[name] = 0.5 + 0.4 * Math.sin(step / (20 + i)) + 0.05 * Math.sin(step * (i + 3)); });
  for (let i = 0; i < extra; i++) x["extra_" + i] = Math.cos(step / (30 + i));
  return JSON.stringify(x) + "\n";
}

function write(dir, name, text) {
  fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(path.join(dir, name), text);
}

/** A training run with samples of two groups in each step that is a multiple of ten. */
export function trainingRun(dir, { steps, extra = 0, seed = 1, done = true }) {
  const metrics = [...metricNames, ...Array.from({ length: extra }, (_, i) => "extra_" + i)].map((name) => ({ name, unit: /rate|accuracy|fraction|groups|converted|gave/.test(name) ? "share of answers" : "1", formula: hostile }));
  write(dir, "run.json", JSON.stringify({ id: path.basename(dir), kind: "grpo", created: "2026-01-02T03:04:05Z", command: ["retort", "grpo", hostile], config: { variant: "dr_grpo", steps, note: hostile, rollout: { seed } }, seed, build: "b", level: "l", metrics, keep_checkpoints: 2 }));
  let lines = "";
  let times = "";
  let samples = "";
  for (let step = 1; step <= steps; step++) {
    lines += row(step, extra);
    times += JSON.stringify({ step, time: "2026-01-02T03:04:05Z", seconds: { rollout: 0.4, update: 0.6, step: 1 } }) + "\n";
    if (step % 10) continue;
    for (let i = 0; i < 8; i++) {
      const isRight = (step + i) % 3 === 0;
      samples += JSON.stringify({ step, problem: 7000 + (i >> 2), request: step * 2 + (i >> 2), index: i % 4, verdict: isRight ? "right" : "wrong", reason: hostile, well_formed: i !== 5, accuracy: isRight ? 1 : 0, format: 0.1, advantage: isRight ? 0.6 : -0.3,
        truncated: i === 5, logprob: -3, tokens: [1, 2, 3, 4 + i], entropies: [0.1, 0.9, 0.3, 0.2], text: "3+7=10 10+11=21 no\nwait " + hostile + " ok\n</think>\n<answer>" + step + "." + i + "</answer>" }) + "\n";
    }
  }
  write(dir, "metrics.jsonl", lines);
  write(dir, "timing.jsonl", times);
  write(dir, "samples.jsonl", samples);
  write(dir, "lock", "");
  if (done) write(dir, "status.json", JSON.stringify({ status: "done", step: steps, time: "2026-01-02T03:04:05Z" }));
}

/** An evaluation of three problems. */
export function evaluationRun(dir) {
  const config = { benchmark: "math500", title: "MATH-500", kind: "maths", problems: 3, model: "m", samples: 4, temperature: 0.6, top_p: 0.95, max_tokens: 100, seed: 0 };
  write(dir, "run.json", JSON.stringify({ id: "e", kind: "eval", created: "2026-01-02T03:04:05Z", command: ["retort", "eval"], config, seed: 0, build: "b", level: "l",
    metrics: ["kept", "right", "tokens", "prompt_tokens", "energy"].map((name) => ({ name, unit: "1", formula: "f" })), keep_checkpoints: 2 }));
  let samples = "";
  for (let i = 0; i < 3; i++) {
    samples += JSON.stringify({ question: { id: "p" + i, group: "p" + i, subject: ["Algebra", "Geometry", hostile][i], level: "1", text: "What is $\\frac{1}{2}$ of " + hostile + "?", gold: "\\frac{1}{2}", kind: "maths" } }) + "\n";
    for (let j = 0; j < 4; j++) {
      const thought = "Let me see. " + hostile + "\n";
      const text = thought + "The answer is \\boxed{\\frac{1}{2}} " + hostile;
      samples += JSON.stringify({ problem: "p" + i, sample: j, seed: { Run: 0, Problem: 1, Sample: j }, text, tokens: 20, finish: "stop", verdict: { outcome: (i + j) % 2 ? "wrong" : "right", reason: hostile, rule: (i + j) % 2 ? "no answer" : "exact rational", gold: "1/2", answer: hostile },
        is_formed: true, answer: "1/2", thought_tokens: 8, thought_bytes: Buffer.byteLength(thought), answer_bytes: Buffer.byteLength(text) - Buffer.byteLength(thought) }) + "\n";
    }
  }
  write(dir, "samples.jsonl", samples);
  write(dir, "metrics.jsonl", '{"step":1,"kept":12,"right":0.5,"tokens":240,"prompt_tokens":30}\n');
  write(dir, "timing.jsonl", '{"step":1,"time":"2026-01-02T03:04:05Z","seconds":{"generate":2}}\n');
  write(dir, "lock", "");
  write(dir, "status.json", JSON.stringify({ status: "done", step: 1, time: "2026-01-02T03:04:05Z" }));
}
