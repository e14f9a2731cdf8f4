package lab

import (
	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/internal/report"
)

// transcriptSection shows the first answers that turned back and became right.
func transcriptSection(s *SeedResult) report.Section {
	section := report.Section{Title: "Turning back, in its own words"}
	for _, name := range []string{modelBase, modelReinforced, modelDistilled} {
		m := s.Models[name]
		if m == nil || m.TurnBack.Text == "" {
			section.Blocks = append(section.Blocks, &report.Paragraph{Text: modelTitles[name] + ": no answer became right after a reflection."})
			continue
		}
		section.Blocks = append(section.Blocks, &report.Transcript{
			Title: modelTitles[name], Note: "The first held-out answer that became right after a reflection.", Result: "right", Tone: report.Good,
			Spans: spans(&m.TurnBack),
		})
	}
	return section
}

// spans cuts a trace into pieces to be coloured.
func spans(x *Shown) []report.Span {
	out := []report.Span{{Kind: report.PromptText, Text: x.Problem.Question + "\n"}}
	trace := behaviour.Parse(x.Text, x.Problem.Numbers, x.Problem.Target)
	at := 0
	add := func(kind report.Kind, to int) {
		if to > at {
			out = append(out, report.Span{Kind: kind, Text: x.Text[at:to]})
			at = to
		}
	}
	for i := range trace.Attempts {
		a := &trace.Attempts[i]
		add(report.Thought, a.Start)
		if a.Reflection {
			add(report.TurnBack, a.Start+turnBackLength(x.Text[a.Start:a.End]))
		}
		claim := 0
		if a.Claim != behaviour.Unsaid {
			claim = len("ok")
		}
		add(report.Attempt, a.End-claim)
		kind := report.TrueVerdict
		if !a.Truthful() {
			kind = report.FalseVerdict
		}
		add(kind, a.End)
	}
	kind := report.Answer
	if trace.GaveUp {
		kind = report.GiveUp
	}
	add(kind, len(x.Text))
	return out
}

// turnBackLength is the length of the word that an attempt begins with.
func turnBackLength(text string) int {
	for i, r := range text {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return i
		}
	}
	return len(text)
}
