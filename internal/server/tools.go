package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/openai"
)

// toolStyle is how a model writes calls.
type toolStyle uint8

const (
	noTools toolStyle = iota
	// hermesTools is <tool_call>{"name": ..., "arguments": {...}}</tool_call>, as often as there are calls (Qwen, Hermes).
	hermesTools
	// llamaTools is a reply that is {"name": ..., "parameters": {...}}, several with semicolons between them (Llama 3).
	llamaTools
)

// styleOf reads the style from a template.
func styleOf(template string) toolStyle {
	switch {
	case !strings.Contains(template, "tools"):
		return noTools
	case strings.Contains(template, "<tool_call>"):
		return hermesTools
	case strings.Contains(template, `"parameters": dictionary`):
		return llamaTools
	}
	return noTools
}

// arguments is the name of a call's arguments in a style.
func (s toolStyle) arguments() string {
	if s == llamaTools {
		return "parameters"
	}
	return "arguments"
}

// call is one call that a model has written.
type call struct {
	id, name  string
	arguments string // JSON
}

// toolReader takes calls out of an answer while it comes.
type toolReader struct {
	style  toolStyle
	held   string
	inside bool // of a call's marks, or of a reply that is calls
	begun  bool // something of the answer has been seen that is no white space
	some   bool // a call has come
}

// The marks of Hermes' style.
const (
	openCall  = "<tool_call>"
	closeCall = "</tool_call>"
)

// newToolReader reads a style. bare says that the whole answer is one call, without marks.
func newToolReader(style toolStyle, bare bool) *toolReader {
	if bare {
		return &toolReader{style: llamaTools}
	}
	return &toolReader{style: style}
}

// push takes text of the answer, and returns what is certain to be no call, and the calls that are whole.
func (t *toolReader) push(text string) (rest string, calls []call) {
	t.held += text
	if t.style == llamaTools {
		return t.pushBare(), nil
	}
	for {
		if t.inside {
			at := strings.Index(t.held, closeCall)
			if at < 0 {
				return rest, calls
			}
			if c, ok := parseCall(t.held[:at]); ok {
				calls, t.some = append(calls, c), true
			} else { // it is shown as it stands
				rest += openCall + t.held[:at+len(closeCall)]
			}
			t.held, t.inside = t.held[at+len(closeCall):], false
			continue
		}
		at := strings.Index(t.held, openCall)
		if at >= 0 {
			rest += t.text(t.held[:at])
			t.held, t.inside = t.held[at+len(openCall):], true
			continue
		}
		sure := len(t.held) - overlap(t.held, openCall)
		if blank := strings.TrimRight(t.held[:sure], " \t\r\n"); len(blank) < sure {
			sure = len(blank) // white space before a call belongs to no text
		}
		rest += t.text(t.held[:sure])
		t.held = t.held[sure:]
		return rest, calls
	}
}

// text is text beside calls: white space alone between them is none.
func (t *toolReader) text(s string) string {
	if t.some && strings.TrimSpace(s) == "" {
		return ""
	}
	return strings.TrimRight(s, "\n")
}

// pushBare holds everything back if the answer begins as a call does.
func (t *toolReader) pushBare() string {
	if !t.begun {
		trimmed := strings.TrimLeft(t.held, " \t\r\n")
		if trimmed == "" {
			return ""
		}
		t.begun, t.inside = true, trimmed[0] == '{'
	}
	if t.inside {
		return ""
	}
	text := t.held
	t.held = ""
	return text
}

// end returns what was held back.
func (t *toolReader) end() (rest string, calls []call) {
	held := t.held
	t.held = ""
	if t.style != llamaTools {
		if t.inside {
			if c, ok := parseCall(held); ok { // the mark that closes it was a stop
				return "", []call{c}
			}
			return openCall + held, nil
		}
		if t.some && strings.TrimSpace(held) == "" {
			return "", nil
		}
		return held, nil
	}
	decoder := json.NewDecoder(strings.NewReader(held))
	for t.inside {
		var raw json.RawMessage
		if decoder.Decode(&raw) != nil {
			break
		}
		c, ok := parseCall(string(raw))
		if !ok {
			return held, nil
		}
		calls = append(calls, c)
		left := strings.TrimLeft(held[decoder.InputOffset():], " \t\r\n;")
		if left == "" {
			return "", calls
		}
		held, decoder = left, json.NewDecoder(strings.NewReader(left))
	}
	return held, calls
}

// parseCall reads a call in either style.
func parseCall(text string) (call, bool) {
	var fields struct {
		Name       string          `json:"name"`
		Arguments  json.RawMessage `json:"arguments"`
		Parameters json.RawMessage `json:"parameters"`
	}
	if json.Unmarshal([]byte(text), &fields) != nil || fields.Name == "" {
		return call{}, false
	}
	arguments := fields.Arguments
	if arguments == nil {
		arguments = fields.Parameters
	}
	var quoted string
	switch {
	case len(arguments) == 0 || string(arguments) == "null":
		arguments = json.RawMessage("{}")
	case json.Unmarshal(arguments, &quoted) == nil:
		arguments = json.RawMessage(quoted)
	}
	return call{id: newID("call_"), name: fields.Name, arguments: string(arguments)}, true
}

// overlap is the length of the longest end of text that begins mark.
func overlap(text, mark string) int {
	for n := min(len(text), len(mark)-1); n > 0; n-- {
		if strings.HasSuffix(text, mark[:n]) {
			return n
		}
	}
	return 0
}

// callSchema is the schema of a call of one of some tools, at a place of the document that holds it. Where only strict tools are kept to their
// parameters, loose is set.
func callSchema(style toolStyle, tools []openai.Tool, place string, loose bool) (string, error) {
	var list []string
	for i, tool := range tools {
		name, err := json.Marshal(tool.Function.Name)
		if err != nil {
			return "", bad("tools", "tool %d: its name cannot be written", i)
		}
		at := place
		if len(tools) > 1 {
			at = fmt.Sprintf("%s/anyOf/%d", place, i)
		}
		parameters := `{"type":"object","properties":{}}`
		switch given := tool.Function.Parameters; {
		case loose && !isStrict(&tool):
			parameters = `{"type":"object"}`
		case len(given) > 0 && string(given) != "null":
			if parameters, err = moved(given, at+"/properties/"+style.arguments()); err != nil {
				return "", bad("tools", "tool %d: its parameters are no JSON", i)
			}
		}
		list = append(list, fmt.Sprintf(`{"type":"object","properties":{"name":{"const":%s},%q:%s},"required":["name",%q]}`,
			name, style.arguments(), parameters, style.arguments()))
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return `{"anyOf":[` + strings.Join(list, ",") + `]}`, nil
}

func isStrict(t *openai.Tool) bool { return t.Function.Strict != nil && *t.Function.Strict }

// moved is a schema as it stands at a place of a larger document: references within it begin there. In a text the quotes would be escaped, so that only
// keywords are met.
func moved(schema json.RawMessage, place string) (string, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, schema); err != nil {
		return "", err
	}
	return strings.ReplaceAll(b.String(), `"$ref":"#`, `"$ref":"`+place), nil
}

// callsBeside has an answer that need not call a tool call one as its strict tools say, or else follow the schema of the answer. nil: it may be anything.
func callsBeside(style toolStyle, tools []openai.Tool, answer string, one bool) (*llm.Calls, error) {
	if answer == "" && !slices.ContainsFunc(tools, func(t openai.Tool) bool { return isStrict(&t) }) {
		return nil, nil
	}
	call, err := callSchema(style, tools, "#/call", true)
	if err != nil {
		return nil, err
	}
	c := &llm.Calls{Schema: `{"call":` + call, One: one}
	if style == hermesTools {
		c.Open, c.Close = openCall, closeCall
	}
	if answer != "" {
		text, err := moved(json.RawMessage(answer), "#/answer")
		if err != nil {
			return nil, bad("response_format", "its schema is no JSON")
		}
		c.Schema += `,"answer":` + text
	}
	c.Schema += "}"
	return c, nil
}
