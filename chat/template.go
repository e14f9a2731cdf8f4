package chat

import (
	"fmt"
	"time"

	"github.com/retort-ml/retort/chat/internal/jinja"
)

// Limits bounds what rendering a template may cost, and fixes its clock. The zero value of a field is its default.
type Limits struct {
	Steps  int // units of work, about 20 ns each; 8 million
	Depth  int // nested calls, expressions and values; 200
	Output int // bytes of the rendered prompt, and of every text on the way; 64 MiB
	Memory int // bytes allocated while rendering, freed or not; 256 MiB
	// Now is the clock of strftime_now; time.Now. A fixed one makes prompts repeatable.
	Now func() time.Time
}

// Template is a model's chat template. It never changes after it is made and may be used by many goroutines.
type Template struct {
	source string
	parsed *jinja.Template
}

// Parse reads the source of a template: Jinja2 as transformers' apply_chat_template runs it. The error says what Jinja's
// compiler would refuse, with its line.
func Parse(source string) (*Template, error) {
	parsed, err := jinja.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("chat: template: %w", err)
	}
	return &Template{source, parsed}, nil
}

// Source returns the text that the template was read from.
func (t *Template) Source() string { return t.source }

// Render renders the prompt of an input. The error is what Python would raise, "UndefinedError: ..." for example, with the
// line of the template, or "LimitError: ..." where a limit was met.
func (t *Template) Render(in Input, limits Limits) (string, error) {
	text, err := t.parsed.Render(in.variables, jinja.Options{
		MaxSteps: limits.Steps, MaxDepth: limits.Depth, MaxOutput: limits.Output, MaxMemory: limits.Memory, Now: limits.Now,
	})
	if err != nil {
		return "", fmt.Errorf("chat: template: %w", err)
	}
	return text, nil
}
