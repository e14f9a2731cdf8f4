package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// TestMessages: Anthropic's dialect, at once and as events, says what OpenAI's says.
func TestMessages(t *testing.T) {
	_, h := serve(t, nil)
	plain := `{"model":"lab","max_tokens":200,"temperature":0,"messages":[{"role":"user","content":[{"type":"text","text":"` + question + `"}]}]`
	r := ok(t, h, "/v1/messages", plain+"}")
	o := ok(t, h, "/v1/chat/completions", body("lab", `,"max_tokens":200,"temperature":0`))
	if at(r, "content", 0, "thinking") != at(o, "choices", 0, "message", "reasoning_content") || at(r, "content", 1, "text") != at(o, "choices", 0, "message", "content") {
		t.Errorf("%v\n%v", r["content"], o["choices"])
	}
	if at(r, "usage", "output_tokens_details", "thinking_tokens") != at(o, "usage", "completion_tokens_details", "reasoning_tokens") ||
		at(r, "usage", "input_tokens") != at(o, "usage", "prompt_tokens") || at(r, "usage", "output_tokens") != at(o, "usage", "completion_tokens") || at(r, "stop_reason") != "end_turn" {
		t.Errorf("%v %v", r, o["usage"])
	}
	a := post(t, h, "/v1/messages", plain+`,"stream":true}`)
	names, texts := []string{}, map[string]string{}
	var last map[string]any
	list, _ := events(t, a.body)
	for i, e := range list {
		kind := at(e, "type").(string)
		if !bytes.Contains(a.body, []byte("event: "+kind+"\n")) {
			t.Errorf("event %d has no name", i)
		}
		if len(names) == 0 || names[len(names)-1] != kind {
			names = append(names, kind)
		}
		for _, field := range []string{"thinking", "text"} {
			if s, ok := at(e, "delta", field).(string); ok {
				texts[field] += s
			}
		}
		if kind == "message_delta" {
			last = e
		}
	}
	want := "message_start content_block_start content_block_delta content_block_stop content_block_start content_block_delta content_block_stop message_delta message_stop"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("events %s", got)
	}
	if texts["thinking"] != at(r, "content", 0, "thinking") || texts["text"] != at(r, "content", 1, "text") || at(last, "delta", "stop_reason") != "end_turn" ||
		!reflect.DeepEqual(at(last, "usage", "output_tokens_details"), at(r, "usage", "output_tokens_details")) ||
		at(last, "usage", "input_tokens") != at(r, "usage", "input_tokens") || at(last, "usage", "output_tokens") != at(r, "usage", "output_tokens") {
		t.Errorf("streamed %v, %v; whole %v", texts, last, r)
	}
	n := ok(t, h, "/v1/messages/count_tokens", `{"model":"lab","messages":[{"role":"user","content":"`+question+`"}]}`)
	if n["input_tokens"] != at(r, "usage", "input_tokens") {
		t.Errorf("%v counted, %v read", n, r["usage"])
	}
	for budget := range 12 {
		r := ok(t, h, "/v1/messages", fmt.Sprintf(`%s,"thinking":{"type":"enabled","budget_tokens":%d}}`, plain, budget))
		thought, _ := at(r, "content", 0, "thinking").(string)
		if at(r, "content", 0, "type") == "text" {
			thought = ""
		}
		tokens := ok(t, h, "/tokenize", fmt.Sprintf(`{"model":"lab","content":%q}`, thought))
		if n := tokens["count"].(float64); n > float64(budget) {
			t.Errorf("a budget of %d, and a thought of %v tokens: %q", budget, n, thought)
		}
	}
	r = ok(t, h, "/v1/messages", `{"model":"lab","max_tokens":100,"temperature":0,"stop_sequences":["+"],"messages":[{"role":"user","content":"`+question+`"}]}`)
	if at(r, "stop_reason") == "stop_sequence" && at(r, "stop_sequence") != "+" {
		t.Errorf("%v", r)
	}
	h2 := ok(t, h, "/apply-template", `{"model":"talk","messages":[{"role":"user","content":"x"}]}`)
	n = ok(t, h, "/v1/messages/count_tokens", `{"model":"talk","messages":[{"role":"user","content":"x"}]}`)
	if float64(len(h2["tokens"].([]any))) != n["input_tokens"] {
		t.Errorf("%v, %v", h2, n)
	}
}

// TestMessageTurns: thoughts, calls and results come to the template in their places.
func TestMessageTurns(t *testing.T) {
	var q messagesRequest
	if _, err := decode([]byte(`{"system":[{"type":"text","text":"s","cache_control":{}}],"messages":[{"role":"user","content":"u"},
		{"role":"assistant","content":[{"type":"thinking","thinking":"th","signature":""},{"type":"text","text":"a"},{"type":"tool_use","id":"1","name":"f","input":{"x":1}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"r"}]},{"type":"text","text":"go"}]}]}`), messageFields, &q); err != nil {
		t.Fatal(err)
	}
	p, err := q.plan()
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, m := range p.conversation.messages {
		got += fmt.Sprintf("%s:%s,%s,%d,%s|", m.Role, m.Content, m.Reasoning, len(m.ToolCalls), m.ToolCallID)
	}
	if want := "system:s,,0,|user:u,,0,|assistant:a,th,1,|tool:r,,0,1|user:go,,0,|"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// lines reads a body of JSON lines.
func lines(t *testing.T, body []byte) (list []map[string]any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	for d.More() {
		var v map[string]any
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

// TestOllama: Ollama's dialect, in lines and at once, says what OpenAI's says.
func TestOllama(t *testing.T) {
	_, h := serve(t, nil)
	o := ok(t, h, "/v1/chat/completions", body("lab", `,"max_tokens":200,"temperature":0`))
	thought, content := at(o, "choices", 0, "message", "reasoning_content"), at(o, "choices", 0, "message", "content")
	for path, text := range map[string]string{
		"/api/chat":     `{"model":"lab:latest","messages":[{"role":"user","content":"` + question + `"}],"options":{"temperature":0,"num_predict":200,"num_gpu":1}`,
		"/api/generate": `{"model":"lab","prompt":"` + question + `","options":{"temperature":0,"num_predict":200}`,
	} {
		parts := func(v map[string]any) (string, string) {
			if path == "/api/chat" {
				v, _ = v["message"].(map[string]any)
			} else if v["content"] = v["response"]; v["content"] == nil {
				v["content"] = ""
			}
			thinking, _ := v["thinking"].(string)
			return thinking, v["content"].(string)
		}
		whole := ok(t, h, path, text+`,"stream":false}`)
		if gotThought, got := parts(whole); gotThought != thought || got != content || whole["done"] != true || whole["done_reason"] != "stop" {
			t.Errorf("%s: %v", path, whole)
		}
		if whole["eval_count"] != at(o, "usage", "completion_tokens") || whole["prompt_eval_count"] != at(o, "usage", "prompt_tokens") || whole["total_duration"].(float64) <= 0 {
			t.Errorf("%s: counts %v", path, whole)
		}
		a := post(t, h, path, text+"}")
		if a.header.Get("Content-Type") != "application/x-ndjson" || path == "/api/chat" && a.header.Get("X-Retort-Ignored") != "options.num_gpu" {
			t.Errorf("%s: %v", path, a.header)
		}
		list := lines(t, a.body)
		sumThought, sum := "", ""
		for i, line := range list {
			x, y := parts(line)
			sumThought, sum = sumThought+x, sum+y
			if line["done"] != (i == len(list)-1) {
				t.Errorf("%s, line %d: %v", path, i, line)
			}
		}
		if sumThought != thought || sum != content {
			t.Errorf("%s: %q and %q", path, sumThought, sum)
		}
		off := ok(t, h, path, text+`,"stream":false,"think":false}`)
		if x, _ := parts(off); x != "" {
			t.Errorf("%s: think false thinks %q", path, x)
		}
		long := post(t, h, path, strings.Replace(text, question, strings.Repeat("x", 300), 1)+"}")
		if _, isText := at(long.object(t), "error").(string); long.status != 400 || !isText {
			t.Errorf("%s: overflow: %d %s", path, long.status, long.body)
		}
	}
	if r := ok(t, h, "/api/generate", `{"model":"talk"}`); r["done_reason"] != "load" {
		t.Errorf("load: %v", r)
	}
	if r := ok(t, h, "/api/generate", `{"model":"talk","prompt":"x","raw":true,"stream":false,"options":{"num_predict":3,"seed":1}}`); r["eval_count"] != 3.0 || r["prompt_eval_count"] != 1.0 {
		t.Errorf("raw: %v", r)
	}
	tags := at(send(t, h, "GET", "/api/tags", "").object(t), "models").([]any)
	if len(tags) != 4 || at(tags[1], "name") != "lab@nothink" {
		t.Errorf("tags: %v", tags)
	}
	ps := at(send(t, h, "GET", "/api/ps", "").object(t), "models").([]any)
	if len(ps) != 2 || at(ps[0], "context_length") != 256.0 {
		t.Errorf("ps: %v", ps)
	}
	show := ok(t, h, "/api/show", `{"model":"talk"}`)
	if fmt.Sprint(show["capabilities"]) != "[completion tools thinking]" || !strings.Contains(show["template"].(string), "<think>") || at(show, "model_info", "qwen2.context_length") != 4096.0 {
		t.Errorf("show: %v", show)
	}
}

// TestTokens: the small routes, in the forms of both servers that clients know them from.
func TestTokens(t *testing.T) {
	_, h := serve(t, nil)
	r := ok(t, h, "/tokenize", `{"model":"lab","prompt":"Use 3 é","return_token_strs":true}`)
	if texts := fmt.Sprint(r["token_strs"]); r["count"] != 5.0 || texts != `[Use  3   bytes:\xc3 bytes:\xa9]` {
		t.Errorf("%v", r)
	}
	if got := ok(t, h, "/detokenize", fmt.Sprintf(`{"model":"lab","tokens":%s}`, strings.ReplaceAll(fmt.Sprint(r["tokens"]), " ", ",")))["content"]; got != "Use 3 é" {
		t.Errorf("there and back: %q", got)
	}
	for special, want := range map[string]float64{"true": 1, "false": 8} {
		r := ok(t, h, "/tokenize", `{"model":"lab","content":"<|user|>","parse_special":`+special+`,"with_pieces":true}`)
		if r["count"] != want {
			t.Errorf("parse_special %s: %v", special, r)
		}
	}
	r = ok(t, h, "/tokenize", `{"model":"talk","messages":[{"role":"user","content":"x"}]}`)
	if p := ok(t, h, "/apply-template", `{"model":"talk","messages":[{"role":"user","content":"x"}]}`); !reflect.DeepEqual(p["tokens"], r["tokens"]) || p["begins"] != "thinking" {
		t.Errorf("%v, %v", p, r)
	}
	if p := ok(t, h, "/apply-template", `{"model":"talk@nothink","messages":[{"role":"user","content":"x"}]}`); p["begins"] != "answering" {
		t.Errorf("without thoughts: %v", p)
	}
	models := send(t, h, "GET", "/v1/models", "").object(t)
	if len(models["data"].([]any)) != 4 || at(models, "data", 1, "id") != "lab@nothink" || at(models, "data", 0, "created") != 1700000000.0 {
		t.Errorf("%v", models)
	}
	if a := send(t, h, "GET", "/v1/models/talk@nothink", ""); a.object(t)["id"] != "talk@nothink" {
		t.Errorf("%s", a.body)
	}
	if a := send(t, h, "GET", "/v1/models/nothing", ""); a.status != 404 {
		t.Errorf("%d", a.status)
	}
}
