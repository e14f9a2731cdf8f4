package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/retort-ml/retort/openai"
)

// specified are the fields of a request in OpenAI's specification of chat completions.
var specified = strings.Fields(`messages model audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens metadata
	modalities n parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_retention reasoning_effort response_format
	safety_identifier seed service_tier stop store stream stream_options temperature tool_choice tools top_logprobs top_p user verbosity
	web_search_options`)

// TestFields: each field of the specification is done or refused by name; others are named or, strictly, refused.
func TestFields(t *testing.T) {
	for _, name := range specified {
		if _, ok := chatFields[name]; !ok {
			t.Errorf("%s is neither done nor refused", name)
		}
	}
	_, h := serve(t, nil)
	for field, value := range map[string]string{
		"audio": `{"voice":"x","format":"wav"}`, "functions": `[{"name":"f"}]`, "function_call": `"auto"`, "metadata": `{"a":"b"}`, "modalities": `["text","audio"]`,
		"service_tier": `"flex"`, "store": "true", "verbosity": `"low"`, "web_search_options": "{}", "n": "257", "temperature": "2.1", "top_p": "-0.1",
		"max_tokens": "0", "max_completion_tokens": "-5", "frequency_penalty": "3", "presence_penalty": "-3", "top_logprobs": "21", "seed": "1.5",
		"logit_bias": `{"1":101}`, "stop": `["a","b","c","d","e","f","g","h","i","j","k","l","m","n","o","p","q"]`, "response_format": `{"type":"xml"}`,
		"reasoning_effort": `"huge"`, "tool_choice": `"required"`, "stream_options": `{"include_usage":true}`, "top_k": "1.5", "min_p": "2",
		"thinking": `{"type":"enabled","budget_tokens":-1}`, "messages": "[]", "stream": `"yes"`, "thinking_budget": "1e99", "repetition_penalty": "0",
		"tools": `[{"type":"function","function":{"name":"f"}}]`, "model": "7", "user": "1",
	} {
		q := fmt.Sprintf(`{"model":"lab","messages":[{"role":"user","content":"x"}],%q:%s}`, field, value)
		a := post(t, h, "/v1/chat/completions", q)
		param, _ := at(a.object(t), "error", "param").(string)
		if a.status != 400 || strings.Split(param, ".")[0] != field {
			t.Errorf("%s: %s: %d %s", field, value, a.status, a.body)
		}
	}
	for field, value := range map[string]string{
		"user": `"x"`, "store": "false", "metadata": "{}", "service_tier": `"auto"`, "modalities": `["text"]`, "top_p": "0", "temperature": "0.001", "seed": "-9223372036854775808",
		"n": "null", "safety_identifier": `"x"`, "stop": `"7"`, "parallel_tool_calls": "true", "tool_choice": `"none"`, "top_k": "-1", "response_format": `{"type":"text"}`,
	} {
		a := post(t, h, "/v1/chat/completions", fmt.Sprintf(`{"model":"lab","max_tokens":2,"messages":[{"role":"user","content":"x"}],%q:%s}`, field, value))
		if a.status != 200 || a.header.Get("X-Retort-Ignored") != "" {
			t.Errorf("%s: %s: %d %s %s", field, value, a.status, a.body, a.header.Get("X-Retort-Ignored"))
		}
	}
	for param, q := range map[string]string{
		"messages[].function_call":           `"messages":[{"role":"assistant","content":"x","function_call":{"name":"f","arguments":""}},{"role":"user","content":"x"}]`,
		"messages[].audio":                   `"messages":[{"role":"user","content":"x","audio":{"id":"x"}}]`,
		"tools[].custom":                     `"messages":[{"role":"user","content":"x"}],"tools":[{"type":"custom","custom":{"name":"x"}}]`,
		"stream_options.include_obfuscation": `"messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_obfuscation":true}`,
		"messages.content":                   `"messages":[{"role":"user","content":["x"]}]`,
		"stop":                               `"messages":[{"role":"user","content":"x"}],"stop":[5]`,
		"top_logprobs":                       `"messages":[{"role":"user","content":"x"}],"n":256,"logprobs":true,"top_logprobs":20`,
	} {
		if a := post(t, h, "/v1/chat/completions", `{"model":"lab",`+q+`}`); a.status != 400 || at(a.object(t), "error", "param") != param {
			t.Errorf("%s: %d %s", param, a.status, a.body)
		}
	}
	for path, want := range map[string]string{"/v1/chat/completions": "messages.content: got a JSON string, want an object", "/v1/messages": "messages.content: got a JSON string, want an object"} {
		if a := post(t, h, path, `{"model":"lab","max_tokens":2,"messages":[{"role":"user","content":["x"]}]}`); a.status != 400 || at(a.object(t), "error", "message") != want {
			t.Errorf("%s: %d %s, want %q", path, a.status, a.body, want)
		}
	}
	within := post(t, h, "/v1/chat/completions", `{"model":"lab","max_tokens":2,"messages":[{"role":"user","content":"x","audio":null,"weight":1},{"role":"user","content":"x","weight":1}],"thinking":{"type":"auto","x":1}}`)
	if got := within.header.Get("X-Retort-Ignored"); within.status != 200 || got != "messages[].weight, thinking.x" {
		t.Errorf("foreign fields within: %d %q", within.status, got)
	}
	foreign := `{"model":"lab","max_tokens":2,"messages":[{"role":"user","content":"x"}],"mirostat":2,"N":3,"Temperature":99,"a\r\nb":1}`
	a := post(t, h, "/v1/chat/completions", foreign)
	if got := a.header.Get("X-Retort-Ignored"); a.status != 200 || got != "N, Temperature, a??b, mirostat" || len(at(a.object(t), "choices").([]any)) != 1 {
		t.Errorf("foreign fields: %d %q", a.status, got)
	}
	_, strict := serve(t, func(o *Options) { o.Strict = true })
	if a := post(t, strict, "/v1/chat/completions", foreign); a.status != 400 || at(a.object(t), "error", "param") != "N" {
		t.Errorf("strict: %d %s", a.status, a.body)
	}
}

// TestBadRequests: what is no request is refused with its place, and never more than once.
func TestBadRequests(t *testing.T) {
	_, h := serve(t, nil)
	for _, c := range []struct {
		path, body, want string
		status           int
	}{
		{"/v1/chat/completions", `[]`, "no JSON object", 400},
		{"/v1/chat/completions", `{"model":`, "no JSON object", 400},
		{"/v1/chat/completions", strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), "nested", 400},
		{"/v1/chat/completions", `{"model":"none","messages":[{"role":"user","content":"x"}]}`, "no model", 404},
		{"/v1/chat/completions", `{"messages":[{"role":"king","content":"x"}]}`, "messages[0].role", 400},
		{"/v1/chat/completions", `{"messages":[{"role":"user"}]}`, "messages[0].content", 400},
		{"/v1/chat/completions", `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}`, "image_url", 400},
		{"/v1/chat/completions", `{"messages":[{"role":"user","content":"x"}],"model":"lab` + strings.Repeat(" ", maxBody) + `"}`, "bytes", 413},
		{"/v1/completions", `{"prompt":[999]}`, "token 999", 400},
		{"/v1/completions", `{"prompt":[-1]}`, "prompt", 400},
		{"/v1/completions", `{"prompt":""}`, "no tokens", 400},
		{"/v1/completions", `{"prompt":"x","suffix":"y"}`, "suffix", 400},
		{"/v1/completions", `{"prompt":"x","best_of":2}`, "best_of", 400},
		{"/v1/completions", `{"prompt":["x","y"],"n":200}`, "at most 256", 400},
		{"/detokenize", `{"tokens":[480]}`, "tokens", 400},
		{"/tokenize", `{}`, "prompt", 400},
		{"/v1/messages", `{"model":"lab","messages":[]}`, "max_tokens", 400},
		{"/v1/messages", `{"model":"lab","max_tokens":5,"messages":[{"role":"user","content":[{"type":"image"}]}]}`, "image", 400},
		{"/v1/messages", `{"model":"lab","max_tokens":5,"thinking":{"type":"enabled","budget_tokens":5},"messages":[{"role":"user","content":"x"}]}`, "budget_tokens", 400},
		{"/api/chat", `{"messages":[]}`, "model", 400},
		{"/api/chat", `{"model":"lab","messages":[{"role":"user","content":"x","images":["aa"]}]}`, "images", 400},
		{"/api/chat", `{"model":"lab","options":{"temperature":9},"messages":[{"role":"user","content":"x"}]}`, "temperature", 400},
		{"/api/generate", `{"model":"lab","prompt":"x","context":[1]}`, "context", 400},
		{"/nothing", `{}`, "no route", 404},
	} {
		a := post(t, h, c.path, c.body)
		if a.status != c.status || !strings.Contains(string(a.body), c.want) || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %.100s: %d %s, want %d %s", c.path, c.body, a.status, a.body, c.status, c.want)
		}
	}
}

// FuzzRequests: no request makes a handler fail, whatever it holds.
func FuzzRequests(f *testing.F) {
	s, err := New(Options{Models: []ModelSpec{{ID: "lab", Open: embedded}, {ID: "talk", Open: talker(talkTemplate, 64, 16, 1)}}})
	if err != nil {
		f.Fatal(err)
	}
	for i := range endpoints {
		for _, text := range []string{
			`{"model":"talk","messages":[{"role":"user","content":"x"}],"max_tokens":1,"logit_bias":{"1":1},"tools":[{"type":"function","function":{"name":"f","parameters":{}}}]}`,
			`{"model":"talk","prompt":[[1],[2]],"n":2,"max_tokens":1,"stop":["a"],"logprobs":1,"stream":true}`,
			`{"model":"talk","system":[{"type":"text","text":"s"}],"max_tokens":2,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"}]}]}`,
			`{"model":"talk","options":{"num_predict":1,"stop":"x"},"format":"json","think":"low","prompt":"x","raw":true,"content":"x","tokens":[1,2]}`,
			`{"model":"talk","messages":[{"role":"user","content":"x"}],"max_tokens":2,"continue_token_ids":[65,261,226],"return_token_ids":true}`,
			`{"thinking":{"type":"enabled","budget_tokens":0},"chat_template_kwargs":{"a":[1]},"messages":[{"role":"assistant","content":"a","reasoning_content":"b"}]}`,
		} {
			f.Add(uint8(i), text)
		}
	}
	f.Fuzz(func(t *testing.T, route uint8, text string) {
		method, path := routeOf(&endpoints[int(route)%len(endpoints)])
		// The work is bounded, so that what is tried is the reading.
		r := request(t, method, path, text)
		w := &discard{header: map[string][]string{}}
		s.Handler().ServeHTTP(w, r)
		if w.status == 0 || w.status >= 500 && w.status != 503 || s.metrics.panics.Load() > 0 {
			t.Fatalf("%s %q: status %d", path, text, w.status)
		}
	})
}

// FuzzDecoders: every decoder of a request takes the text as it is or refuses it, and what it takes becomes a plan or a refusal. The engine has no part
// in it.
func FuzzDecoders(f *testing.F) {
	for _, text := range []string{
		`{"model":"talk","messages":[{"role":"user","content":[{"type":"text","text":"x"}]}],"max_tokens":1,"logit_bias":{"1":1},"tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"$ref":"#/a"}}}],"tool_choice":"required","response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{}}}}`,
		`{"prompt":[[1],[2]],"n":2,"max_tokens":1,"stop":["a"],"logprobs":1,"stream":true,"echo":true,"suffix":null}`,
		`{"system":[{"type":"text","text":"s"}],"max_tokens":2,"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":"y"},{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"}]}],"thinking":{"type":"enabled","budget_tokens":1}}`,
		`{"options":{"num_predict":1,"stop":"x"},"format":{"type":"object"},"think":"low","prompt":"x","raw":true,"keep_alive":"5m","messages":[{"role":"tool","content":"x","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]}]}`,
		`{"content":"x","tokens":[1,2],"add_special":true,"name":"x","choice":3}`,
	} {
		f.Add(text)
	}
	tool := []openai.Tool{{Type: "function", Function: openai.Function{Name: "f"}}}
	f.Fuzz(func(t *testing.T, text string) {
		var chat openai.ChatRequest
		if _, err := decode([]byte(text), chatFields, &chat); err == nil {
			if p, err := chatPlan(&chat); err == nil && len(p.tools) <= maxTools {
				for _, style := range []toolStyle{hermesTools, llamaTools} {
					if c, err := callsBeside(style, append(p.tools, tool...), p.o.schema, p.oneCall); err == nil && c != nil && !json.Valid([]byte(c.Schema)) {
						t.Errorf("%q makes a schema that is no JSON: %s", text, c.Schema)
					}
				}
			}
		}
		var completion openai.CompletionRequest
		if _, err := decode([]byte(text), completionFields, &completion); err == nil {
			_, _ = completionPlan(&completion)
		}
		var messages messagesRequest
		if _, err := decode([]byte(text), messageFields, &messages); err == nil {
			_, _ = messages.plan()
		}
		for _, into := range []any{&tokenizeRequest{}, &struct {
			Model  string  `json:"model"`
			Tokens []int32 `json:"tokens"`
		}{}} {
			_, _ = decode([]byte(text), tokenizeFields, into)
		}
		for _, known := range []fields{ollamaChatFields, ollamaGenerateFields} {
			var q ollamaRequest
			if _, err := decode([]byte(text), known, &q); err != nil {
				continue
			}
			if list, err := q.messages(); err == nil {
				_, _, _ = q.plan(list)
			}
		}
	})
}
