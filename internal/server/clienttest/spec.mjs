// Requests and replies of retort serve against the types that the official clients publish, which are made from the specifications.
//
//   RETORT=path/to/retort RETORT_TINY=internal/tinymodel/files node spec.mjs
//
// Every field of a request is sent alone, with a value of its declared type: it must be done, or refused with a 400 that names it (of
// Anthropic's and Ollama's it may also be named in a header as not heeded). Real
// replies are written as literals of the published types, and the compiler judges them; what Retort adds is named here and nowhere else.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

// The embedded model with a template that knows tools: it speaks of nothing in particular, but its calls follow their schemas.
const folder = mkdtempSync(join(tmpdir(), 'retort-spec-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
cpSync(process.env.RETORT_TINY, join(folder, 'tools'), { recursive: true });
writeFileSync(join(folder, 'tools', 'chat_template.jinja'), `{%- if tools %}<tool_call>{% for t in tools %}{{ t.function.name }} {% endfor %}{% endif -%}
{%- for m in messages %}<|user|>{{ m.content }}<|end|>{% endfor -%}{%- if add_generation_prompt %}<|assistant|><think>{% endif %}`);

const server = spawn(process.env.RETORT ?? 'retort', ['serve', '--json', '--listen', '127.0.0.1:0', `retort-lab=${join(folder, 'tools')}`], { stdio: ['ignore', 'pipe', 'inherit'] });
process.on('exit', () => server.kill('SIGINT'));
const base = await new Promise((done, failed) => {
  createInterface({ input: server.stdout }).once('line', (line) => done(JSON.parse(line).url));
  server.once('exit', (status) => failed(new Error(`retort ended with status ${status}`)));
  server.once('error', failed);
});

let failures = 0;
async function check(name, run) {
  const { faults, note } = await run();
  failures += faults.length > 0;
  console.log(faults.length ? `FAIL  ${name}:\n      ${faults.join('\n      ')}` : `ok    ${name} (${note})`);
}

// fieldsOf are the members of an exported interface with their types, by the layout of declaration files: four spaces, a name, a type.
function fieldsOf(file, name) {
  const lines = readFileSync(join('node_modules', file), 'utf8').split('\n');
  const start = lines.findIndex((l) => l.includes(`interface ${name} `));
  if (start < 0) throw new Error(`${file} declares no interface ${name}`);
  const members = lines.slice(start + 1, lines.indexOf('}', start)).flatMap((l) => l.match(/^ {4}(\w+)\??: (.*)$/) ?? []);
  const fields = [];
  for (let i = 0; i < members.length; i += 3) fields.push({ name: members[i + 1], type: members[i + 2] });
  return fields;
}

// valueOf is a value of a declared type.
function valueOf(type) {
  const literal = type.match(/^'([^']*)'/);
  if (literal) return literal[1];
  if (/^boolean/.test(type)) return true;
  if (/^number/.test(type)) return 1;
  if (/^string\b(?!\[)/.test(type)) return 'x';
  if (/^(Array<|string\[\]|\w+\[\]|\(.*\)\[\])/.test(type)) return [];
  return {};
}

const json = { 'Content-Type': 'application/json' };
const post = (path, body) => fetch(base + path, { method: 'POST', headers: { ...json, 'anthropic-version': '2023-06-01' }, body: JSON.stringify(body) });

// requests sends each field of a request beside the least that the request needs.
async function requests(path, file, type, least, foreign = false) {
  const faults = [];
  let done = 0;
  let refused = 0;
  let passed = 0;
  const fields = fieldsOf(file, type);
  for (const field of fields) {
    const value = field.name in least ? least[field.name] : valueOf(field.type);
    const reply = await post(path, { ...least, [field.name]: value });
    const text = await reply.text();
    const ignored = (reply.headers.get('X-Retort-Ignored') ?? '').split(', ');
    if (reply.status === 200 && !ignored.includes(field.name)) done++;
    else if (reply.status === 400 && text.includes(field.name)) refused++;
    else if (foreign && reply.status === 200) passed++;
    else faults.push(`${field.name} = ${JSON.stringify(value)}: ${reply.status} ${ignored.join()} ${text.slice(0, 200)}`);
  }
  return { faults, note: `${fields.length} fields, ${done} done, ${refused} refused by name${passed ? `, ${passed} named in a header as not heeded` : ''}` };
}

const chat = { model: 'retort-lab', messages: [{ role: 'user', content: 'Use 3, 7, 11 to make 32.' }], max_tokens: 12 };
const chatTypes = 'openai/resources/chat/completions/completions.d.ts';
await check('openai: fields of a chat', () => requests('/v1/chat/completions', chatTypes, 'ChatCompletionCreateParamsBase', { ...chat, stream: false }));
await check('openai: fields of a completion', () => requests('/v1/completions', 'openai/resources/completions.d.ts', 'CompletionCreateParamsBase', { model: 'retort-lab', prompt: 'x', max_tokens: 4, stream: false }));
await check('anthropic: fields of a message', () => requests('/v1/messages', '@anthropic-ai/sdk/resources/messages/messages.d.ts', 'MessageCreateParamsBase', { ...chat, stream: false }, true));
await check('ollama: fields of a chat', () => requests('/api/chat', 'ollama/dist/browser.d.ts', 'ChatRequest', { model: 'retort-lab', messages: chat.messages, options: { num_predict: 4 }, stream: false }, true));
await check('ollama: fields of a prompt', () => requests('/api/generate', 'ollama/dist/browser.d.ts', 'GenerateRequest', { model: 'retort-lab', prompt: 'x', options: { num_predict: 4 }, stream: false }, true));

// added are the fields of replies that are Retort's own, or that other servers of reasoning models have.
const added = new Set(['reasoning_content', 'reasoning', 'code', 'seed', 'reasoning_ended', 'max_model_len']);
const met = new Set();

// published is a reply without what is added.
function published(value) {
  if (Array.isArray(value)) return value.map(published);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => !added.has(key) || !met.add(key)).map(([key, inner]) => [key, published(inner)]));
}

const replies = [];
async function reply(type, path, body) {
  const response = body ? await post(path, body) : await fetch(base + path);
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${path}: ${response.status} ${text}`);
  const events = text.startsWith('data:') || text.startsWith('event:') ? text.split('\n').filter((l) => /^data: *\{/.test(l)).map((l) => JSON.parse(l.slice(5))) : [JSON.parse(text)];
  for (const event of events) replies.push(`const reply${replies.length}: ${type} = ${JSON.stringify(published(event))};`);
}

// streamed is a completion of a stream: its type has no null for a choice that goes on, though the specification's own streams do.
const streamed = `type Ended = OpenAI.CompletionChoice['finish_reason'];\ntype Streamed = Omit<OpenAI.Completion, 'choices'> & { choices: (Omit<OpenAI.CompletionChoice, 'finish_reason'> & { finish_reason: Ended | null })[] };`;

const chunk = 'OpenAI.Chat.ChatCompletionChunk';
const tool = { type: 'function', function: { name: 'add', parameters: { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'], additionalProperties: false } } };
await reply('OpenAI.Chat.ChatCompletion', '/v1/chat/completions', { ...chat, n: 2, logprobs: true, top_logprobs: 2 });
await reply('OpenAI.Chat.ChatCompletion', '/v1/chat/completions', { ...chat, max_tokens: 300 });
await reply('OpenAI.Chat.ChatCompletion', '/v1/chat/completions', { ...chat, max_tokens: 150, tools: [tool], tool_choice: 'required', thinking_budget: 10 });
await reply(chunk, '/v1/chat/completions', { ...chat, max_tokens: 400, stream: true, n: 8, logprobs: true, top_logprobs: 1, stream_options: { include_usage: true } });
await reply(chunk, '/v1/chat/completions', { ...chat, stream: true, max_tokens: 150, tools: [tool], tool_choice: 'required', thinking_budget: 10 });
await reply('OpenAI.Completion', '/v1/completions', { model: 'retort-lab', prompt: ['x', 'y'], max_tokens: 4, logprobs: 2 });
await reply('Streamed', '/v1/completions', { model: 'retort-lab', prompt: 'x', max_tokens: 400, stream: true });
await reply('ListOf<OpenAI.Model>', '/v1/models');
await reply('OpenAI.Model', '/v1/models/retort-lab');
await reply('Anthropic.Message', '/v1/messages', chat);
await reply('Anthropic.RawMessageStreamEvent', '/v1/messages', { ...chat, stream: true, max_tokens: 2000, thinking: { type: 'enabled', budget_tokens: 1024 } });
await reply('Anthropic.MessageTokensCount', '/v1/messages/count_tokens', { model: chat.model, messages: chat.messages });

symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
writeFileSync(join(folder, 'replies.ts'), `import type OpenAI from 'openai';\nimport type Anthropic from '@anthropic-ai/sdk';\ninterface ListOf<T> { object: 'list'; data: T[] }\n${streamed}\n${replies.join('\n')}\nexport {};\n`);
const compiled = spawnSync(process.execPath, [resolve('node_modules/.bin/tsc'), '--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'esnext', 'replies.ts'], { cwd: folder, encoding: 'utf8' });
const said = (compiled.stdout + compiled.stderr).split('\n').filter(Boolean);
await check('replies are of the published types', () => ({ faults: compiled.status === 0 ? [] : said.slice(0, 20).map((l) => l.slice(0, 400)), note: `${replies.length} replies and events; beyond them only ${[...met].join(', ')}` }));
process.exit(failures ? 1 : 0);
