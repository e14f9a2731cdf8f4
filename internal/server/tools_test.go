package server

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/openai"
	"github.com/retort-ml/retort/tokenizer"
)

const tools = `"tools":[{"type":"function","function":{"name":"add","description":"Adds.","parameters":{"type":"object","properties":{"a":{"$ref":"#/$defs/n"},"b":{"type":"integer","minimum":0,"maximum":9}},"required":["a","b"],"$defs":{"n":{"type":"integer","minimum":0,"maximum":9}}}}},{"type":"function","function":{"name":"now"}}]`

// fixed is talk, whose constrained answers are always the same text.
func fixed(text string) func(o *Options) {
	return func(o *Options) {
		o.Models = []ModelSpec{{ID: "talk", Open: func(ctx context.Context) (*Model, error) {
			m, err := talker(talkTemplate, 4096, 16, 1)(ctx)
			if err == nil {
				m.Grammars = words{text}
			}
			return m, err
		}}, {ID: "plain", Open: func(context.Context) (*Model, error) {
			t, err := tokenizer.New([]tokenizer.Added{{Text: tokenizer.End, Special: true}})
			if err != nil {
				return nil, err
			}
			m, err := random(t.Size(), 256, 16, 1)
			if err != nil {
				return nil, err
			}
			template, err := chat.Parse("{% for m in messages %}{{ m.content }}{% endfor %}")
			if err != nil {
				return nil, err
			}
			s, err := ready(m, t, &chat.Config{Template: template})
			if err == nil {
				s.Grammars = words{text}
			}
			return s, err
		}}}
	}
}

func talk(rest string) string {
	return `{"model":"talk","seed":1,"max_tokens":300,"thinking_budget":20,"messages":[{"role":"user","content":"x"}],` + rest + `}`
}

// TestForcedCall: a call that must come is the answer, in each dialect, streamed and not, behind a thought.
func TestForcedCall(t *testing.T) {
	_, h := serve(t, fixed(`{"name":"add","arguments":{"a":1,"b":2}}`))
	for _, choice := range []string{`"required"`, `{"type":"function","function":{"name":"add"}}`} {
		r := ok(t, h, "/v1/chat/completions", talk(tools+`,"tool_choice":`+choice))
		c := at(r, "choices", 0)
		if at(c, "finish_reason") != "tool_calls" || at(c, "message", "tool_calls", 0, "function", "name") != "add" ||
			at(c, "message", "tool_calls", 0, "function", "arguments") != `{"a":1,"b":2}` || at(c, "message", "content") != nil || at(c, "code") != nil {
			t.Errorf("%s: %v", choice, c)
		}
		if thought := at(c, "message", "reasoning_content"); thought == nil || thought == "" {
			t.Errorf("%s: no thought before the call", choice)
		}
	}
	a := post(t, h, "/v1/chat/completions", talk(tools+`,"tool_choice":"required","stream":true`))
	list, _ := events(t, a.body)
	calls := 0
	for _, e := range list {
		if c := at(e, "choices", 0, "delta", "tool_calls", 0); c != nil {
			calls++
			if at(c, "index") != 0.0 || at(c, "id") == "" || at(c, "function", "arguments") != `{"a":1,"b":2}` {
				t.Errorf("%v", c)
			}
		}
	}
	if last := at(list[len(list)-1], "choices", 0, "finish_reason"); calls != 1 || last != "tool_calls" {
		t.Errorf("%d calls, then %v", calls, last)
	}
	var r map[string]any
	for try := 0; try < 20 && at(r, "content", 0, "type") != "thinking"; try++ { // there is no seed, and not all that a random model says is a thought
		r = ok(t, h, "/v1/messages", `{"model":"talk","max_tokens":300,"thinking":{"type":"enabled","budget_tokens":20},"messages":[{"role":"user","content":"x"}],"tools":[{"name":"add","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"}}`)
	}
	last := at(r, "content", len(at(r, "content").([]any))-1)
	if at(r, "stop_reason") != "tool_use" || at(last, "type") != "tool_use" || at(last, "input", "b") != 2.0 || at(r, "content", 0, "type") != "thinking" {
		t.Errorf("messages: %v", r)
	}
	for rest, want := range map[string]string{
		`"tool_choice":{"type":"function","function":{"name":"none"}}`:               "there is no tool",
		`"tool_choice":"required","response_format":{"type":"json_object"}`:          "response_format",
		`"tool_choice":{"type":"allowed_tools"}`:                                     "tool_choice",
		`"response_format":{"type":"json_schema","json_schema":{"schema":"refuse"}}`: "not supported",
		`"response_format":{"type":"json_schema","json_schema":{"name":"x"}}`:        "schema",
		`"response_format":{"type":"json_object"},"grammar":"root ::= \"x\""`:        "one or the other",
		`"tools":[{"type":"web_search"}]`:                                            "function",
	} {
		if !strings.HasPrefix(rest, `"tools"`) && !strings.HasPrefix(rest, `"response`) {
			rest = tools + "," + rest
		}
		if a := post(t, h, "/v1/chat/completions", talk(rest)); a.status != 400 || !strings.Contains(string(a.body), want) {
			t.Errorf("%s: %d %s, want %s", rest, a.status, a.body, want)
		}
	}
}

// TestSchemaAfterThought: the answer follows the schema, the thought does not, and the budgets hold all the same.
func TestSchemaAfterThought(t *testing.T) {
	_, h := serve(t, fixed(`{"x":1}`))
	for _, path := range []string{"/v1/chat/completions", "/api/chat"} {
		format := `"seed":2,"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"const":1}}}`
		if path == "/api/chat" {
			format = `"format":{"const":1},"stream":false,"options":{"num_predict":300,"seed":2}`
		}
		r := ok(t, h, path, `{"model":"talk","messages":[{"role":"user","content":"x"}],"max_tokens":300,`+format+`}`)
		message := at(r, "choices", 0, "message")
		if path == "/api/chat" {
			message = at(r, "message")
		}
		thought, _ := at(message, "reasoning_content").(string)
		if t, ok := at(message, "thinking").(string); ok {
			thought = t
		}
		if at(message, "content") != `{"x":1}` || len(thought) < 5 || strings.HasPrefix(thought, "{") {
			t.Errorf("%s: %v", path, r)
		}
	}
	// A model that does not know thoughts answers at once.
	r := ok(t, h, "/v1/chat/completions", `{"model":"plain","max_tokens":30,"messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_object"}}`)
	if at(r, "choices", 0, "message", "content") != `{"x":1}` || at(r, "choices", 0, "message", "reasoning") != nil {
		t.Errorf("without thoughts: %v", r)
	}
	_, plain := serve(t, nil)
	if a := post(t, plain, "/v1/chat/completions", talk(`"response_format":{"type":"json_object"}`)); a.status != 400 || at(a.object(t), "error", "param") != "response_format" {
		t.Errorf("without grammars: %d %s", a.status, a.body)
	}
}

// TestCompiledSchemas: with package llm's grammars a random model answers as the schema says, and calls tools with arguments that fit.
func TestCompiledSchemas(t *testing.T) {
	_, h := serve(t, constrained)
	for seed := range 5 {
		r := ok(t, h, "/v1/chat/completions", talk(tools+fmt.Sprintf(`,"tool_choice":"required","temperature":1.5,"seed":%d`, seed)))
		var arguments map[string]float64
		call := at(r, "choices", 0, "message", "tool_calls", 0, "function")
		text, _ := at(call, "arguments").(string)
		if err := json.Unmarshal([]byte(text), &arguments); err != nil || at(call, "name") == "add" && (len(arguments) != 2 || arguments["a"] > 9) {
			t.Errorf("seed %d: %v %v", seed, call, err)
		}
		r = ok(t, h, "/v1/chat/completions", talk(fmt.Sprintf(`"seed":%d,"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","properties":{"k":{"enum":["a","b"]}},"required":["k"]}}}`, seed)))
		var answer map[string]string
		text, _ = at(r, "choices", 0, "message", "content").(string)
		if err := json.Unmarshal([]byte(text), &answer); err != nil || answer["k"] != "a" && answer["k"] != "b" {
			t.Errorf("seed %d: %q", seed, text)
		}
	}
	r := ok(t, h, "/v1/completions", `{"model":"talk","prompt":"x","max_tokens":9,"grammar":"root ::= \"yes\" | \"no\""}`)
	if text := at(r, "choices", 0, "text"); text != "yes" && text != "no" {
		t.Errorf("grammar: %v", r)
	}
}

// TestCallSchema: references within the parameters of a tool still lead to where they did.
func TestCallSchema(t *testing.T) {
	var q openai.ChatRequest
	if err := json.Unmarshal([]byte("{"+tools+"}"), &q); err != nil {
		t.Fatal(err)
	}
	for _, list := range [][]openai.Tool{q.Tools, q.Tools[:1]} {
		for _, style := range []toolStyle{hermesTools, llamaTools} {
			text, err := callSchema(style, list, "#", false)
			if err != nil {
				t.Fatal(err)
			}
			var root any
			if err := json.Unmarshal([]byte(text), &root); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			one := root
			if len(list) > 1 {
				one = at(root, "anyOf", 0)
			}
			ref, _ := at(one, "properties", style.arguments(), "properties", "a", "$ref").(string)
			target := root
			for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
				if part == "0" {
					target = at(target, 0)
				} else {
					target = at(target, part)
				}
			}
			if at(target, "maximum") != 9.0 {
				t.Errorf("%q leads to %v in %s", ref, target, text)
			}
		}
	}
}

// TestToolPrompts: tools are given to the template unless none may be called, and calls and their results come back to it.
func TestToolPrompts(t *testing.T) {
	_, h := serve(t, nil)
	with := ok(t, h, "/apply-template", talk(tools))["prompt"].(string)
	without := ok(t, h, "/apply-template", talk(tools+`,"tool_choice":"none"`))["prompt"].(string)
	if !strings.Contains(with, `"name": "add"`) || strings.Contains(without, "add") {
		t.Errorf("with %q, without %q", with, without)
	}
	p := ok(t, h, "/apply-template", `{"model":"talk","messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"add","arguments":"{\"a\":1}"}}]},{"role":"tool","tool_call_id":"1","content":"3"}]}`)
	if want := `{"a": 1}<|end|><|user|>tool:3`; !strings.Contains(p["prompt"].(string), want) {
		t.Errorf("got %q, want %q in it", p["prompt"], want)
	}
	if a := post(t, h, "/v1/chat/completions", `{"model":"lab","messages":[{"role":"user","content":"x"}],`+tools+`}`); a.status != 400 || at(a.object(t), "error", "param") != "tools" {
		t.Errorf("a model without tools: %d %s", a.status, a.body)
	}
}

// TestCallsBeside: where no call must come, a strict tool is called as it says and a schema holds for any other answer, in each style of calls.
func TestCallsBeside(t *testing.T) {
	for name, template := range map[string]string{"hermes": talkTemplate, "llama": strings.Replace(talkTemplate, "<tool_call>", `"parameters": dictionary `, 1)} {
		_, h := serve(t, func(o *Options) {
			o.Models = []ModelSpec{{ID: "talk", Open: func(ctx context.Context) (*Model, error) {
				m, err := talker(template, 4096, 16, 1)(ctx)
				if err == nil {
					m.Grammars = grammars(m)
				}
				return m, err
			}}}
		})
		const format = `,"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","properties":{"k":{"$ref":"#/$defs/k"}},"required":["k"],"$defs":{"k":{"enum":["a","b"]}}}}}`
		strict := strings.Replace(tools, `"name":"add"`, `"name":"add","strict":true`, 1)
		called, answered := 0, 0
		for seed := range 24 {
			r := ok(t, h, "/v1/chat/completions", talk(strict+format+fmt.Sprintf(`,"temperature":2,"seed":%d,"max_tokens":2000`, seed+100)))
			message := at(r, "choices", 0, "message")
			if calls, _ := at(message, "tool_calls").([]any); len(calls) > 0 {
				called++
				for _, call := range calls {
					var arguments map[string]float64
					text, _ := at(call, "function", "arguments").(string)
					if json.Unmarshal([]byte(text), &arguments); at(call, "function", "name") == "add" && (len(arguments) != 2 || arguments["a"] > 9) {
						t.Errorf("%s, seed %d: %v", name, seed, call)
					}
				}
				if at(r, "choices", 0, "finish_reason") == "tool_calls" && at(message, "content") != nil {
					t.Errorf("%s, seed %d: a call and %v", name, seed, at(message, "content"))
				}
				continue
			}
			var answer map[string]string
			text, _ := at(message, "content").(string)
			if err := json.Unmarshal([]byte(text), &answer); at(r, "choices", 0, "finish_reason") == "stop" && (err != nil || answer["k"] != "a" && answer["k"] != "b") {
				t.Errorf("%s, seed %d: %q", name, seed, text)
			}
			answered++
		}
		if called == 0 || answered == 0 {
			t.Errorf("%s: %d called and %d answered", name, called, answered)
		}
	}
	_, h := serve(t, constrained)
	strict := strings.Replace(tools, `"name":"add"`, `"name":"add","strict":true`, 1)
	if a := post(t, h, "/v1/chat/completions", talk(strict+`,"parallel_tool_calls":false`)); a.status != 200 {
		t.Errorf("strict alone: %d %s", a.status, a.body)
	}
	refused := strings.Replace(strict, `"maximum":9}}`, `"maximum":9,"not":{}}}`, 1)
	if a := post(t, h, "/v1/chat/completions", talk(refused)); a.status != 400 || at(a.object(t), "error", "param") != "tools" {
		t.Errorf("a strict tool whose schema is not known: %d %s", a.status, a.body)
	}
	if a := post(t, h, "/v1/chat/completions", talk(strings.Replace(refused, `"strict":true,`, "", 1))); a.status != 200 {
		t.Errorf("a tool that is not strict: %d %s", a.status, a.body)
	}
	_, without := serve(t, nil)
	if a := post(t, without, "/v1/chat/completions", talk(strict)); a.status != 400 || at(a.object(t), "error", "param") != "tools" {
		t.Errorf("without grammars: %d %s", a.status, a.body)
	}
}
