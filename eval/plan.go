package eval

import (
	"errors"
	"fmt"
	"strings"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/runstore"
)

// RunKind is the kind of an evaluation's run in its manifest.
const RunKind = "eval"

// Plan is everything that decides what an evaluation asks and how: the config of its run.
type Plan struct {
	Benchmark string `json:"benchmark,omitempty"` // a built-in one
	Task      string `json:"task,omitempty"`      // or a lab task
	Title     string `json:"title"`
	Kind      Kind   `json:"kind"`
	Problems  int    `json:"problems"`

	Model     string `json:"model"` // a path, "embedded", or the endpoint's name of it
	Tokenizer string `json:"tokenizer,omitempty"`
	Endpoint  string `json:"endpoint,omitempty"` // its URL; "" is a local model
	Replay    string `json:"replay,omitempty"`   // a file of recorded answers, in place of a model that is asked
	// Omit lists what the endpoint refuses to be told: what is asked for is then not what is done.
	Omit []string `json:"omit,omitempty"`

	Data       string `json:"data,omitempty"`
	DataSHA256 string `json:"data_sha256,omitempty"`
	Prompt     string `json:"prompt,omitempty"`
	System     string `json:"system,omitempty"`
	// Template is the sha256 of the model's chat template, "" where the endpoint renders or the model has none.
	Template string `json:"template_sha256,omitempty"`
	// Today is the day that the template is told, where it asks for one: a run that goes on another day reads the same.
	Today string `json:"today,omitempty"`
	// Compute is f32 or bf16, see model.Options, or file, where quantised weights stay as the file stores them; "" where an
	// endpoint computes.
	Compute string `json:"compute,omitempty"`
	// KV is the format of keys and values, see model.ForwardOptions; "" is f32, or where an endpoint computes its own.
	KV string `json:"kv,omitempty"`
	// Thought says whether the prompt opens the thought: "forced", "free", or "" where the endpoint renders it.
	Thought string `json:"thought,omitempty"`
	// Context is the model's positions, 0 where they are not known. A problem whose prompt fills them cannot be asked.
	Context int `json:"context,omitempty"`

	Samples     int       `json:"samples"`
	Temperature float32   `json:"temperature"` // 0 is greedy
	TopP        float32   `json:"top_p"`       // 1 is the whole distribution
	MaxTokens   int       `json:"max_tokens"`
	Seed        uint64    `json:"seed"`
	Limit       int       `json:"limit,omitempty"`
	Votes       *Stopping `json:"votes,omitempty"` // samples need not all be drawn
	Grading     []string  `json:"grading,omitempty"`
	Price       *Price    `json:"price,omitempty"`
}

// The values of Plan.Thought.
const (
	ThoughtForced = "forced"
	ThoughtFree   = "free"
)

// Price is what an endpoint asks for a million tokens, in whatever currency.
type Price struct {
	Prompt float64 `json:"prompt"`
	Reply  float64 `json:"reply"`
}

// Validate fills in defaults and joins all faults.
func (p *Plan) Validate() error {
	var faults []error
	fault := func(format string, arguments ...any) { faults = append(faults, fmt.Errorf(format, arguments...)) }
	if (p.Benchmark == "") == (p.Task == "") && p.Replay == "" {
		fault("benchmark %q, task %q: want one of them", p.Benchmark, p.Task)
	}
	if p.Samples < 1 || p.Samples > 1<<20 {
		fault("samples: got %d, want 1 to %d", p.Samples, 1<<20)
	}
	if p.MaxTokens < 0 || p.Limit < 0 {
		fault("max tokens %d, limit %d: want at least 0", p.MaxTokens, p.Limit)
	}
	if p.Replay != "" {
		return errors.Join(faults...) // how recorded answers were sampled is not known
	}
	if !(p.Temperature >= 0 && p.Temperature <= 100) || !(p.TopP > 0 && p.TopP <= 1) {
		fault("temperature %v, top-p %v: want 0 to 100, and above 0 to 1", p.Temperature, p.TopP)
	}
	if p.Temperature == 0 && p.Samples > 1 {
		fault("temperature 0: all samples would be the same, want 1 sample")
	}
	if p.Votes != nil {
		if err := p.Votes.resolve(); err != nil {
			faults = append(faults, err)
		}
	}
	if p.Price != nil && !(p.Price.Prompt >= 0 && p.Price.Reply >= 0) {
		fault("price: got %v and %v, want at least 0", p.Price.Prompt, p.Price.Reply)
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("eval: plan: %w", err)
	}
	return nil
}

// Messages is a question as a conversation.
func (p *Plan) Messages(q *Question) []chat.Message {
	var messages []chat.Message
	if p.System != "" {
		messages = append(messages, chat.Message{Role: "system", Content: p.System})
	}
	return append(messages, chat.Message{Role: "user", Content: q.Text})
}

// Name is what a run of the plan is about, in a few words.
func (p *Plan) Name() string {
	model := p.Model
	if at := strings.LastIndexAny(strings.TrimRight(model, "/\\"), "/\\"); at >= 0 && p.Endpoint == "" {
		model = model[at+1:]
	}
	return p.Title + ", " + model
}

// The metrics of a run, one line per batch.
const (
	metricKept   = "kept"
	metricRight  = "right"
	metricTokens = "tokens"
	metricPrompt = "prompt_tokens"
	metricEnergy = "energy"
)

// Metrics is the metric table of a run.
func Metrics() []runstore.Metric {
	return []runstore.Metric{
		{Name: metricKept, Unit: "1", Formula: "samples that the record holds"},
		{Name: metricRight, Unit: "1", Formula: "right ones / judged ones, of all samples so far"},
		{Name: metricTokens, Unit: "token", Formula: "sampled in this step"},
		{Name: metricPrompt, Unit: "token", Formula: "of the prompts read in this step, each once per call"},
		{Name: metricEnergy, Unit: "joule", Formula: "used by the processor packages of the whole machine during this step (RAPL)"},
	}
}
