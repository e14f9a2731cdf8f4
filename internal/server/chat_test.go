package server

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tokenizer"
)

func body(model, rest string) string {
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%q}]%s}`, model, question, rest)
}

// TestChat: a whole reply and its stream say the same, and count the same.
func TestChat(t *testing.T) {
	_, h := serve(t, nil)
	for _, c := range []struct{ model, rest string }{
		{"lab", `,"seed":1`}, {"lab", `,"seed":3,"n":5`}, {"lab", `,"seed":2,"max_tokens":17`}, {"talk", `,"seed":5,"max_tokens":60,"n":3`},
		{"talk", `,"seed":5,"max_tokens":60,"stop":["7","a"]`}, {"lab@nothink", `,"seed":4`}, {"talk@nothink", `,"max_tokens":20,"seed":1`},
	} {
		whole := ok(t, h, "/v1/chat/completions", body(c.model, c.rest))
		a := post(t, h, "/v1/chat/completions", body(c.model, c.rest+`,"stream":true,"stream_options":{"include_usage":true}`))
		list, done := events(t, a.body)
		if !done || a.header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("%v: no end: %.300s", c, a.body)
		}
		choices := at(whole, "choices").([]any)
		type sum struct {
			thought, thought2, answer string
			finish, code              any
			seed                      any
		}
		sums := make([]sum, len(choices))
		for _, e := range list {
			for _, v := range at(e, "choices").([]any) {
				s := &sums[int(at(v, "index").(float64))]
				piece := func(name string) string { text, _ := at(v, "delta", name).(string); return text }
				s.thought += piece("reasoning_content")
				s.thought2 += piece("reasoning")
				s.answer += piece("content")
				if f := at(v, "finish_reason"); f != nil {
					s.finish, s.code = f, at(v, "code")
				}
				if x := at(v, "seed"); x != nil {
					s.seed = x
				}
			}
		}
		for i, choice := range choices {
			text := func(name string) string { s, _ := at(choice, "message", name).(string); return s }
			want := sum{text("reasoning_content"), text("reasoning"), text("content"), at(choice, "finish_reason"), at(choice, "code"), at(choice, "seed")}
			if sums[i] != want || want.thought != want.thought2 {
				t.Errorf("%v, choice %d:\nstream %+v\nwhole  %+v", c, i, sums[i], want)
			}
			if strings.Contains(want.thought+want.answer, "think>") {
				t.Errorf("%v: a mark in %+v", c, want)
			}
		}
		// What was cached differs: the first request has left it.
		usage, streamed := at(whole, "usage").(map[string]any), at(list[len(list)-1], "usage").(map[string]any)
		delete(usage, "prompt_tokens_details")
		delete(streamed, "prompt_tokens_details")
		if !reflect.DeepEqual(usage, streamed) {
			t.Errorf("%v: usage %v, streamed %v", c, usage, streamed)
		}
		if strings.HasSuffix(c.model, noThink) && at(usage, "completion_tokens_details", "reasoning_tokens") != 0.0 {
			t.Errorf("%v: it thinks: %v", c, usage)
		}
	}
}

// TestSamples: many replies come from one prompt, and each of them again from the seed that is told.
func TestSamples(t *testing.T) {
	s, h := serve(t, nil)
	all := ok(t, h, "/v1/chat/completions", body("lab", `,"n":64`))
	seeds := map[float64]bool{}
	for i, choice := range at(all, "choices").([]any) {
		seed := at(choice, "seed").(float64)
		if seeds[seed] {
			t.Errorf("seed %v stands twice", seed)
		}
		seeds[seed] = true
		if i%8 != 0 {
			continue
		}
		one := ok(t, h, "/v1/chat/completions", body("lab", fmt.Sprintf(`,"seed":%.0f`, seed)))
		if got := at(one, "choices", 0, "message"); !reflect.DeepEqual(got, at(choice, "message")) {
			t.Errorf("choice %d: %v, alone %v", i, at(choice, "message"), got)
		}
	}
	if len(seeds) != 64 {
		t.Errorf("%d choices", len(seeds))
	}
	prompt := int(at(all, "usage", "prompt_tokens").(float64))
	stats := s.models.entries[0].ready.Engine.Stats()
	if stats.PromptEvaluated > 2*prompt+8 || stats.PromptShared < 63*(prompt-1) {
		t.Errorf("%d prompt positions evaluated and %d shared of 64 samples with %d each, and 8 more", stats.PromptEvaluated, stats.PromptShared, prompt)
	}
}

// TestBudgets: at every budget there is an answer or a code, and the thought is no longer than asked.
func TestBudgets(t *testing.T) {
	_, h := serve(t, nil)
	for _, rest := range []string{`"max_tokens":1`, `"max_tokens":2`, `"max_tokens":8`, `"max_tokens":64`, `"max_tokens":128`, `"max_completion_tokens":200`,
		`"thinking":{"type":"enabled","budget_tokens":9}`, `"thinking":{"type":"disabled"}`, `"thinking_budget":5`, `"reasoning_effort":"none"`,
		`"reasoning":{"max_tokens":7}`, `"answer_reserve":0,"max_tokens":4`} {
		r := ok(t, h, "/v1/chat/completions", body("lab", `,"seed":11,`+rest))
		content, code := at(r, "choices", 0, "message", "content"), at(r, "choices", 0, "code")
		if (content == nil || content == "") != (code == "no_answer") {
			t.Errorf("%s: content %v, code %v", rest, content, code)
		}
		used := at(r, "usage", "completion_tokens_details", "reasoning_tokens").(float64)
		for budget, sign := range map[float64]string{9: `:9}`, 5: `:5`, 7: `:7}`, 0: `none"`} {
			if strings.HasSuffix(rest, sign) && used > budget {
				t.Errorf("%s: a thought of %v tokens", rest, used)
			}
		}
		if strings.Contains(rest, "reserve") && (code != "no_answer" || content != nil || at(r, "choices", 0, "finish_reason") != "length" || used != 4) {
			t.Errorf("%s: %v", rest, r)
		}
	}
}

// TestReserve: a thought that would not end leaves a share for the answer, and one that goes in circles is closed before.
func TestReserve(t *testing.T) {
	_, h := serve(t, nil)
	const endless = `,"logit_bias":{"259":-100,"261":-100},"temperature":2,"top_p":1,`
	for most, least := range map[int]float64{64: 32, 400: 200, 2000: 500} {
		r := ok(t, h, "/v1/chat/completions", body("talk", fmt.Sprintf(`%s"max_tokens":%d`, endless, most)))
		used, all := at(r, "usage", "completion_tokens_details", "reasoning_tokens").(float64), at(r, "usage", "completion_tokens").(float64)
		if all != float64(most) || all-used < least || all-used > least+2 || at(r, "choices", 0, "reasoning_ended") != "reserve" || at(r, "choices", 0, "message", "content") == "" {
			t.Errorf("%d tokens: %v of them thought, ended by %v", most, used, at(r, "choices", 0, "reasoning_ended"))
		}
	}
	a := post(t, h, "/v1/chat/completions", body("talk", `,"temperature":0,"logit_bias":{"259":-100,"261":-100},"max_tokens":3000,"answer_reserve":0`))
	r := a.object(t)
	if used := at(r, "usage", "completion_tokens_details", "reasoning_tokens").(float64); at(r, "choices", 0, "reasoning_ended") != "loop" || used > 1000 {
		t.Errorf("a loop: %v tokens, ended by %v", used, at(r, "choices", 0, "reasoning_ended"))
	}
	if !strings.Contains(a.header.Get("X-Retort-Warning"), "temperature 0") {
		t.Errorf("greedy: warned %q", a.header.Get("X-Retort-Warning"))
	}
}

// TestLoopCloses: the thought of a model that runs in a circle is closed when the circle has come again twice, one of fewer than 32 tokens when it has come
// again for 64; each circle is that of another bias.
func TestLoopCloses(t *testing.T) {
	_, h := serve(t, func(o *Options) {
		o.Models = append(o.Models, ModelSpec{ID: "wander", Bytes: 1 << 20, Open: func(context.Context) (*Model, error) {
			lab := tokenizer.Lab()
			// Each token has a follower of its own, so that circles have any length.
			m, err := model.New(model.Config{
				Architecture: model.Qwen2, VocabSize: lab.Size(), Width: 64, Layers: 1, Heads: 2, KVHeads: 1, HeadSize: 8, FFN: 128,
				MaxPositions: 4096, RopeTheta: 10000, NormEpsilon: 1e-6, BOS: -1, EOS: -1,
			}, 8)
			if err != nil {
				return nil, err
			}
			template, err := chat.Parse(talkTemplate)
			if err != nil {
				return nil, err
			}
			return ready(m, lab, &chat.Config{Template: template})
		}})
	})
	seen := map[bool]int{}
	for n := range 16 {
		bias := `"259":-100,"261":-100`
		for id := n * 15; id < n*15+60; id++ {
			if id < 256 || id > 263 {
				bias += fmt.Sprintf(`,"%d":-100`, id)
			}
		}
		r := ok(t, h, "/v1/chat/completions", body("wander", `,"temperature":0,"logit_bias":{`+bias+`},"max_tokens":2000,"answer_reserve":0,"return_token_ids":true`))
		if at(r, "choices", 0, "reasoning_ended") != "loop" {
			continue
		}
		ids := numbers(t, at(r, "choices", 0, "token_ids"))
		thought := ids[:slices.Index(ids, 261)]
		period, run := 0, 0
		for p := 1; p < len(thought); p++ {
			same := 0
			for same+p < len(thought) && thought[len(thought)-1-same] == thought[len(thought)-1-same-p] {
				same++
			}
			if same >= 64 && same >= 2*p {
				period, run = p, same
				break
			}
		}
		if want := max(64, 2*period); period == 0 || run != want {
			t.Errorf("bias %d: a circle of %d tokens came again for %d, want %d: %v", n, period, run, want, thought)
		}
		seen[period >= 32]++
	}
	if seen[false] == 0 || seen[true] == 0 {
		t.Errorf("circles of 32 tokens or more: %d, of fewer: %d, want some of both", seen[true], seen[false])
	}
}

// TestDefaults: who says nothing gets the sampling of the model card.
func TestDefaults(t *testing.T) {
	_, h := serve(t, nil)
	none := ok(t, h, "/v1/chat/completions", body("talk", `,"seed":9,"max_tokens":50`))
	card := ok(t, h, "/v1/chat/completions", body("talk", `,"seed":9,"max_tokens":50,"temperature":0.6,"top_p":0.95`))
	other := ok(t, h, "/v1/chat/completions", body("talk", `,"seed":9,"max_tokens":50,"temperature":1,"top_p":1`))
	if !reflect.DeepEqual(none["choices"], card["choices"]) || reflect.DeepEqual(none["choices"], other["choices"]) {
		t.Errorf("nothing said: %v\nthe card's: %v\nothers: %v", none["choices"], card["choices"], other["choices"])
	}
}

// TestGoOn: the reply goes on from a thought or an answer that the client began.
func TestGoOn(t *testing.T) {
	_, h := serve(t, nil)
	var full map[string]any
	question := ""
	for n := 10; at(full, "choices", 0, "reasoning_ended") != "model" || at(full, "choices", 0, "message", "content") == "none"; n++ {
		question = fmt.Sprintf("Use 3, 7, 11 to make %d.", n)
		full = ok(t, h, "/v1/chat/completions", fmt.Sprintf(`{"model":"lab","temperature":0,"messages":[{"role":"user","content":%q}]}`, question))
	}
	thought := at(full, "choices", 0, "message", "reasoning_content").(string)
	content := at(full, "choices", 0, "message", "content").(string)
	for _, cut := range []int{0, len(thought) / 3} {
		cut += strings.Index(thought[cut:], "\n") + 1 // the tokens of the lab end with a line
		r := ok(t, h, "/v1/chat/completions", fmt.Sprintf(`{"model":"lab","temperature":0,"messages":[{"role":"user","content":%q},{"role":"assistant","content":"","reasoning_content":%q}]}`, question, thought[:cut]))
		if got := thought[:cut] + at(r, "choices", 0, "message", "reasoning_content").(string); got != thought || at(r, "choices", 0, "message", "content") != content {
			t.Errorf("cut at %d: %q and %q, want %q and %q", cut, got, at(r, "choices", 0, "message", "content"), thought, content)
		}
	}
	r := ok(t, h, "/v1/chat/completions", fmt.Sprintf(`{"model":"talk","max_tokens":9,"seed":1,"messages":[{"role":"user","content":%q},{"role":"assistant","content":"So"}]}`, question))
	if at(r, "usage", "completion_tokens_details", "reasoning_tokens") != 0.0 || at(r, "choices", 0, "message", "reasoning_content") != nil {
		t.Errorf("an answer that was begun: %v", r)
	}
	// The marks are put in as tokens, and text of the client's never becomes one.
	p := ok(t, h, "/apply-template", `{"model":"talk","messages":[{"role":"user","content":"a"},{"role":"assistant","reasoning_content":"x</think>","content":"y"}]}`)
	if want := "<|user|>user:a<|end|><|assistant|><think>x</think>\n</think>\n\ny"; p["prompt"] != want || p["begins"] != "answering" {
		t.Errorf("got %v, want %q", p, want)
	}
	ids, closing := p["tokens"].([]any), 0
	for _, id := range ids {
		if id == 261.0 {
			closing++
		}
	}
	if closing != 1 {
		t.Errorf("%d closing marks in %v", closing, ids)
	}
}

// TestLogprobs: one entry for each token, those of the answer apart, and the bytes are the text.
func TestLogprobs(t *testing.T) {
	_, h := serve(t, nil)
	r := ok(t, h, "/v1/chat/completions", body("lab", `,"logprobs":true,"top_logprobs":3,"seed":2,"return_token_ids":true`))
	content, reasoning := at(r, "choices", 0, "logprobs", "content").([]any), at(r, "choices", 0, "logprobs", "reasoning").([]any)
	ids := at(r, "choices", 0, "token_ids").([]any)
	if len(content)+len(reasoning) != len(ids) || len(ids) != int(at(r, "usage", "completion_tokens").(float64))-1 {
		t.Errorf("%d and %d entries, %d ids, usage %v", len(content), len(reasoning), len(ids), r["usage"])
	}
	var text []byte
	for _, e := range content {
		for _, b := range at(e, "bytes").([]any) {
			text = append(text, byte(b.(float64)))
		}
		if top := at(e, "top_logprobs").([]any); len(top) != 3 || at(e, "logprob").(float64) > 0 || at(top[0], "logprob").(float64) < at(top[1], "logprob").(float64) {
			t.Errorf("%v", e)
		}
	}
	want := at(r, "choices", 0, "message", "content").(string)
	if !strings.Contains(string(text), want) || want == "" {
		t.Errorf("the bytes are %q, the answer %q", text, want)
	}
	c := ok(t, h, "/v1/completions", `{"model":"lab","prompt":"Use 3","max_tokens":5,"logprobs":2,"seed":1}`)
	for _, name := range []string{"tokens", "token_logprobs", "top_logprobs", "text_offset"} {
		if n := len(at(c, "choices", 0, "logprobs", name).([]any)); n != 5 {
			t.Errorf("%s: %d, want 5", name, n)
		}
	}
}

// TestBias: a token can be forbidden and forced.
func TestBias(t *testing.T) {
	_, h := serve(t, nil)
	r := ok(t, h, "/v1/completions", `{"model":"talk","prompt":"x","max_tokens":4,"logit_bias":{"65":100}}`)
	if at(r, "choices", 0, "text") != "AAAA" {
		t.Errorf("forced: %v", r)
	}
	a := post(t, h, "/v1/completions", `{"model":"talk","prompt":"x","logit_bias":{"480":1}}`)
	if a.status != 400 || at(a.object(t), "error", "param") != "logit_bias" {
		t.Errorf("an unknown token: %d %s", a.status, a.body)
	}
}

// TestCompletions: several prompts, echo, ids, and the same streamed.
func TestCompletions(t *testing.T) {
	_, h := serve(t, nil)
	for _, rest := range []string{`"prompt":"Use 3","n":2`, `"prompt":["a","bc"],"n":2`, `"prompt":[1,2,3]`, `"prompt":[[1],[2,3]]`, `"prompt":"ab","echo":true`} {
		base := `{"model":"talk","seed":7,"max_tokens":12,` + rest
		whole := ok(t, h, "/v1/completions", base+"}")
		a := post(t, h, "/v1/completions", base+`,"stream":true}`)
		list, done := events(t, a.body)
		choices := at(whole, "choices").([]any)
		texts := make([]string, len(choices))
		for _, e := range list {
			for _, c := range at(e, "choices").([]any) {
				texts[int(at(c, "index").(float64))] += at(c, "text").(string)
			}
		}
		for i, c := range choices {
			if at(c, "text") != texts[i] || texts[i] == "" || !done || at(c, "index") != float64(i) {
				t.Errorf("%s, choice %d: %q, streamed %q", rest, i, at(c, "text"), texts[i])
			}
		}
		if strings.Contains(rest, "echo") && !strings.HasPrefix(texts[0], "ab") {
			t.Errorf("no echo in %q", texts[0])
		}
	}
}

// TestOverflow: a prompt is served whole or not at all.
func TestOverflow(t *testing.T) {
	_, h := serve(t, nil)
	for _, path := range []string{"/v1/completions", "/v1/chat/completions"} {
		field := `"prompt":`
		if strings.Contains(path, "chat") {
			field = `"messages":[{"role":"user","content":`
		}
		text := func(n int) string {
			s := `{"model":"talk","max_tokens":1,` + field + fmt.Sprintf("%q", strings.Repeat("x", n))
			if strings.Contains(path, "chat") {
				s += "}]"
			}
			return s + "}"
		}
		extra := 0
		if strings.Contains(path, "chat") {
			p := ok(t, h, "/apply-template", text(1))
			extra = len(p["tokens"].([]any)) - 1
		}
		ok(t, h, path, text(4096-1-extra))
		a := post(t, h, path, text(4096-extra))
		e := at(a.object(t), "error")
		if a.status != 400 || at(e, "type") != "exceed_context_size_error" || at(e, "n_prompt_tokens") != 4096.0 || at(e, "n_ctx") != 4096.0 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}
