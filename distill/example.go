package distill

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Example is one line of an SFT set. It has a prompt with its completion, or
// messages, or a text.
type Example struct {
	// Prompt is given and Completion learned. Special tokens written in them are
	// special tokens.
	Prompt, Completion string
	// Messages is a conversation whose replies by the assistant are learned.
	Messages []Message
	// Text is learned as a whole. Special tokens written in it are special tokens.
	Text string
	// Line is where the example stands in its file, counted from 1.
	Line int
}

// Message is one turn of a conversation.
type Message struct {
	Role    string `json:"role"` // RoleSystem, RoleUser or RoleAssistant
	Content string `json:"content"`
}

// The roles of a message.
const (
	RoleSystem    = "system" // what is asked of the assistant throughout
	RoleUser      = "user"
	RoleAssistant = "assistant"
)

// ReadOptions choose what of a file is read. The zero value of each field is its default.
type ReadOptions struct {
	// PromptKey and CompletionKey name the two keys of a line with a prompt; ""
	// means "prompt" and "completion".
	PromptKey, CompletionKey string
	// TextKey names the key of a line with a text; "" means "text".
	TextKey string
	// Limit stops after so many examples; 0 means all.
	Limit int
}

// maxLine bounds the length of one line in bytes.
const maxLine = 64 << 20 // 64 MiB

// ReadExamplesFile reads the examples of a file, see ReadExamples.
func ReadExamplesFile(path string, o *ReadOptions) ([]Example, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("distill: %w", err)
	}
	examples, err := ReadExamples(f, path, o)
	return examples, errors.Join(err, f.Close())
}

// ReadExamples reads JSON lines, each {"prompt", "completion"} or {"messages"}
// or {"text"}, in their order. Other keys are left alone, empty lines skipped.
// Errors begin with name:line and say what stands there and what was wanted.
func ReadExamples(r io.Reader, name string, o *ReadOptions) ([]Example, error) {
	if o == nil {
		o = &ReadOptions{}
	}
	keys := exampleKeys{prompt: orDefault(o.PromptKey, "prompt"), completion: orDefault(o.CompletionKey, "completion"), text: orDefault(o.TextKey, "text")}
	var examples []Example
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	number := 0
	for lines.Scan() {
		number++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		e, err := keys.parse(line)
		if err != nil {
			return nil, fmt.Errorf("distill: %s:%d: %w", name, number, err)
		}
		e.Line = number
		examples = append(examples, e)
		if len(examples) == o.Limit {
			break
		}
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("got more than %d bytes without a line's end, want JSON lines", maxLine)
		}
		return nil, fmt.Errorf("distill: %s:%d: %w", name, number+1, err)
	}
	if len(examples) == 0 {
		return nil, fmt.Errorf("distill: %s: got no examples, want %s in each line", name, keys)
	}
	return examples, nil
}

func orDefault(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// exampleKeys are the names of the keys of a line with a prompt or a text.
type exampleKeys struct{ prompt, completion, text string }

// String says what a line may be.
func (k exampleKeys) String() string {
	return fmt.Sprintf("{%q, %q} or {\"messages\"} or {%q}", k.prompt, k.completion, k.text)
}

// parse reads one line.
func (k exampleKeys) parse(line []byte) (Example, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil || fields == nil {
		return Example{}, fmt.Errorf("got %s, want a JSON object%s", clipped(line), because(err))
	}
	var shapes []string
	for _, key := range []string{k.prompt, "messages", k.text} {
		if _, ok := fields[key]; ok {
			shapes = append(shapes, strconv.Quote(key))
		}
	}
	if len(shapes) != 1 {
		got := fmt.Sprintf("%q", slices.Sorted(maps.Keys(fields)))
		if len(shapes) > 1 {
			got = strings.Join(shapes, " and ")
		}
		return Example{}, fmt.Errorf("got the keys %s, want %s", got, k)
	}
	var e Example
	var err error
	switch {
	case fields[k.text] != nil:
		e.Text, err = textOf(fields, k.text, false)
	case fields["messages"] != nil:
		e.Messages, err = messagesOf(fields["messages"])
	default:
		if e.Prompt, err = textOf(fields, k.prompt, true); err == nil {
			e.Completion, err = textOf(fields, k.completion, false)
		}
	}
	return e, err
}

// textOf returns the text under a key.
func textOf(fields map[string]json.RawMessage, key string, mayBeEmpty bool) (string, error) {
	value, ok := fields[key]
	if !ok {
		return "", fmt.Errorf("got no %q, want text", key)
	}
	var text *string
	if err := json.Unmarshal(value, &text); err != nil || text == nil {
		return "", fmt.Errorf("%q: got %s, want text", key, clipped(value))
	}
	if *text == "" && !mayBeEmpty {
		return "", fmt.Errorf("%q: got an empty text, want something to learn", key)
	}
	return *text, nil
}

func messagesOf(value json.RawMessage) ([]Message, error) {
	var messages []Message
	if err := json.Unmarshal(value, &messages); err != nil {
		return nil, fmt.Errorf(`"messages": got %s, want a list of {"role", "content"}%s`, clipped(value), because(err))
	}
	replies := 0
	for i, m := range messages {
		switch {
		case m.Role != RoleSystem && m.Role != RoleUser && m.Role != RoleAssistant:
			return nil, fmt.Errorf(`"messages": message %d: got role %.40q, want %q, %q or %q`, i, m.Role, RoleSystem, RoleUser, RoleAssistant)
		case m.Content == "":
			return nil, fmt.Errorf(`"messages": message %d: got no "content", want text`, i)
		case m.Role == RoleAssistant:
			replies++
		}
	}
	if replies == 0 {
		return nil, fmt.Errorf(`"messages": got %d messages and none by %q, want something to learn`, len(messages), RoleAssistant)
	}
	return messages, nil
}

// clipped is the beginning of what stands in a file, for an error.
func clipped(value []byte) string {
	const most = 60
	if len(value) > most {
		return string(bytes.ToValidUTF8(value[:most], nil)) + "…"
	}
	return string(value)
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}
