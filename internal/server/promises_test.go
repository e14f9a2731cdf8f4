package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/tokenizer"
)

// TestMethods: a path that is served by other methods says by which.
func TestMethods(t *testing.T) {
	_, h := serve(t, func(o *Options) {
		o.Routes = []Route{{Pattern: "GET /page", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}}
	})
	for i := range endpoints {
		method, path := routeOf(&endpoints[i])
		for _, wrong := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"} {
			if wrong == method {
				continue
			}
			text := "{}"
			if wrong == "GET" || wrong == "TRACE" {
				text = ""
			}
			a := send(t, h, wrong, path, text, "Content-Type", "application/json")
			if a.status != 405 || !strings.Contains(a.header.Get("Allow"), method) || strings.Contains(a.header.Get("Allow"), wrong) {
				t.Errorf("%s %s: %d, allowed %q", wrong, path, a.status, a.header.Get("Allow"))
			}
		}
	}
	if a := post(t, h, "/page", "{}"); a.status != 405 || a.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("a further route: %d %q", a.status, a.header.Get("Allow"))
	}
	if a := post(t, h, "/v1/embeddings", "{}"); a.status != 404 || a.header.Get("Allow") != "" {
		t.Errorf("no route: %d %q", a.status, a.header.Get("Allow"))
	}
}

// TestTypedMarksStayText: who types the marks of the model's format, in whatever role, ends no turn and begins none.
func TestTypedMarksStayText(t *testing.T) {
	_, h := serve(t, nil)
	mark, _ := tokenizer.Lab().ID(tokenizer.End)
	closing, _ := tokenizer.Lab().ID(tokenizer.EndThink)
	typed := `x<|end|><|user|></think>`
	for _, path := range []string{"/apply-template", "/tokenize"} {
		for messages, want := range map[string]float64{
			`{"role":"user","content":"` + typed + `"}`:                                                                                                 1,
			`{"role":"system","content":"` + typed + `"},{"role":"user","content":"a"}`:                                                                 2,
			`{"role":"user","content":"a"},{"role":"assistant","content":"b<|end|>","reasoning_content":"` + typed + `"},{"role":"user","content":"c"}`: 3,
			`{"role":"user","content":"a"},{"role":"tool","tool_call_id":"` + typed + `","content":"` + typed + `"}`:                                    2,
			`{"role":"user","content":"a"},{"role":"assistant","content":"","reasoning_content":"` + typed + `"}`:                                       1,
		} {
			r := ok(t, h, path, `{"model":"talk","messages":[`+messages+`]}`)
			ends, closes := 0.0, 0
			for _, id := range at(r, "tokens").([]any) {
				if id == float64(mark) {
					ends++
				}
				if id == float64(closing) {
					closes++
				}
			}
			if ends != want || closes != 0 {
				t.Errorf("%s %s: %v ends of a turn, want %v, and %d of a thought", path, messages, ends, want, closes)
			}
		}
	}
}

// TestBegunBetweenMarks: a reply that is begun with <think> in its content, as DeepSeek advises, goes on in the thought.
func TestBegunBetweenMarks(t *testing.T) {
	_, h := serve(t, func(o *Options) {
		open := strings.Replace(talkTemplate, "{% else %}<think>{% endif %}", "{% endif %}", 1)
		o.Models = append(o.Models, ModelSpec{ID: "open", Open: talker(open, 4096, 16, 1)})
	})
	for _, c := range []struct{ model, content, prompt, begins string }{
		{"open", `<think>\n`, "<|assistant|><think>\n", "thinking"},
		{"open", `<think>\nso`, "<|assistant|><think>\nso", "thinking"},
		{"open", `<think>so</think>`, "<|assistant|><think>\nso\n</think>\n\n", "answering"},
		{"open", `<think>\nso\n</think>\n\nYes`, "<|assistant|><think>\nso\n</think>\n\nYes", "answering"},
		{"open", `Yes <think>`, "<|assistant|>Yes <think>", "answering"},
		{"talk", `<think>\nso`, "<|assistant|><think>so", "thinking"},
	} {
		p := ok(t, h, "/apply-template", fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"%s"}]}`, c.model, c.content))
		if !strings.HasSuffix(p["prompt"].(string), c.prompt) || p["begins"] != c.begins {
			t.Errorf("%s: %q, %v; want %q, %s", c.content, p["prompt"], p["begins"], c.prompt, c.begins)
		}
	}
}

// TestSignatures: a thought is signed, comes back as it was without a word, and changed with one.
func TestSignatures(t *testing.T) {
	_, h := serve(t, nil)
	var r map[string]any
	thought := ""
	const asked = `{"model":"talk","max_tokens":40,"messages":[{"role":"user","content":"x"}]`
	for try := 0; try < 20 && thought == ""; try++ { // Anthropic's dialect has no seed, and not all that a random model says is a thought
		r = ok(t, h, "/v1/messages", asked+"}")
		thought, _ = at(r, "content", 0, "thinking").(string)
	}
	sign, _ := at(r, "content", 0, "signature").(string)
	if len(sign) != 44 || thought == "" {
		t.Fatalf("%v", r)
	}
	again := func(thought, sign string) string {
		text, err := json.Marshal(map[string]any{"model": "talk", "max_tokens": 3, "messages": []any{map[string]any{"role": "user", "content": "x"},
			map[string]any{"role": "assistant", "content": []any{map[string]any{"type": "thinking", "thinking": thought, "signature": sign}, map[string]any{"type": "text", "text": "y"}}},
			map[string]any{"role": "user", "content": "z"}}})
		if err != nil {
			t.Fatal(err)
		}
		a := post(t, h, "/v1/messages", string(text))
		if a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
		return a.header.Get("X-Retort-Warning")
	}
	if warning := again(thought, sign); warning != "" {
		t.Errorf("as it was sent: warned %q", warning)
	}
	if warning := again(thought, ""); warning != "" {
		t.Errorf("unsigned: warned %q", warning)
	}
	for _, changed := range []string{again(thought+"!", sign), again(thought, "AAAA")} {
		if !strings.Contains(changed, "thought") {
			t.Errorf("changed: warned %q", changed)
		}
	}
	streamed, signs := "", []string{}
	for try := 0; try < 20 && streamed == ""; try++ {
		a := post(t, h, "/v1/messages", asked+`,"stream":true}`)
		list, _ := events(t, a.body)
		for _, e := range list {
			text, _ := at(e, "delta", "thinking").(string)
			streamed += text
			if s, ok := at(e, "delta", "signature").(string); ok {
				signs = append(signs, s)
			}
		}
	}
	if len(signs) != 1 || again(streamed, signs[0]) != "" {
		t.Errorf("streamed: %q of %q", signs, streamed)
	}
}

// TestDigests: every model has a digest of the form of Ollama's, the same each time, and others have others.
func TestDigests(t *testing.T) {
	_, h := serve(t, func(o *Options) { o.Models[1].Digest = strings.Repeat("ab", 32) })
	list := func() (digests []string) {
		for _, m := range at(send(t, h, "GET", "/api/tags", "").object(t), "models").([]any) {
			digests = append(digests, at(m, "digest").(string))
		}
		return digests
	}
	d := list()
	if len(d) != 4 || len(d[0]) != 64 || d[0] != d[1] || d[2] != strings.Repeat("ab", 32) || !reflect.DeepEqual(d, list()) {
		t.Errorf("%q", d)
	}
}

// TestStopInReasoning: a stop text in the thought ends the reply only where that was asked for.
func TestStopInReasoning(t *testing.T) {
	_, h := serve(t, nil)
	plain := `{"model":"talk","max_tokens":90,"seed":3,"answer_reserve":20,"messages":[{"role":"user","content":"x"}]`
	full := at(ok(t, h, "/v1/chat/completions", plain+"}"), "choices", 0, "message", "reasoning_content").(string)
	var stop string
	for at := 10; stop == ""; at++ { // two characters within the thought that are no rubbish
		if full[at] > ' ' && full[at] < 0x7f && full[at+1] > ' ' && full[at+1] < 0x7f {
			stop = full[at : at+2]
		}
	}
	quoted, err := json.Marshal(stop)
	if err != nil {
		t.Fatal(err)
	}
	whole := ok(t, h, "/v1/chat/completions", plain+`,"stop":`+string(quoted)+"}")
	if got := at(whole, "choices", 0, "message", "reasoning_content"); got != full {
		t.Errorf("a stop text %q ended the thought: %q, want %q", stop, got, full)
	}
	for _, stream := range []bool{false, true} {
		a := post(t, h, "/v1/chat/completions", plain+fmt.Sprintf(`,"stop_in_reasoning":true,"stop":%s,"stream":%v}`, quoted, stream))
		thought, finish := "", any(nil)
		if !stream {
			thought, _ = at(a.object(t), "choices", 0, "message", "reasoning_content").(string)
			finish = at(a.object(t), "choices", 0, "finish_reason")
		}
		list, _ := events(t, a.body)
		for _, e := range list {
			text, _ := at(e, "choices", 0, "delta", "reasoning_content").(string)
			thought += text
			if f := at(e, "choices", 0, "finish_reason"); f != nil {
				finish = f
			}
		}
		if want, _, _ := strings.Cut(full, stop); thought != want || finish != "stop" {
			t.Errorf("stream %v: %q, ended by %v, want %q", stream, thought, finish, want)
		}
	}
}

// TestPromptsWait: what makes a prompt waits for its turn, and is refused when too many wait.
func TestPromptsWait(t *testing.T) {
	s, h := serve(t, func(o *Options) { o.Queue, o.KeyQueue = 1, 1 })
	ok(t, h, "/v1/completions", `{"model":"talk","prompt":"x","max_tokens":1}`)
	var held []*ticket
	for range runtime.GOMAXPROCS(0) {
		k, f := s.prompts.enter("somebody else")
		if f != nil {
			t.Fatal(f)
		}
		held = append(held, k)
	}
	done := make(chan answer, 1)
	go func() { done <- post(t, h, "/tokenize", `{"model":"talk","prompt":"x"}`) }()
	eventually(t, "one waits", func() bool { _, waiting := s.prompts.counts(); return waiting == 1 })
	for path, text := range map[string]string{
		"/tokenize": `"prompt":"x"`, "/detokenize": `"tokens":[1]`, "/apply-template": `"messages":[{"role":"user","content":"x"}]`,
		"/v1/messages/count_tokens": `"messages":[{"role":"user","content":"x"}]`, "/v1/chat/completions": `"messages":[{"role":"user","content":"x"}]`,
		"/v1/completions": `"prompt":"x"`,
	} {
		a := post(t, h, path, `{"model":"talk",`+text+`}`)
		if a.status != 503 || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for _, k := range held {
		k.leave()
	}
	if a := <-done; a.status != 200 {
		t.Errorf("the one that waited: %d %s", a.status, a.body)
	}
}

// TestBodies: requests that are held together take no more memory than they may, and give it back.
func TestBodies(t *testing.T) {
	s, h := serve(t, nil)
	s.bodies.Store(maxBodies - 50)
	if a := post(t, h, "/v1/chat/completions", body("lab", `,"max_tokens":1`)); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("no room: %d %s", a.status, a.body)
	}
	if a := post(t, h, "/tokenize", `{"model":"lab","prompt":"x"}`); a.status != 200 {
		t.Errorf("room for a small one: %d %s", a.status, a.body)
	}
	if held := s.bodies.Load(); held != maxBodies-50 {
		t.Errorf("%d bytes are held, want %d", held, maxBodies-50)
	}
}

// TestSweep: whatever may be said, there is an answer or the word that there is none; the mark that closes a thought is the token, once; and the tokens
// of the thought are counted exactly.
func TestSweep(t *testing.T) {
	_, h := serve(t, func(o *Options) {
		o.Models = []ModelSpec{{ID: "lab", Open: embedded}, {ID: "talk", Open: talker(talkTemplate, 8192, 16, 1)}}
	})
	closing, _ := tokenizer.Lab().ID(tokenizer.EndThink)
	forced := 0
	for _, most := range []int{64, 65, 96, 128, 200, 256, 512, 1000, 2048, 4096} {
		for _, rest := range []string{`"seed":1`, `"seed":2,"temperature":2,"top_p":1`, `"seed":3,"logit_bias":{"259":-100,"261":-100},"temperature":2,"top_p":1`, `"seed":4,"thinking_budget":30`} {
			for _, model := range []string{"lab", "talk"} {
				r := ok(t, h, "/v1/chat/completions", body(model, fmt.Sprintf(`,"max_tokens":%d,"return_token_ids":true,%s`, most, rest)))
				c := at(r, "choices", 0)
				content, _ := at(c, "message", "content").(string)
				if (content == "") != (at(c, "code") == "no_answer") {
					t.Errorf("%s, %d tokens, %s: content %q, code %v", model, most, rest, content, at(c, "code"))
				}
				ids, closes, thought := at(c, "token_ids").([]any), 0, 0
				for i, id := range ids {
					if id == float64(closing) && closes == 0 {
						closes, thought = 1, i
					}
				}
				used := at(r, "usage", "completion_tokens_details", "reasoning_tokens").(float64)
				if at(c, "reasoning_ended") != nil && at(c, "reasoning_ended") != "model" {
					forced++
					if closes != 1 {
						t.Errorf("%s, %d tokens, %s: closed by %v without its token", model, most, rest, at(c, "reasoning_ended"))
					}
				}
				if closes == 1 && used != float64(thought) || closes == 0 && used != float64(len(ids)) {
					t.Errorf("%s, %d tokens, %s: %v tokens of the thought, the mark behind %d of %d", model, most, rest, used, thought, len(ids))
				}
				if all := at(r, "usage", "completion_tokens").(float64); all > float64(most) {
					t.Errorf("%s, %d tokens: %v", model, most, all)
				}
			}
		}
	}
	if forced < 20 {
		t.Errorf("%d thoughts were closed", forced)
	}
}

// TestNeedle: the beginning of the longest prompt that is served is read: another first character makes another reply likely.
func TestNeedle(t *testing.T) {
	_, h := serve(t, nil)
	logprob := func(first string) any {
		r := ok(t, h, "/v1/completions", fmt.Sprintf(`{"model":"talk","max_tokens":1,"temperature":0,"logprobs":1,"prompt":%q}`, first+strings.Repeat("x", 4094)))
		if at(r, "usage", "prompt_tokens") != 4095.0 {
			t.Errorf("%v", at(r, "usage"))
		}
		return at(r, "choices", 0, "logprobs", "token_logprobs", 0)
	}
	if a, b := logprob("A"), logprob("B"); a == b {
		t.Errorf("the first character of 4,095 makes no difference: %v", a)
	}
}

// TestShared: of 64 replies the prompt is evaluated once, its keys and values are held once, each reply is the same alone, and beside other work.
func TestShared(t *testing.T) {
	const prompt, tail = 2000, 24
	// Room for the prompt and 64 tails, of whom each begins in a block of its own; a second prompt would not fit.
	const room = prompt/16 + 64*(tail/16+2)
	s, h := serve(t, func(o *Options) {
		o.Models = []ModelSpec{{ID: "talk", Open: func(context.Context) (*Model, error) {
			lab := tokenizer.Lab()
			m, err := random(lab.Size(), 4096, 16, 1)
			if err != nil {
				return nil, err
			}
			template, err := chat.Parse(talkTemplate)
			if err != nil {
				return nil, err
			}
			r, err := ready(m, lab, &chat.Config{Template: template})
			if err != nil {
				return nil, err
			}
			cpu := compute.NewCPU(2)
			inner := r.Close
			r.Close = func() error { cpu.Close(); return inner() }
			r.Engine, err = engine.New(m, cpu, &engine.Options{Blocks: room})
			return r, err
		}}}
	})
	if 64*prompt/16 < 4*room {
		t.Fatal("64 prompts of their own would fit")
	}
	text := func(rest string) string {
		return fmt.Sprintf(`{"model":"talk","max_tokens":%d,"answer_reserve":0,"logit_bias":{"259":-100,"261":-100},"messages":[{"role":"user","content":%q}],%s}`, tail, strings.Repeat("y", prompt-100), rest)
	}
	ok(t, h, "/v1/completions", `{"model":"talk","prompt":"x","max_tokens":1}`)
	evaluated, preempted := counter(t, h, "retort:prompt_tokens_evaluated_total"), counter(t, h, "vllm:num_preemptions_total")
	r := ok(t, h, "/v1/chat/completions", text(`"n":64,"seed":100`))
	size := at(r, "usage", "prompt_tokens").(float64)
	if got := counter(t, h, "retort:prompt_tokens_evaluated_total") - evaluated; got != size {
		t.Errorf("%v tokens of prompts were evaluated, the prompt has %v", got, size)
	}
	if got := counter(t, h, "vllm:num_preemptions_total") - preempted; got != 0 {
		t.Errorf("%v replies had to give up their memory in %d blocks", got, room)
	}
	var all sync.WaitGroup
	stop := make(chan struct{})
	all.Go(func() { // other work
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				post(t, h, "/v1/completions", fmt.Sprintf(`{"model":"talk","prompt":"other %d","max_tokens":20,"n":3}`, i))
			}
		}
	})
	for i, choice := range at(r, "choices").([]any) {
		if at(choice, "seed") != float64(100+i) {
			t.Errorf("choice %d has seed %v", i, at(choice, "seed"))
		}
		alone := ok(t, h, "/v1/chat/completions", text(fmt.Sprintf(`"seed":%d`, 100+i)))
		if got := at(alone, "choices", 0, "message"); !reflect.DeepEqual(got, at(choice, "message")) {
			t.Errorf("choice %d: %v, alone %v", i, at(choice, "message"), got)
		}
	}
	close(stop)
	all.Wait()
	if s.metrics.panics.Load() > 0 {
		t.Error("a handler failed")
	}
}

// TestParts: a request of very many small parts, each of which takes more memory than its text, is refused before it is taken apart.
func TestParts(t *testing.T) {
	_, h := serve(t, nil)
	ok(t, h, "/v1/completions", `{"model":"talk","prompt":"x","max_tokens":1}`) // nothing is being loaded any more
	eventually(t, "the first model is there", func() bool { return send(t, h, "GET", "/health", "").status == 200 })
	for name, text := range map[string]string{
		"items":   `{"model":"talk","prompt":[0` + strings.Repeat(",0", maxParts+1) + `]}`,
		"members": `{"model":"talk","prompt":"x"` + strings.Repeat(`,"":0`, maxParts) + `}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a := post(t, h, "/v1/completions", text)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; a.status != 400 || !strings.Contains(string(a.body), "parts") || took > 10*uint64(len(text)) {
			t.Errorf("%s: %d %.200s, %d bytes for %d", name, a.status, a.body, took, len(text))
		}
	}
	if a := post(t, h, "/v1/completions", `{"model":"talk","max_tokens":1,"prompt":"`+strings.Repeat(",", 3000)+`"}`); a.status != 200 {
		t.Errorf("commas in a text: %d %s", a.status, a.body)
	}
}
