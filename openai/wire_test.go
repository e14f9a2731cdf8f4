package openai

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// A request that is read and written again says the same, foreign fields included.
func TestChatRequestKeepsEveryField(t *testing.T) {
	const text = `{"model":"m","messages":[` +
		`{"role":"system","content":"<be brief>"},` +
		`{"role":"user","content":[{"type":"text","text":"What is it?"},{"type":"image_url","image_url":{"url":"data:x"}}]},` +
		`{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},` +
		`{"role":"tool","content":"2","tool_call_id":"c1"}],` +
		`"max_tokens":7,"max_completion_tokens":8,"temperature":0,"top_p":0.95,"n":2,"seed":3,"stop":["a","b"],"stream":true,"stream_options":{"include_usage":true},` +
		`"logprobs":true,"top_logprobs":5,"frequency_penalty":0.5,"presence_penalty":-0.5,"logit_bias":{"7":-100},"response_format":{"type":"json_object"},` +
		`"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}}],"tool_choice":"auto","parallel_tool_calls":false,` +
		`"reasoning_effort":"low","user":"u","chat_template_kwargs":{"enable_thinking":false},"top_k":20}`
	var r ChatRequest
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Extra) != 2 || string(r.Extra["top_k"]) != "20" {
		t.Errorf("extra fields: %s", r.Extra)
	}
	if got := r.Messages[1].Content.String(); got != "What is it?" {
		t.Errorf("the text of the parts is %q", got)
	}
	if thought, ok := r.Messages[2].Thought(); !ok || thought != "hm" || r.Messages[2].Content != nil {
		t.Errorf("message 2: %+v", r.Messages[2])
	}
	again, err := marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != text {
		t.Errorf("written again:\n%s\nwant\n%s", again, text)
	}
	r.Extra = Extra{"n": json.RawMessage("3")}
	if _, err := json.Marshal(r); err == nil || !strings.Contains(err.Error(), `extra field "n" has a place of its own`) {
		t.Errorf("a field twice: %v", err)
	}
}

func TestLooseForms(t *testing.T) {
	for text, want := range map[string]Prompt{
		`"a"`: {Texts: []string{"a"}}, `["a","b"]`: {Texts: []string{"a", "b"}}, `[1,2]`: {Tokens: [][]int32{{1, 2}}}, `[[1],[2]]`: {Tokens: [][]int32{{1}, {2}}},
	} {
		var got Prompt
		if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("prompt %s: %+v, %v", text, got, err)
		}
		if again, err := json.Marshal(got); err != nil || string(again) != text {
			t.Errorf("prompt %s written again: %s, %v", text, again, err)
		}
	}
	for _, text := range []string{`{}`, `null`, `[1,"a"]`, `3`, `[[1],"a"]`} {
		var got Prompt
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("prompt %s: got %+v", text, got)
		}
	}
	var r CompletionRequest
	if err := json.Unmarshal([]byte(`{"model":"m","prompt":"x","stop":"end","min_p":0.1}`), &r); err != nil || len(r.Stop) != 1 || r.Extra["min_p"] == nil {
		t.Errorf("completion request %+v, %v", r, err)
	}
	if err := json.Unmarshal([]byte(`{"stop":null}`), &r); err != nil || r.Stop != nil {
		t.Errorf("no stop: %+v, %v", r, err)
	}
	if err := json.Unmarshal([]byte(`{"stop":7}`), &r); err == nil {
		t.Error("stop 7 is taken")
	}
	for text, want := range map[string]string{
		`{"reasoning":"r"}`: "r", `{"reasoning_content":"c"}`: "c", `{"reasoning":"r","reasoning_content":"c"}`: "c",
		`{"reasoning":"r","reasoning_content":""}`: "r", `{"reasoning":{"effort":"low"}}`: "", `{"reasoning":null}`: "", `{}`: "",
	} {
		var d Delta
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if got, _ := d.Thought(); got != want {
			t.Errorf("%s: thought %q, want %q", text, got, want)
		}
	}
}

func TestErrorForms(t *testing.T) {
	for body, want := range map[string]Error{
		`{"error":{"message":"m","type":"t","param":"p","code":"c"}}`:      {Message: "m", Type: "t", Param: "p", Code: "c"},
		`{"error":{"message":"m","type":"t","param":null,"code":400}}`:     {Message: "m", Type: "t", Code: "400"},
		`{"error":"model 'x' not found"}`:                                  {Message: "model 'x' not found"},
		`{"object":"error","message":"too long","type":"BadRequestError"}`: {Message: "too long", Type: "BadRequestError"},
		`{"detail":"Not Found"}`:                                           {Message: "Not Found"},
		`{"detail":[{"loc":["body","n"]}]}`:                                {Message: `[{"loc":["body","n"]}]`},
		`{"message":"no route"}`:                                           {Message: "no route"},
		"<html>\n502</html>":                                               {Message: "<html>\n502</html>"},
		"":                                                                 {Message: "no message"},
		`{"error":[1]}`:                                                    {Message: `[1]`},
		`{"error":{"message":"Rate limit","type":"tokens","code":null}}`:       {Message: "Rate limit", Type: "tokens"},
		`{"error":{"message":{"inner":1},"type":"t","param":["a"],"code":""}}`: {Message: `{"inner":1}`, Type: "t", Param: `["a"]`},
	} {
		want.Status = 400
		if got := parseError(400, []byte(body)); *got != want {
			t.Errorf("%s: got %+v, want %+v", body, *got, want)
		}
	}
	e := Error{Status: 429, Message: "slow\ndown " + strings.Repeat("x", 1000), Type: "t", Code: "c"}
	if text := e.Error(); !strings.HasPrefix(text, "openai: the server answers 429 c t: slow down xxx") || len(text) > 500 || strings.Contains(text, "\n") {
		t.Errorf("printed: %s", text)
	}
	wire, err := json.Marshal(ErrorResponse{&Error{Message: "m", Type: "t", Param: "n"}})
	if err != nil || string(wire) != `{"error":{"message":"m","type":"t","param":"n","code":null}}` {
		t.Errorf("written: %s, %v", wire, err)
	}
	for _, text := range []string{`{}`, `{"error":null}`, `{"choices":[]}`, `x`} {
		if e := errorIn([]byte(text)); e != nil {
			t.Errorf("%s: an error %+v", text, e)
		}
	}
}

func TestSecretIsNotPrinted(t *testing.T) {
	o := Options{BaseURL: "http://x", Key: "sk-very-secret"}
	wire, err := json.Marshal(o.Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(o), fmt.Sprintf("%+v %#v %q %x", o, o, o.Key, o.Key), string(wire)} {
		if strings.Contains(text, "very") || strings.Contains(text, "736b2d") || !strings.Contains(text, "[secret]") {
			t.Errorf("printed: %s", text)
		}
	}
}
