package llm

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/openai"
)

// wireSeed is the seed of a sample on the wire: 31 bits, which every endpoint takes.
func wireSeed(s engine.Seed, sample int) int64 {
	hash := fnv.New64a()
	var b [24]byte
	binary.LittleEndian.PutUint64(b[:], s.Run)
	binary.LittleEndian.PutUint64(b[8:], s.Problem)
	binary.LittleEndian.PutUint64(b[16:], s.Sample+uint64(sample))
	hash.Write(b[:])
	return int64(hash.Sum64() >> 33)
}

// decimal is the float64 with the shortest digits of x: 0.6 stays 0.6 on the wire.
func decimal(x float32) float64 {
	d, err := strconv.ParseFloat(strconv.FormatFloat(float64(x), 'g', -1, 32), 64)
	if err != nil {
		return float64(x)
	}
	return d
}

// fields are what both routes know.
type fields struct {
	maxTokens         *int
	temperature, topP *float64
	n                 *int
	seed              *int64
	stop              []string
	stream            bool
	streamOptions     *openai.StreamOptions
}

func (r *Remote) fields(p *Prompt, j job) fields {
	f := fields{temperature: new(decimal(p.Temperature)), topP: new(1.0), seed: new(wireSeed(p.Seed, j.first)), stop: p.Stop, stream: !r.options.Whole}
	if p.MaxTokens > 0 {
		f.maxTokens = new(p.MaxTokens)
	}
	if p.TopP > 0 {
		f.topP = new(decimal(p.TopP))
	}
	if j.count > 1 {
		f.n = new(j.count)
	}
	if f.stream {
		f.streamOptions = &openai.StreamOptions{IncludeUsage: true}
	}
	for _, name := range r.options.Omit {
		switch name {
		case "temperature":
			f.temperature = nil
		case "top_p":
			f.topP = nil
		case "seed":
			f.seed = nil
		case "max_tokens":
			f.maxTokens = nil
		case "stop":
			f.stop = nil
		case "stream_options":
			f.streamOptions = nil
		}
	}
	return f
}

// send sends one request and returns the replies, at most as many as the job has. When ctx is cancelled it returns the parts
// that had come, too.
func (r *Remote) send(ctx context.Context, p *Prompt, j job) ([]Reply, error) {
	if len(p.Messages) == 0 {
		return r.complete(ctx, p, j)
	}
	f := r.fields(p, j)
	request := &openai.ChatRequest{Model: r.options.Model, MaxTokens: f.maxTokens, Temperature: f.temperature, TopP: f.topP, N: f.n, Seed: f.seed,
		Stop: f.stop, Stream: f.stream, StreamOptions: f.streamOptions, Extra: r.options.Extra}
	var err error
	if request.Messages, err = wireMessages(p.Messages); err != nil {
		return nil, err
	}
	if r.options.LogProbs {
		request.Logprobs = new(true)
	}
	if r.newName.Load() {
		request.MaxTokens, request.MaxCompletionTokens = nil, f.maxTokens
	}
	response, err := r.client.Chat(ctx, request)
	var said *openai.Error
	if request.MaxTokens != nil && errors.As(err, &said) && said.Status == 400 && strings.Contains(said.Message, "max_completion_tokens") {
		r.newName.Store(true) // OpenAI's newer models know the field by this name only
		request.MaxTokens, request.MaxCompletionTokens = nil, f.maxTokens
		response, err = r.client.Chat(ctx, request)
	}
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	choices := response.Choices[:min(len(response.Choices), j.count)]
	slices.SortStableFunc(choices, func(a, b openai.ChatChoice) int { return a.Index - b.Index })
	replies := make([]Reply, len(choices))
	for i := range choices {
		c := &choices[i]
		reply := r.chatReply(&c.Message)
		reply.Prompt, reply.Sample = j.prompt, j.first+i
		if c.Logprobs != nil {
			for _, l := range c.Logprobs.Content {
				reply.LogProbs = append(reply.LogProbs, float32(l.Logprob))
			}
		}
		refusal := ""
		if c.Message.Refusal != nil {
			refusal = *c.Message.Refusal
		}
		finish(&reply, c.FinishReason, refusal, err)
		replies[i] = reply
	}
	return r.counted(replies, response.Usage, response.Model, response.SystemFingerprint, err)
}

// complete is send for a text.
func (r *Remote) complete(ctx context.Context, p *Prompt, j job) ([]Reply, error) {
	f := r.fields(p, j)
	request := &openai.CompletionRequest{Model: r.options.Model, Prompt: openai.Prompt{Texts: []string{p.Text}}, MaxTokens: f.maxTokens,
		Temperature: f.temperature, TopP: f.topP, N: f.n, Seed: f.seed, Stop: f.stop, Stream: f.stream, StreamOptions: f.streamOptions, Extra: r.options.Extra}
	if r.options.LogProbs {
		request.Logprobs = new(0)
	}
	response, err := r.client.Complete(ctx, request)
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	choices := response.Choices[:min(len(response.Choices), j.count)]
	slices.SortStableFunc(choices, func(a, b openai.CompletionChoice) int { return a.Index - b.Index })
	replies := make([]Reply, len(choices))
	for i := range choices {
		c := &choices[i]
		reply := Reply{Prompt: j.prompt, Sample: j.first + i, Text: c.Text}
		for _, tags := range chat.KnownTags {
			if tags.StateAfter(p.Text) == chat.Thinking {
				reply.Thought, reply.Answer = splitText(tags, c.Text)
			}
		}
		if c.Logprobs != nil {
			for _, l := range c.Logprobs.TokenLogprobs {
				if l != nil {
					reply.LogProbs = append(reply.LogProbs, float32(*l))
				}
			}
		}
		finish(&reply, c.FinishReason, "", err)
		replies[i] = reply
	}
	return r.counted(replies, response.Usage, response.Model, response.SystemFingerprint, err)
}

// counted gives the replies their tokens. Where the endpoint counts several together, each has a part by the length of its
// text: the sum is what was counted.
func (r *Remote) counted(replies []Reply, u *openai.Usage, model, fingerprint string, err error) ([]Reply, error) {
	if err != nil {
		return replies, err
	}
	if len(replies) == 0 {
		return nil, errors.New("llm: the endpoint answers without a reply")
	}
	r.count(u, model, fingerprint, len(replies))
	if u == nil {
		return replies, nil
	}
	bytes := 0
	for i := range replies {
		bytes += len(replies[i].Text) + 1
	}
	all, thought := int(tokens(u.CompletionTokens)), int(min(tokens(u.ReasoningTokens()), tokens(u.CompletionTokens)))
	before := 0
	part := func(n, from, to int) int { return n*to/bytes - n*from/bytes }
	for i := range replies {
		after := before + len(replies[i].Text) + 1
		replies[i].PromptTokens = int(tokens(u.PromptTokens))
		replies[i].ReplyTokens, replies[i].ThoughtTokens = part(all, before, after), part(thought, before, after)
		before = after
	}
	return replies, nil
}

// finish says why a reply ended, in our words.
func finish(reply *Reply, reason *string, refusal string, err error) {
	said := ""
	if reason != nil {
		said = *reason
	}
	switch said {
	case openai.FinishStop, "eos", "eos_token", "end_turn", "stop_sequence":
		reply.Finish = engine.FinishStop
	case openai.FinishLength, "max_tokens":
		reply.Finish = engine.FinishLength
	case openai.FinishContentFilter, "refusal", "safety":
		reply.Finish = FinishRefusal
	case openai.FinishToolCalls, openai.FinishFunctionCall:
		reply.Finish = FinishTools
	default:
		reply.Finish = FinishError
		reply.Err = fmt.Errorf("llm: the endpoint says of the reply's end %q, want stop or length", said)
		if err != nil { // the call was cancelled in the middle
			reply.Finish, reply.Err = engine.FinishCancelled, nil
		}
	}
	if refusal != "" {
		reply.Finish = FinishRefusal
	}
	if reply.Finish == FinishRefusal {
		reply.Err = fmt.Errorf("llm: the endpoint withholds the reply: %s", refusal)
	}
}

// space is what stands beside the marks of a thought.
const space = " \t\r\n"

// chatReply puts the parts of a message together.
func (r *Remote) chatReply(m *openai.Message) Reply {
	content := m.Content.String()
	if thought, ok := m.Thought(); ok && strings.Trim(thought, space) != "" {
		tags := chat.KnownTags[0]
		thought = strings.Trim(strings.TrimPrefix(strings.TrimLeft(thought, space), tags.Open), space)
		return Reply{Text: JoinThought(thought, content), Thought: thought, Answer: strings.TrimLeft(content, space)}
	}
	for i, tags := range chat.KnownTags {
		opened := strings.HasPrefix(strings.TrimLeft(content, space), tags.Open)
		if !opened && !strings.Contains(content, tags.Close) {
			continue
		}
		thought, answer := splitText(tags, content)
		text := content
		switch closed := strings.Contains(content, tags.Close); {
		case i > 0 || opened && !closed:
			text = JoinThought(thought, answer)
		case opened:
			text = strings.TrimPrefix(strings.TrimPrefix(strings.TrimLeft(content, space), tags.Open), "\n")
		}
		return Reply{Text: text, Thought: thought, Answer: answer}
	}
	if r.options.OpensThought {
		thought := strings.Trim(content, space)
		return Reply{Text: JoinThought(thought, ""), Thought: thought}
	}
	return Reply{Text: content, Answer: content}
}

// JoinThought returns a completion as DeepSeek-R1 writes it behind an opened thought: thought, mark and answer. One answer
// between tags stands on the next line, as R1-Zero writes it (arXiv:2501.12948v2, table 1). Without an answer the thought
// did not end, and an opening mark says that it is one.
func JoinThought(thought, answer string) string {
	tags := chat.KnownTags[0]
	switch {
	case strings.Trim(answer, space) == "":
		return tags.Open + "\n" + thought
	case strings.Contains(space, answer[:1]): // the endpoint kept what stood there
		return thought + "\n" + tags.Close + answer
	case strings.HasPrefix(answer, "<answer>"):
		return thought + "\n" + tags.Close + "\n" + answer
	}
	return thought + "\n" + tags.Close + "\n\n" + answer
}

// splitText splits a reply that begins within a thought.
func splitText(tags chat.Tags, text string) (thought, answer string) {
	s := chat.NewSplitter(tags, chat.Thinking)
	thought, answer = s.Write(text)
	t, a := s.Close()
	return thought + t, answer + a
}

// wireMessages puts a conversation into the wire's types.
func wireMessages(messages []chat.Message) ([]openai.Message, error) {
	wire := make([]openai.Message, len(messages))
	for i := range messages {
		m := &messages[i]
		w := openai.Message{Role: m.Role, Name: m.Name, ToolCallID: m.ToolCallID}
		switch {
		case m.Parts != nil:
			w.Content = &openai.Content{}
			if err := w.Content.UnmarshalJSON(m.Parts); err != nil {
				return nil, fmt.Errorf("llm: message %d: %w", i, err)
			}
		case m.Content != "" || len(m.ToolCalls) == 0:
			w.Content = openai.NewContent(m.Content)
		}
		if m.Reasoning != "" {
			w.ReasoningContent = new(m.Reasoning)
		}
		for _, c := range m.ToolCalls {
			arguments := string(c.Arguments)
			var text *string // a text that holds the object, as some templates want it
			if json.Unmarshal(c.Arguments, &text) == nil && text != nil {
				arguments = *text
			}
			w.ToolCalls = append(w.ToolCalls, openai.ToolCall{ID: c.ID, Type: "function",
				Function: openai.FunctionCall{Name: c.Name, Arguments: arguments}})
		}
		wire[i] = w
	}
	return wire, nil
}
