// The official clients of OpenAI, Ollama and Anthropic, and curl, against retort serve with the embedded model.
//
//   RETORT=path/to/retort RETORT_TINY=internal/tinymodel/files node clients.mjs
//
// It starts the server itself, on a free port, and ends it. Each check prints one line; the exit status is 1 if any failed.
import assert from 'node:assert/strict';
import { spawn, execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import Anthropic from '@anthropic-ai/sdk';
import { Ollama } from 'ollama';
import OpenAI from 'openai';

const question = 'Use 3, 7, 11 to make 32.';
const ask = { model: 'retort-lab', messages: [{ role: 'user', content: question }] };

async function start(...models) {
  const server = spawn(process.env.RETORT ?? 'retort', ['serve', '--json', '--listen', '127.0.0.1:0', '--slots', '4', ...models], { stdio: ['ignore', 'pipe', 'inherit'] });
  const base = await new Promise((resolve, reject) => {
    createInterface({ input: server.stdout }).once('line', (line) => resolve(JSON.parse(line).url));
    server.once('exit', (status) => reject(new Error(`retort ended with status ${status}`)));
    server.once('error', reject);
  });
  return { server, base };
}

const { server, base } = await start();

const openai = new OpenAI({ baseURL: `${base}/v1`, apiKey: 'none' });
const anthropic = new Anthropic({ baseURL: base, apiKey: 'none' });
const ollama = new Ollama({ host: base });

let failed = 0;
async function check(name, run) {
  const began = performance.now();
  try {
    const note = await run();
    console.log(`ok    ${name}${note ? ` (${note})` : ''}, ${(performance.now() - began).toFixed(0)} ms`);
  } catch (error) {
    failed++;
    console.log(`FAIL  ${name}: ${error.stack}`);
  }
}

// metric is the sum of a counter over its labels.
async function metric(name) {
  const text = await (await fetch(`${base}/metrics`)).text();
  return text.split('\n').filter((l) => l.startsWith(name)).reduce((sum, l) => sum + Number(l.split(' ').at(-1)), 0);
}

// idleAfter has a client go, and waits until no request runs, which must be soon. Other work on the machine hits single tries: the best of some counts.
async function idleAfter(go) {
  let best = Infinity;
  for (let i = 0; i < 8 && best >= 250; i++) {
    await go();
    const began = performance.now();
    while (await metric('vllm:num_requests_running') !== 0) {
      if (performance.now() - began > 60000) throw new Error('a request still runs');
      await new Promise((done) => setTimeout(done, 1));
    }
    best = Math.min(best, performance.now() - began);
  }
  assert(best < 250, `idle after ${best.toFixed(0)} ms`);
  return `idle after ${best.toFixed(0)} ms`;
}

// found says whether a program is here.
function found(program) {
  try {
    execFileSync(program, ['--version']);
    return true;
  } catch {
    return false;
  }
}

await check('health', async () => {
  for (let i = 0; (await fetch(`${base}/health`)).status !== 200; i++) {
    assert(i < 1200);
    await new Promise((done) => setTimeout(done, 50));
  }
});

await check('openai: models', async () => {
  const ids = [];
  for await (const m of openai.models.list()) ids.push(m.id);
  assert.deepEqual(ids, ['retort-lab', 'retort-lab@nothink']);
  assert.equal((await openai.models.retrieve('retort-lab')).object, 'model');
});

let whole;
await check('openai: chat', async () => {
  whole = await openai.chat.completions.create({ ...ask, temperature: 0.6, seed: 1 });
  const { message, finish_reason } = whole.choices[0];
  assert(message.content.length > 0 && message.reasoning_content === message.reasoning && message.reasoning.length > 0);
  assert.equal(finish_reason, 'stop');
  assert(whole.usage.completion_tokens_details.reasoning_tokens > 0);
});

await check('openai: stream says the same', async () => {
  const sum = { thought: '', content: '', usage: null };
  for await (const chunk of await openai.chat.completions.create({ ...ask, temperature: 0.6, seed: 1, stream: true, stream_options: { include_usage: true } })) {
    const delta = chunk.choices[0]?.delta ?? {};
    sum.thought += delta.reasoning_content ?? '';
    sum.content += delta.content ?? '';
    sum.usage = chunk.usage ?? sum.usage;
  }
  assert.equal(sum.content, whole.choices[0].message.content);
  assert.equal(sum.thought, whole.choices[0].message.reasoning);
  assert.equal(sum.usage.completion_tokens, whole.usage.completion_tokens);
});

await check('ai-sdk: reads the same thought and answer, streamed and not', async () => {
  const model = createOpenAICompatible({ name: 'retort', baseURL: `${base}/v1` }).chatModel('retort-lab');
  const call = { prompt: [{ role: 'user', content: [{ type: 'text', text: question }] }], temperature: 0.6, seed: 1 };
  const join = (parts, type) => parts.filter((p) => p.type === type).map((p) => p.text ?? p.delta).join('');
  const { content } = await model.doGenerate(call);
  assert.equal(join(content, 'reasoning'), whole.choices[0].message.reasoning);
  assert.equal(join(content, 'text'), whole.choices[0].message.content);
  const parts = [];
  for await (const part of (await model.doStream(call)).stream) parts.push(part);
  assert.equal(join(parts, 'reasoning-delta'), whole.choices[0].message.reasoning);
  assert.equal(join(parts, 'text-delta'), whole.choices[0].message.content);
});

await check('openai: the stream helper', async () => {
  const stream = openai.chat.completions.stream({ ...ask, temperature: 0.6, seed: 1 });
  assert.equal(await stream.finalContent(), whole.choices[0].message.content);
});

await check('openai: n of 64, each again from its seed', async () => {
  const all = await openai.chat.completions.create({ ...ask, n: 64 });
  assert.equal(new Set(all.choices.map((c) => c.seed)).size, 64);
  const again = await openai.chat.completions.create({ ...ask, seed: all.choices[63].seed });
  assert.deepEqual(again.choices[0].message, all.choices[63].message);
});

await check('openai: logprobs, stop, logit_bias', async () => {
  const r = await openai.chat.completions.create({ ...ask, logprobs: true, top_logprobs: 2, seed: 1 });
  assert(r.choices[0].logprobs.content.length > 0 && r.choices[0].logprobs.content[0].top_logprobs.length === 2);
  const c = await openai.completions.create({ model: 'retort-lab', prompt: 'x', max_tokens: 3, logit_bias: { 65: 100 }, logprobs: 1 });
  assert.equal(c.choices[0].text, 'AAA');
  const s = await openai.completions.create({ model: 'retort-lab', prompt: 'x', max_tokens: 9, logit_bias: { 65: 100 }, stop: 'AA' });
  assert.equal(s.choices[0].text, '');
  assert.equal(s.choices[0].finish_reason, 'stop');
});

await check('openai: a schema after the thought', async () => {
  const format = { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object', properties: { k: { enum: ['a', 'b'] } }, required: ['k'] } } };
  for (const model of ['retort-lab', 'retort-lab@nothink']) {
    const r = await openai.chat.completions.create({ ...ask, model, response_format: format, seed: 1 });
    assert(['a', 'b'].includes(JSON.parse(r.choices[0].message.content).k));
    assert.equal(r.choices[0].message.reasoning !== undefined, model === 'retort-lab');
  }
});

await check('openai: a long prompt is refused once', async () => {
  let requests = 0;
  const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: 'none', fetch: (...a) => { requests++; return fetch(...a); } });
  const error = await client.chat.completions.create({ ...ask, messages: [{ role: 'user', content: 'x'.repeat(999) }] }).catch((e) => e);
  assert.equal(error.status, 400);
  assert.equal(error.type, 'exceed_context_size_error');
  assert(error.error.n_prompt_tokens > error.error.n_ctx);
  assert.equal(requests, 1);
});

await check('openai: fields', async () => {
  const error = await openai.chat.completions.create({ ...ask, store: true }).catch((e) => e);
  assert.equal(error.param, 'store');
  const { response } = await openai.chat.completions.create({ ...ask, max_tokens: 1, mirostat: 1 }).withResponse();
  assert.equal(response.headers.get('x-retort-ignored'), 'mirostat');
});

await check('openai: an aborted stream', () => idleAfter(async () => {
  const stream = await openai.chat.completions.create({ ...ask, n: 256, stream: true });
  for await (const _ of stream) break;
  stream.controller.abort();
}));

await check('ollama: list, show, ps, version', async () => {
  assert.deepEqual((await ollama.list()).models.map((m) => m.name), ['retort-lab', 'retort-lab@nothink']);
  assert((await ollama.show({ model: 'retort-lab' })).capabilities.includes('thinking'));
  assert.equal((await ollama.ps()).models.length, 1);
  assert((await ollama.version()).version.length > 0);
});

await check('ollama: chat with thinking, streamed and not', async () => {
  const options = { temperature: 0 };
  const r = await ollama.chat({ ...ask, options, think: true });
  let thought = '', content = '', last;
  for await (const part of await ollama.chat({ ...ask, options, think: true, stream: true })) {
    thought += part.message.thinking ?? '';
    content += part.message.content;
    last = part;
  }
  assert(r.message.thinking.length > 0);
  assert.equal(thought, r.message.thinking);
  assert.equal(content, r.message.content);
  assert(last.done && last.eval_count === r.eval_count && last.total_duration > 0);
  assert.equal((await ollama.chat({ ...ask, options, think: false })).message.thinking ?? '', '');
});

await check('ollama: generate, and its error', async () => {
  const r = await ollama.generate({ model: 'retort-lab', prompt: question, options: { num_predict: 30, seed: 1 } });
  assert(r.done && r.eval_count <= 30);
  const error = await ollama.generate({ model: 'none', prompt: 'x' }).catch((e) => e);
  assert.equal(error.status_code, 404);
});

await check('ollama: an aborted stream', () => idleAfter(async () => {
  const stream = await ollama.chat({ ...ask, stream: true });
  setTimeout(() => stream.abort(), 5);
  try {
    for await (const _ of stream);
  } catch (error) {
    assert.equal(error.name, 'AbortError');
  }
}));

const message = { model: 'retort-lab', max_tokens: 200, messages: [{ role: 'user', content: question }] };

await check('anthropic: message, and budget_tokens kept', async () => {
  const r = await anthropic.messages.create({ ...message, temperature: 0, thinking: { type: 'enabled', budget_tokens: 5 } });
  assert.equal(r.content[0].type, 'thinking');
  const { tokens } = await (await fetch(`${base}/tokenize`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ content: r.content[0].thinking }) })).json();
  assert(tokens.length <= 5, `${tokens.length} tokens`);
});

await check('anthropic: stream', async () => {
  const r = await anthropic.messages.create({ ...message, temperature: 0 });
  const stream = anthropic.messages.stream({ ...message, temperature: 0 });
  let thought = '';
  stream.on('thinking', (delta) => { thought += delta; });
  const final = await stream.finalMessage();
  assert.deepEqual(final.content.map((b) => b.text ?? b.thinking), r.content.map((b) => b.text ?? b.thinking));
  assert.equal(thought, r.content[0].thinking);
  assert.equal(final.stop_reason, 'end_turn');
  assert.deepEqual(final.usage.output_tokens, r.usage.output_tokens);
});

await check('anthropic: count_tokens, and its error', async () => {
  const count = await anthropic.messages.countTokens({ model: 'retort-lab', messages: message.messages });
  assert.equal(count.input_tokens, (await anthropic.messages.create({ ...message, max_tokens: 1 })).usage.input_tokens);
  const error = await anthropic.messages.create({ ...message, max_tokens: 0 }).catch((e) => e);
  assert.equal(error.status, 400);
  assert.equal(error.error.error.type, 'invalid_request_error');
});

const json = ['-sS', '-H', 'content-type: application/json', '-d', JSON.stringify({ ...ask, seed: 1 })];

const hasCurl = found('curl');
if (!hasCurl) console.log('curl is not here: not run');

if (hasCurl) await check('curl', async () => {
  const r = JSON.parse(execFileSync('curl', [...json, `${base}/v1/chat/completions`]));
  assert.equal(r.choices[0].message.content, whole.choices[0].message.content);
  const status = execFileSync('curl', ['-sS', '-o', '-', '-w', '%{http_code}', '-d', '{}', `${base}/v1/chat/completions`]).toString();
  assert(status.endsWith('415'), status);
});

if (hasCurl) await check('curl, killed', () => idleAfter(async () => {
  const curl = spawn('curl', ['-sSN', '-H', 'content-type: application/json', '-d', JSON.stringify({ ...ask, n: 256, stream: true }), `${base}/v1/chat/completions`]);
  await new Promise((resolve) => curl.stdout.once('data', resolve));
  curl.kill('SIGKILL');
}));

await check('what is counted is what usage said', async () => {
  const before = await metric('vllm:generation_tokens_total');
  const r = await openai.chat.completions.create({ ...ask, n: 3 });
  assert.equal(await metric('vllm:generation_tokens_total') - before, r.usage.completion_tokens);
});

// A chat front end lists models, streams an answer, and asks for a title, tags and follow-up questions beside it by the name without thoughts; then the
// user stops, edits the question, and goes on to a second turn, without the thought.
await check('a chat front end', async () => {
  const ids = [];
  for await (const m of openai.models.list()) ids.push(m.id);
  const quiet = ids.find((id) => id.endsWith('@nothink'));
  const stream = { ...ask, seed: 1, stream: true, stream_options: { include_usage: true } };
  const talk = async () => {
    let text = '';
    for await (const chunk of await openai.chat.completions.create(stream)) text += chunk.choices[0]?.delta?.content ?? '';
    return text;
  };
  const small = ['Make 5 of 2, 3.', 'Use 1, 2 to make 3.', 'Use 4, 5, 6 to make 7.'].map((content) => () =>
    openai.chat.completions.create({ model: quiet, max_tokens: 1000, seed: 1, messages: [{ role: 'user', content }] }));
  const timed = async (run) => {
    const began = performance.now();
    const result = await run();
    return { result, took: performance.now() - began };
  };
  // Other work on the machine hits single rounds: of each call the best one counts.
  const waits = Array(4).fill(Infinity);
  for (let round = 0; round < 8; round++) {
    const alone = [];
    for (const run of [talk, ...small]) alone.push((await timed(run)).took);
    const beside = await Promise.all([talk, ...small].map(timed));
    beside.forEach(({ took }, i) => { waits[i] = Math.min(waits[i], (took - alone[i]) / alone[i]); });
    assert.equal(beside[0].result, whole.choices[0].message.content);
    for (const { result } of beside.slice(1)) {
      assert.equal(result.usage.completion_tokens_details.reasoning_tokens, 0);
      assert(!('reasoning' in result.choices[0].message) && !result.choices[0].message.content.includes('think>'));
    }
  }
  for (const wait of waits) assert(wait <= 2, `a call waits ${wait.toFixed(1)} times its own work`);
  await idleAfter(async () => {
    const stopped = await openai.chat.completions.create({ ...stream, n: 64 });
    for await (const _ of stopped) break;
    stopped.controller.abort();
  });
  const edited = await openai.chat.completions.create({ ...ask, messages: [{ role: 'user', content: 'Use 1, 2, 3 to make 6.' }], seed: 1 });
  assert(edited.choices[0].message.content.length > 0);
  const { data: second, response } = await openai.chat.completions.create({ ...ask, messages: [{ role: 'user', content: 'Use 1, 2, 3 to make 6.' },
    { role: 'assistant', content: edited.choices[0].message.content }, { role: 'user', content: question }], seed: 1 }).withResponse();
  assert.equal(second.choices[0].message.content, whole.choices[0].message.content);
  assert.match(response.headers.get('x-retort-warning'), /2 earlier messages/);
  return `waits of ${waits.map((w) => Math.max(0, w).toFixed(2)).join(', ')} times their own work`;
});

// The embedded model with a template in Hermes' style speaks of nothing in particular, but its calls follow their schemas.
if (process.env.RETORT_TINY) {
  const folder = mkdtempSync(join(tmpdir(), 'retort-tools-'));
  cpSync(process.env.RETORT_TINY, folder, { recursive: true });
  writeFileSync(join(folder, 'chat_template.jinja'), `{%- if tools %}<tool_call>{% for t in tools %}{{ t.function.name }} {% endfor %}{% endif -%}
{%- for m in messages %}<|user|>{{ m.content }}{% for c in m.tool_calls %}{{ c.function.name }}{% endfor %}<|end|>{% endfor -%}
{%- if add_generation_prompt %}<|assistant|><think>{% endif %}`);
  const { server, base } = await start(`tools=${folder}`);
  const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: 'none' });
  const add = { type: 'function', function: { name: 'add', strict: true, parameters: { type: 'object', properties: { a: { enum: [1, 2] } }, required: ['a'], additionalProperties: false } } };
  const ask = { model: 'tools', messages: [{ role: 'user', content: '1+1?' }], tools: [add], max_tokens: 150, thinking_budget: 10, seed: 1 };
  await check('openai: tools', async () => {
    const r = await client.chat.completions.create({ ...ask, tool_choice: 'required' });
    const [call] = r.choices[0].message.tool_calls;
    assert.equal(r.choices[0].finish_reason, 'tool_calls');
    assert.equal(call.function.name, 'add');
    assert([1, 2].includes(JSON.parse(call.function.arguments).a));
    const messages = [...ask.messages, r.choices[0].message, { role: 'tool', tool_call_id: call.id, content: '2' }];
    assert.equal((await client.chat.completions.create({ ...ask, messages, tool_choice: 'none' })).choices[0].message.tool_calls, undefined);
    const final = await client.chat.completions.stream({ ...ask, tool_choice: { type: 'function', function: { name: 'add' } } }).finalChatCompletion();
    assert([1, 2].includes(JSON.parse(final.choices[0].message.tool_calls[0].function.arguments).a));
  });
  await check('openai: a strict tool that need not be called', async () => {
    const r = await client.chat.completions.create({ ...ask, n: 16, seed: 1, temperature: 1.5 });
    for (const { message } of r.choices) for (const call of message.tool_calls ?? []) assert([1, 2].includes(JSON.parse(call.function.arguments).a));
  });
  await check('anthropic: tools', async () => {
    const client = new Anthropic({ baseURL: base, apiKey: 'none' });
    const r = await client.messages.create({ model: 'tools', max_tokens: 150, temperature: 0, messages: ask.messages, tool_choice: { type: 'any' },
      tools: [{ name: 'add', input_schema: add.function.parameters }], thinking: { type: 'enabled', budget_tokens: 10 } });
    assert.equal(r.stop_reason, 'tool_use');
    assert([1, 2].includes(r.content.at(-1).input.a));
  });
  await check('ollama: tools', async () => {
    const r = await new Ollama({ host: base }).chat({ model: 'tools', messages: ask.messages, tools: [add], options: { num_predict: 60 } });
    assert.equal(typeof r.message.content, 'string');
  });
  server.kill('SIGINT');
  rmSync(folder, { recursive: true });
}

server.kill('SIGINT');
const status = await new Promise((resolve) => server.once('exit', resolve));
await check('the server ends well', () => assert.equal(status, 0));
process.exit(failed > 0 ? 1 : 0);
