package server

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/tokenizer"
)

// The templates of replies that begin otherwise than within a thought, and of marks that no token stands for.
const (
	openTemplate    = `{%- for m in messages %}<|user|>{{ m.content }}<|end|>{% endfor -%}{%- if add_generation_prompt %}<|assistant|>{% endif %}{# <think> #}`
	markTemplate    = `{%- for m in messages %}<|user|>{{ m.content }}<|end|>{% endfor -%}{%- if add_generation_prompt %}<|assistant|>[THINK]{% endif %}`
	markAnyTemplate = `{%- for m in messages %}<|user|>{{ m.content }}<|end|>{% endfor -%}{%- if add_generation_prompt %}<|assistant|>{% endif %}{# [THINK] #}`
)

// numbers are the ids of a JSON list.
func numbers(t *testing.T, v any) []int32 {
	t.Helper()
	list, ok := v.([]any)
	if !ok {
		t.Fatalf("no list of ids: %v", v)
	}
	ids := make([]int32, len(list))
	for i, x := range list {
		ids[i] = int32(x.(float64))
	}
	return ids
}

// idList writes ids as JSON.
func idList(ids []int32) string { return strings.ReplaceAll(fmt.Sprint(ids), " ", ",") }

// gone is all that a reply says, its usage apart.
type gone struct {
	ids             []int32
	thought, answer string
	finish, code    any
	ended           any
	calls           string
}

// goneOf reads the only choice of a whole reply; the ids of calls are random.
func goneOf(t *testing.T, r map[string]any) gone {
	t.Helper()
	text := func(name string) string { s, _ := at(r, "choices", 0, "message", name).(string); return s }
	g := gone{thought: text("reasoning_content"), answer: text("content"), finish: at(r, "choices", 0, "finish_reason"), code: at(r, "choices", 0, "code"), ended: at(r, "choices", 0, "reasoning_ended")}
	if list := at(r, "choices", 0, "token_ids"); list != nil {
		g.ids = numbers(t, list)
	}
	calls, _ := at(r, "choices", 0, "message", "tool_calls").([]any)
	for _, c := range calls {
		g.calls += fmt.Sprint(at(c, "function", "name"), at(c, "function", "arguments"))
	}
	return g
}

// streamed reads the same of a stream, with what its first event says of the prompt.
func streamed(t *testing.T, body []byte) (g gone, first map[string]any) {
	t.Helper()
	list, done := events(t, body)
	if !done || len(list) == 0 {
		t.Fatalf("no end: %.300s", body)
	}
	g.ids = []int32{}
	for i, e := range list {
		if i > 0 && (e["prompt_token_ids"] != nil || e["continued"] != nil) {
			t.Errorf("event %d tells the prompt's ids again", i)
		}
		c := at(e, "choices", 0)
		text := func(name string) string { s, _ := at(c, "delta", name).(string); return s }
		g.thought += text("reasoning_content")
		g.answer += text("content")
		if ids := at(c, "token_ids"); ids != nil {
			g.ids = append(g.ids, numbers(t, ids)...)
		}
		if f := at(c, "finish_reason"); f != nil {
			g.finish, g.code, g.ended = f, at(c, "code"), at(c, "reasoning_ended")
		}
	}
	return g, list[0]
}

// TestExact: a reply that is begun by the ids of another one goes on as that did, id for id and text for text, greedy or drawn, within the thought and behind
// it, at marks and within characters; and the counts are exact.
func TestExact(t *testing.T) {
	_, h := serve(t, func(o *Options) {
		fixed(`{"name":"add","arguments":{"a":1}}`)(o)
		o.Models = append(o.Models, ModelSpec{ID: "lab", Bytes: 10 << 20, Open: embedded})
		for name, template := range map[string]string{"open": openTemplate, "marks": markTemplate, "any": markAnyTemplate} {
			o.Models = append(o.Models, ModelSpec{ID: name, Bytes: 1 << 20, Open: talker(template, 4096, 16, 3)})
		}
	})
	const most = 60
	anew, cuts, ends := 0, 0, map[any]int{}
	for _, c := range []struct{ model, rest string }{
		{"lab", `"temperature":0`}, {"lab", `"seed":4`}, {"lab", `"seed":5,"thinking_budget":9`}, {"talk", `"temperature":0,"frequency_penalty":2`},
		{"talk", `"seed":2,"temperature":1.3,"top_p":1`}, {"talk", `"seed":3,"thinking_budget":7,"presence_penalty":1`}, {"talk", `"temperature":0`},
		{"talk", `"seed":6,"stop":["7","a"],"stop_in_reasoning":true,"temperature":2,"top_p":1`}, {"talk", `"seed":7,"thinking_budget":4,"stop":["1","2","e"],"temperature":2,"top_p":1`},
		{"open", `"seed":1,"temperature":2,"top_p":1,"thinking":{"type":"enabled","budget_tokens":12}`}, {"open", `"temperature":0,"frequency_penalty":2`},
		{"marks", `"seed":8,"thinking_budget":11,"temperature":2,"top_p":1`}, {"marks", `"temperature":0,"presence_penalty":2,"answer_reserve":30`},
		{"any", `"seed":9,"thinking":{"type":"enabled","budget_tokens":14},"temperature":1.5`},
		{"talk", `"seed":1,"thinking_budget":3,"tool_choice":"required",` + tools},
	} {
		request := func(n int, more string) string {
			return body(c.model, fmt.Sprintf(`,%s,"max_tokens":%d,"return_token_ids":true%s`, c.rest, n, more))
		}
		r := ok(t, h, "/v1/chat/completions", request(most, ""))
		whole := goneOf(t, r)
		seed := ""
		if !strings.Contains(c.rest, "seed") {
			seed = fmt.Sprintf(`,"seed":%.0f`, at(r, "choices", 0, "seed"))
		}
		prompt := numbers(t, r["prompt_token_ids"])
		count := func(r map[string]any, name ...any) int {
			return int(at(at(r, "usage"), name...).(float64))
		}
		if len(prompt) != count(r, "prompt_tokens") || r["continued"] != nil {
			t.Fatalf("%v: %d ids of a prompt of %v, continued %v", c, len(prompt), at(r, "usage", "prompt_tokens"), r["continued"])
		}
		thought := 0 // tokens of it that were given
		for k := 1; k < len(whole.ids); k++ {
			if k > 6 && k%3 > 0 && c.model != "lab" {
				continue
			}
			given := whole.ids[:k]
			more := fmt.Sprintf(`,"continue_token_ids":%s%s`, idList(given), seed)
			rest := ok(t, h, "/v1/chat/completions", request(most-k, more))
			got := goneOf(t, rest)
			begun := at(rest, "continued")
			joined := got
			joined.ids = slices.Concat(numbers(t, at(begun, "token_ids")), got.ids)
			if s, _ := at(begun, "reasoning_content").(string); s != "" {
				joined.thought = s + got.thought
			}
			if s, _ := at(begun, "content").(string); s != "" {
				joined.answer = s + got.answer
			}
			if !reflect.DeepEqual(joined, whole) {
				t.Fatalf("%v, cut at %d: %+v behind %v\nwant %+v", c, k, got, begun, whole)
			}
			if ids := numbers(t, rest["prompt_token_ids"]); !slices.Equal(ids, slices.Concat(prompt, given)) || len(ids) != count(rest, "prompt_tokens") || count(rest, "completion_tokens") != count(r, "completion_tokens")-k {
				t.Fatalf("%v, cut at %d: usage %v of %v", c, k, rest["usage"], r["usage"])
			}
			now := count(r, "completion_tokens_details", "reasoning_tokens") - count(rest, "completion_tokens_details", "reasoning_tokens")
			if now < thought || now > thought+3 && c.model != "marks" && c.model != "any" {
				t.Fatalf("%v, cut at %d: %d tokens of the thought are given, after %d", c, k, now, thought)
			}
			thought = now
			cuts++
			if k%4 > 0 {
				continue
			}
			stream, first := streamed(t, post(t, h, "/v1/chat/completions", request(most-k, more+`,"stream":true`)).body)
			if stream.calls = got.calls; !reflect.DeepEqual(stream, got) || !reflect.DeepEqual(first["continued"], begun) || !reflect.DeepEqual(first["prompt_token_ids"], rest["prompt_token_ids"]) {
				t.Fatalf("%v, cut at %d: streamed %+v behind %v, want %+v behind %v", c, k, stream, first["continued"], got, begun)
			}
		}
		if thought > count(r, "completion_tokens_details", "reasoning_tokens") {
			t.Errorf("%v: %d tokens of thought given of %v", c, thought, r["usage"])
		}
		ends[whole.ended]++
		if text := tokenizer.Lab().Decode(whole.ids); c.model == "talk" && !slices.Equal(tokenizer.Lab().Encode(text), whole.ids) {
			anew++
		}
	}
	if cuts < 200 || anew < 3 || ends["model"] == 0 || ends["budget"] == 0 || ends["reserve"] == 0 {
		t.Errorf("%d cuts, %d replies whose text has other ids, ends %v", cuts, anew, ends)
	}
}

// TestExactIsNeeded: the text of a greedy thought, encoded anew, has other ids, and is gone on with otherwise.
func TestExactIsNeeded(t *testing.T) {
	_, h := serve(t, nil)
	bias := "" // no byte that is no printable character: the ids are others all the same
	for id := range 256 {
		if id < ' ' || id > '~' {
			bias += fmt.Sprintf(`"%d":-100,`, id)
		}
	}
	greedy := `,"temperature":0,"frequency_penalty":2,"logit_bias":{` + strings.TrimSuffix(bias, ",") + `},"max_tokens":%d,"return_token_ids":true%s`
	whole := goneOf(t, ok(t, h, "/v1/chat/completions", body("talk", fmt.Sprintf(greedy, 60, ""))))
	const k = 30
	begun := ok(t, h, "/v1/chat/completions", body("talk", fmt.Sprintf(greedy, 60-k, `,"continue_token_ids":`+idList(whole.ids[:k]))))
	text := at(begun, "continued", "reasoning_content").(string)
	if !strings.HasPrefix(whole.thought, text) || text == "" || !slices.Equal(goneOf(t, begun).ids, whole.ids[k:]) {
		t.Fatalf("%q is no beginning of %q", text, whole.thought)
	}
	byText := ok(t, h, "/v1/chat/completions", fmt.Sprintf(`{"model":"talk","messages":[{"role":"user","content":%q},{"role":"assistant","content":"","reasoning_content":%q}]`+greedy+`}`, question, text, 60-k, ""))
	t.Logf("%q: %d ids drawn, %d of the text", text, k, len(numbers(t, at(byText, "continued", "token_ids"))))
	ids := numbers(t, at(byText, "continued", "token_ids"))
	if slices.Equal(ids, whole.ids[:k]) || slices.Equal(goneOf(t, byText).ids, whole.ids[k:]) || at(byText, "continued", "reasoning_content") != text {
		t.Fatalf("the text has the same ids: the case shows nothing")
	}
	// From the ids that the text was given it can be gone on with exactly, too. Penalties and the reserve count what a sample has: there, the ids drawn.
	greedy = strings.Replace(greedy, `"frequency_penalty":2,`, `"answer_reserve":8,`, 1)
	byText = ok(t, h, "/v1/chat/completions", fmt.Sprintf(`{"model":"talk","messages":[{"role":"user","content":%q},{"role":"assistant","content":"","reasoning_content":%q}]`+greedy+`}`, question, text, 60-k, ""))
	all := slices.Concat(ids, goneOf(t, byText).ids)
	again := ok(t, h, "/v1/chat/completions", body("talk", fmt.Sprintf(greedy, 20, `,"continue_token_ids":`+idList(all[:len(ids)+10]))))
	if !slices.Equal(goneOf(t, again).ids, all[len(ids)+10:]) {
		t.Errorf("got %v, want %v", goneOf(t, again).ids, all[len(ids)+10:])
	}
}

// TestContinueRefused: ids that cannot be gone on with are refused in one line that names the field.
func TestContinueRefused(t *testing.T) {
	_, h := serve(t, nil)
	long := strings.TrimSuffix(strings.Repeat("65,", 5000), ",")
	end, _ := tokenizer.Lab().ID(tokenizer.End)
	for _, c := range []struct{ rest, want string }{
		{`"continue_token_ids":[65,480]`, "number 1 is 480, want 0 to 479"},
		{`"continue_token_ids":[-1]`, "got -1, want 0 to 2147483647"},
		{`"continue_token_ids":[1e12]`, "got 1e12"},
		{`"continue_token_ids":[1.5]`, "got 1.5"},
		{`"continue_token_ids":["a"]`, "a whole number"},
		{`"continue_token_ids":7`, "want a list"},
		{fmt.Sprintf(`"continue_token_ids":[65,%d]`, end), fmt.Sprintf("number 1 is %d, which ends the reply", end)},
		{`"continue_token_ids":[` + long + `]`, "the context 4096"},
	} {
		a := post(t, h, "/v1/chat/completions", body("talk", ","+c.rest))
		message, _ := at(a.object(t), "error", "message").(string)
		param := at(a.object(t), "error", "param")
		if a.status != 400 || !strings.Contains(message, c.want) || strings.Contains(message, "\n") || param != "continue_token_ids" && !strings.Contains(c.want, "context") {
			t.Errorf("%.60s: %d %v %q, want %q", c.rest, a.status, param, message, c.want)
		}
	}
	for _, last := range []string{`"content":"a"`, `"content":"","reasoning_content":"b"`} {
		a := post(t, h, "/v1/chat/completions", `{"model":"talk","continue_token_ids":[65],"messages":[{"role":"user","content":"x"},{"role":"assistant",`+last+`}]}`)
		if a.status != 400 || at(a.object(t), "error", "param") != "continue_token_ids" {
			t.Errorf("beside %s: %d %s", last, a.status, a.body)
		}
	}
	// None at all is nothing that is gone on with.
	r := ok(t, h, "/v1/chat/completions", body("talk", `,"continue_token_ids":[],"max_tokens":3`))
	if r["continued"] != nil || r["prompt_token_ids"] != nil || at(r, "choices", 0, "token_ids") != nil {
		t.Errorf("ids that were not asked for: %v", r)
	}
}

// TestContinuedPrompt: the state that the ids leave is told, and the prompts of completions are.
func TestContinuedPrompt(t *testing.T) {
	_, h := serve(t, nil)
	lab := tokenizer.Lab()
	shut, _ := lab.ID(tokenizer.EndThink)
	for begins, ids := range map[string][]int32{"thinking": {65}, "answering": {65, shut}} {
		p := ok(t, h, "/apply-template", body("talk", `,"continue_token_ids":`+idList(ids)))
		if all := numbers(t, p["tokens"]); p["begins"] != begins || !slices.Equal(all[len(all)-len(ids):], ids) || !strings.HasSuffix(p["prompt"].(string), lab.DecodeText(ids, noSpecial(false))) {
			t.Errorf("%v: %v", ids, p)
		}
	}
	r := ok(t, h, "/v1/completions", `{"model":"talk","prompt":[[65,66],[67]],"max_tokens":2,"n":2,"return_token_ids":true}`)
	for i, want := range [][]int32{{65, 66}, {65, 66}, {67}, {67}} {
		if got := at(r, "choices", i, "prompt_token_ids"); got == nil || !slices.Equal(numbers(t, got), want) {
			t.Errorf("choice %d: %v, want %v", i, got, want)
		}
	}
	list, _ := events(t, post(t, h, "/v1/completions", `{"model":"talk","prompt":[65,66],"max_tokens":40,"seed":1,"stream":true,"return_token_ids":true}`).body)
	for i, e := range list {
		if told := at(e, "choices", 0, "prompt_token_ids"); (told != nil) != (i == 0) {
			t.Errorf("event %d of %d: the prompt is %v", i, len(list), told)
		}
	}
	a := ok(t, h, "/v1/chat/completions", body("talk", `,"logprobs":true,"top_logprobs":2,"max_tokens":5,"return_token_ids":true`))
	ids := numbers(t, at(a, "choices", 0, "token_ids"))
	entries := append(at(a, "choices", 0, "logprobs", "reasoning").([]any), at(a, "choices", 0, "logprobs", "content").([]any)...)
	for i, e := range entries {
		if at(e, "id") != float64(ids[i]) || at(e, "top_logprobs", 0, "id") == nil {
			t.Errorf("entry %d: %v, want the id %d", i, e, ids[i])
		}
	}
}

// TestRecordedBeginnings: each recorded reply, begun by any number of its ids, says the same as it did whole.
func TestRecordedBeginnings(t *testing.T) {
	lab := tokenizer.Lab()
	for _, marked := range []bool{true, false} {
		tags := chat.KnownTags[0]
		if marked {
			tags = tags.WithIDs(lab)
		}
		for _, c := range recorded {
			if !marked && strings.Contains(c.text, `"</think>"`) {
				continue // text and mark cannot be told apart there
			}
			ids := pieces(lab, c.text)
			begin := func(given []int32) *view {
				return newView(&ask{begun: begun{Prompt: chat.Prompt{Tags: tags, State: c.state}, given: given, exact: given != nil}, model: &loaded{Model: &Model{Tokenizer: lab}}, split: true,
					stops: c.stops, style: hermesTools, o: &sampling{keepSpecial: !marked}})
			}
			said := func(v *view, ids []int32) (sum string, tokens int) {
				all := v.said
				for _, id := range ids {
					n := v.push(id)
					all.thought, all.answer, all.calls = all.thought+n.thought, all.answer+n.answer, append(all.calls, n.calls...)
				}
				n := v.end()
				all.thought, all.answer, all.calls = all.thought+n.thought, all.answer+n.answer, append(all.calls, n.calls...)
				sum = all.thought + "|" + all.answer
				for _, k := range all.calls {
					sum += "|" + k.name + k.arguments
				}
				return sum, v.thoughtTokens()
			}
			want, tokens := said(begin(nil), ids)
			before := tokens
			for k := 1; k <= len(ids); k++ {
				v := begin(ids[:k])
				if first := begin(nil); len(c.stops) > 0 {
					for _, id := range ids[:k] {
						first.push(id)
					}
					if first.stop.hit {
						break
					}
				}
				got, left := said(v, ids[k:])
				if got != want || left > before || left < before-1 || k == len(ids) && left != 0 {
					t.Errorf("%s %q, marks as ids %v, cut at %d: %q with %d of %d tokens thought, want %q", c.state, c.text, marked, k, got, left, tokens, want)
				}
				before = left
			}
		}
	}
}
