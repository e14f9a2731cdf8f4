package report

import (
	"fmt"
	"strings"
)

// Kind says what a piece of a transcript is.
type Kind uint8

// The kinds. A TrueVerdict or FalseVerdict is a check that the model made of its own work and
// that was or was not right about it, whatever it said.
const (
	Thought Kind = iota
	PromptText
	Attempt
	TrueVerdict
	FalseVerdict
	TurnBack
	GiveUp
	Answer
)

// kindInfo is how a kind looks: its class in the style, its mark in Markdown, and its
// name in the legend.
var kindInfo = [...]struct{ class, before, after, name string }{
	Thought:      {"", "", "", ""},
	PromptText:   {"prompt", "", "", "prompt"},
	Attempt:      {"attempt", "", "", "attempt"},
	TrueVerdict:  {"true", "", "⟨✓⟩", "true verdict"},
	FalseVerdict: {"false", "", "⟨✗ FALSE⟩", "false verdict"},
	TurnBack:     {"turn", "↩", "", "turns back"},
	GiveUp:       {"giveup", "", "⟨gives up⟩", "gives up"},
	Answer:       {"answer", "", "", "answer"},
}

// Span is a piece of a transcript.
type Span struct {
	Kind Kind
	Text string
}

// Transcript is what a model was asked and what it wrote, piece by piece.
type Transcript struct {
	Title  string
	Note   string // why it is shown
	Result string // such as "right" or "wrong"; may be empty
	Tone   Tone   // of Result
	Folded bool   // in HTML closed until the reader opens it
	Spans  []Span
}

func (t *Transcript) check() error {
	for i, s := range t.Spans {
		if int(s.Kind) >= len(kindInfo) {
			return fmt.Errorf("transcript %q: span %d: got kind %d, want 0 to %d", t.Title, i, s.Kind, len(kindInfo)-1)
		}
	}
	return nil
}

// kinds returns the named kinds that occur, in the order of their numbers.
func (t *Transcript) kinds() []Kind {
	var seen [len(kindInfo)]bool
	for _, s := range t.Spans {
		seen[s.Kind] = true
	}
	var out []Kind
	for k, yes := range seen {
		if yes && kindInfo[k].name != "" {
			out = append(out, Kind(k))
		}
	}
	return out
}

func (tone Tone) class() string {
	switch tone {
	case Good:
		return "good"
	case Bad:
		return "bad"
	}
	return "idle"
}

func (t *Transcript) html(p *page) {
	if t.Folded {
		p.open("details", "class", "transcript")
		p.open("summary")
	} else {
		p.open("div", "class", "transcript")
		p.open("p", "class", "bar-top")
	}
	p.element("strong", t.Title)
	if t.Result != "" {
		p.text(" ")
		p.element("span", t.Result, "class", "badge "+t.Tone.class())
	}
	if t.Folded {
		p.close("summary")
	} else {
		p.close("p")
	}
	if t.Note != "" {
		p.element("p", t.Note, "class", "why")
	}
	p.open("pre", "tabindex", "0")
	for _, s := range t.Spans {
		before, text, after := trim(s.Text)
		p.text(before)
		if class := kindInfo[s.Kind].class; class != "" && text != "" {
			p.element("span", text, "class", "k-"+class)
		} else {
			p.text(text)
		}
		p.text(after)
	}
	p.close("pre")
	p.open("p", "class", "key")
	for _, k := range t.kinds() {
		p.element("span", kindInfo[k].name, "class", "k-"+kindInfo[k].class)
		p.text(" ")
	}
	p.close("p")
	if t.Folded {
		p.close("details")
	} else {
		p.close("div")
	}
	p.line()
}

// trim splits s into its text and the white space around it.
func trim(s string) (before, text, after string) {
	rest := strings.TrimLeft(s, " \t\r\n")
	text = strings.TrimRight(rest, " \t\r\n")
	return s[:len(s)-len(rest)], text, rest[len(text):]
}

func (t *Transcript) markdown(m *mark) {
	title := "**" + m.escape(t.Title) + "**"
	if t.Result != "" {
		title += " (" + m.escape(t.Result) + ")"
	}
	m.block(title)
	if t.Note != "" {
		m.block(m.paragraph(t.Note))
	}
	var b strings.Builder
	for _, s := range t.Spans {
		info := kindInfo[s.Kind]
		before, text, after := trim(s.Text)
		if text != "" {
			text = info.before + text + info.after
		}
		b.WriteString(before + text + after)
	}
	m.fence("text", b.String())
}
