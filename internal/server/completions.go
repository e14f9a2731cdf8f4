package server

import (
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/openai"
)

// completionFields are the fields of completions.
var completionFields = with(samplingFields, fields{
	"prompt": nil, "best_of": nil, "echo": nil, "suffix": only("the models here continue a text, and do not fill one in", `""`),
})

// completionPlan reads a completion request.
func completionPlan(q *openai.CompletionRequest) (*sampling, error) {
	e, err := extrasOf(q.Extra)
	if err != nil {
		return nil, err
	}
	o := &sampling{maxTokens: q.MaxTokens, temperature: q.Temperature, topP: q.TopP, presence: q.PresencePenalty, frequency: q.FrequencyPenalty,
		bias: q.LogitBias, seed: q.Seed, stops: q.Stop, n: 1}
	if q.N != nil {
		o.n = *q.N
	}
	if o.temperature == nil { // a text is continued as the model would, without the settings for thoughts
		o.temperature = new(1.0)
		if o.topP == nil {
			o.topP = new(1.0)
		}
	}
	if err := e.apply(o); err != nil {
		return nil, err
	}
	o.logprobs = q.Logprobs != nil
	if o.logprobs {
		o.topLogprobs = *q.Logprobs
	}
	switch {
	case q.BestOf != nil && *q.BestOf != o.n:
		return nil, unsupported("best_of", "got %d, want n (%d): no reply is thrown away here", *q.BestOf, o.n)
	case q.Echo && o.logprobs:
		return nil, unsupported("echo", "log-probabilities of the prompt are not given here; try: retort score")
	}
	if f := checkStops("stop", q.Stop); f != nil {
		return nil, f
	}
	return o, nil
}

// promptsOf encodes the prompts of a completion request.
func promptsOf(l *lease, p *openai.Prompt) ([]chat.Prompt, error) {
	var prompts []chat.Prompt
	for _, text := range p.Texts {
		prompts = append(prompts, chat.Prompt{Text: text, IDs: l.encode(text)})
	}
	for i, ids := range p.Tokens {
		for _, id := range ids {
			if int(id) >= l.Tokenizer.Size() {
				return nil, bad("prompt", "list %d has token %d, want 0 to %d", i, id, l.Tokenizer.Size()-1)
			}
		}
		prompts = append(prompts, chat.Prompt{Text: l.Tokenizer.DecodeText(ids, noSpecial(false)), IDs: ids})
	}
	if len(prompts) == 0 {
		return nil, bad("prompt", "it is missing")
	}
	return prompts, nil
}

// encode turns a raw prompt into ids, with what the model's files want before a text.
func (l *loaded) encode(text string) []int32 {
	before, _ := l.Tokenizer.Affixes()
	ids := l.Tokenizer.Encode(text)
	if len(before) > 0 && len(ids) > 0 && ids[0] == before[0] { // the text has it already
		before = nil
	}
	return append(before, ids...)
}

// completions is POST /v1/completions.
func (s *Server) completions(w http.ResponseWriter, r *http.Request) error {
	var q openai.CompletionRequest
	foreign, err := s.read(w, r, completionFields, &q)
	if err != nil {
		return err
	}
	o, err := completionPlan(&q)
	if err != nil {
		return err
	}
	if f := streamOptions(q.Stream, q.StreamOptions); f != nil {
		return f
	}
	id := newID("cmpl-")
	if err := s.begin(w, id, foreign); err != nil {
		return err
	}
	if q.Stream {
		return s.streamCompletions(w, r, id, &q, o)
	}
	out := &completionReply{whole: s.newWhole(w, dialectOpenAI)}
	job, writer, err := s.prepareCompletions(w, r, id, &q, o, out)
	if err != nil {
		return out.fail(err)
	}
	defer job.lease.release()
	out.completionWriter, out.choices = *writer, make([]openai.CompletionChoice, len(writer.begun))
	sum, err := s.do(r.Context(), job)
	if err != nil {
		return out.fail(err)
	}
	reply := out.response(out.choices)
	reply.Usage = usageOf(sum)
	return out.reply(reply)
}

// prepareCompletions makes the work of a request, as prepare does.
func (s *Server) prepareCompletions(w http.ResponseWriter, r *http.Request, id string, q *openai.CompletionRequest, o *sampling, out sink) (*work, *completionWriter, error) {
	l, err := s.acquire(r, q.Model, out)
	if err != nil {
		return nil, nil, err
	}
	job := &work{id: id, caller: s.caller(r), lease: l, sink: out}
	if err := s.making(r, out, func() (err error) { job.asks, err = completionAsks(l, &q.Prompt, o); return err }); err != nil {
		l.release()
		return nil, nil, err
	}
	warn(w, job.asks[0])
	n := len(job.asks) * o.n
	return job, &completionWriter{newHead(job), q.Echo, make([]bool, n), make([]int, n)}, nil
}

// completionAsks makes a request of each prompt. All have the seed of the first: which prompt it is makes the difference.
func completionAsks(l *lease, p *openai.Prompt, o *sampling) ([]*ask, error) {
	prompts, err := promptsOf(l, p)
	if err != nil {
		return nil, err
	}
	if len(prompts)*o.n > maxChoices {
		return nil, bad("n", "%d prompts with %d replies each, want at most %d replies", len(prompts), o.n, maxChoices)
	}
	var asks []*ask
	for _, p := range prompts {
		a, err := newAsk(l, begun{Prompt: p}, o, false)
		if err != nil {
			return nil, err
		}
		if len(asks) > 0 {
			a.seed, a.Seed = asks[0].seed, asks[0].Seed
		}
		asks = append(asks, a)
	}
	return asks, nil
}

// completionWriter makes choices of pieces.
type completionWriter struct {
	head   head
	echo   bool
	begun  []bool
	offset []int // characters of the text so far
}

func (c *completionWriter) response(choices []openai.CompletionChoice) *openai.CompletionResponse {
	if choices == nil {
		choices = []openai.CompletionChoice{}
	}
	return &openai.CompletionResponse{ID: c.head.id, Object: "text_completion", Created: c.head.created, Model: c.head.model,
		SystemFingerprint: c.head.fingerprint, Choices: choices}
}

// choice is what is new of one choice.
func (c *completionWriter) choice(p *piece) openai.CompletionChoice {
	o := openai.CompletionChoice{Index: p.choice, Text: p.answer, FinishReason: finishOf(p)}
	o.TokenIDs = p.ids()
	if !c.begun[p.choice] {
		c.begun[p.choice] = true
		o.Seed = &p.seed
		if p.ask.o.tokenIDs {
			o.PromptTokenIDs = p.ask.IDs
		}
		if c.echo {
			o.Text = p.ask.Text + o.Text
			c.offset[p.choice] = utf8.RuneCountInString(p.ask.Text)
		}
	}
	if p.ask.o.logprobs {
		l := &openai.CompletionLogprobs{Tokens: []string{}, TokenLogprobs: []*float64{}, TopLogprobs: []map[string]float64{}, TextOffset: []int{}}
		for i := range p.tokens {
			t := &p.tokens[i]
			text := tokenText(p.ask.model, t.id)
			l.Tokens, l.TokenLogprobs = append(l.Tokens, text), append(l.TokenLogprobs, new(finite(t.logProb)))
			top := map[string]float64{}
			for _, alternative := range t.alternatives {
				top[tokenText(p.ask.model, alternative.Token)] = finite(alternative.LogProb)
			}
			l.TopLogprobs, l.TextOffset = append(l.TopLogprobs, top), append(l.TextOffset, c.offset[p.choice])
			c.offset[p.choice] += utf8.RuneCountInString(text)
		}
		o.Logprobs = l
	}
	return o
}

// tokenText is a token as OpenAI's old route writes it: bytes that are no character are named.
func tokenText(m *loaded, id int32) string {
	text, _ := m.Tokenizer.Token(id)
	if utf8.ValidString(text) {
		return text
	}
	named := "bytes:"
	for i := range len(text) {
		named += fmt.Sprintf("\\x%02x", text[i])
	}
	return named
}

// completionStream sends continuations as they come.
type completionStream struct {
	stream
	completionWriter
}

// piece implements sink.
func (s *completionStream) piece(p *piece) error {
	if p.answer == "" && len(p.tokens) == 0 && p.finish == "" && s.begun[p.choice] {
		return nil
	}
	return s.event("", s.response([]openai.CompletionChoice{s.choice(p)}))
}

// streamCompletions answers with events.
func (s *Server) streamCompletions(w http.ResponseWriter, r *http.Request, id string, q *openai.CompletionRequest, o *sampling) error {
	out := &completionStream{stream: s.newStream(w, dialectOpenAI)}
	job, writer, err := s.prepareCompletions(w, r, id, q, o, out)
	if err != nil {
		return out.fail(err)
	}
	defer job.lease.release()
	out.completionWriter = *writer
	sum, err := s.do(r.Context(), job)
	if err != nil {
		return out.fail(err)
	}
	if q.StreamOptions != nil && q.StreamOptions.IncludeUsage {
		last := out.response(nil)
		last.Usage = usageOf(sum)
		_ = out.event("", last) // a client that is gone needs no count
	}
	return out.end()
}

func (s *completionStream) flush() error { return s.line.flush() }

// completionReply gathers continuations.
type completionReply struct {
	whole
	completionWriter
	choices []openai.CompletionChoice
}

// piece implements sink.
func (r *completionReply) piece(p *piece) error {
	more, c := r.choice(p), &r.choices[p.choice]
	c.Index, c.Text, c.TokenIDs = p.choice, c.Text+more.Text, append(c.TokenIDs, more.TokenIDs...)
	if more.Seed != nil {
		c.Seed, c.PromptTokenIDs = more.Seed, more.PromptTokenIDs
	}
	if more.FinishReason != nil {
		c.FinishReason = more.FinishReason
	}
	if l := more.Logprobs; l != nil {
		if c.Logprobs == nil {
			c.Logprobs = &openai.CompletionLogprobs{Tokens: []string{}, TokenLogprobs: []*float64{}, TopLogprobs: []map[string]float64{}, TextOffset: []int{}}
		}
		all := c.Logprobs
		all.Tokens, all.TokenLogprobs = append(all.Tokens, l.Tokens...), append(all.TokenLogprobs, l.TokenLogprobs...)
		all.TopLogprobs, all.TextOffset = append(all.TopLogprobs, l.TopLogprobs...), append(all.TextOffset, l.TextOffset...)
	}
	return nil
}
