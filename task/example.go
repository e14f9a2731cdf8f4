package task

import "github.com/retort-ml/retort/tokenizer"

// Span is a range of bytes, [Start,End).
type Span struct {
	Start, End int
}

// Kind says what an example is there to teach.
type Kind uint8

// The kinds.
const (
	Search       Kind = iota // a search that ends when it succeeds or gives up
	Long                     // a search of many attempts
	Verification             // the verdict on the last attempt of a search
	Facts                    // arithmetic, without a problem
)

// String returns the kind's name.
func (k Kind) String() string {
	switch k {
	case Search:
		return "search"
	case Long:
		return "long"
	case Verification:
		return "verification"
	}
	return "facts"
}

// Example is a text to train on.
type Example struct {
	Kind       Kind
	Problem    Problem // zero for Facts
	Prompt     string
	Completion string
	Targets    []Span // of Completion: the text to learn, ascending and apart; the rest is context
}

// Tokens returns the ids of the prompt and the completion, and for each id whether it is to be learnt. The ids of the
// prompt are those that a model is given at generation.
func (e *Example) Tokens(t *tokenizer.Tokenizer) (ids []int32, learnt []bool) {
	ids = t.Encode(e.Prompt)
	numPrompt := len(ids)
	ids = t.AppendEncode(ids, e.Completion)
	learnt = make([]bool, len(ids))
	at, span := 0, 0
	for i := numPrompt; i < len(ids); i++ {
		for span < len(e.Targets) && e.Targets[span].End <= at {
			span++
		}
		learnt[i] = span < len(e.Targets) && e.Targets[span].Start <= at
		text, _ := t.Token(ids[i])
		at += len(text)
	}
	return ids, learnt
}

// exampleText collects a completion and what of it is to be learnt.
type exampleText struct {
	text    []byte
	targets []Span
}

func (e *exampleText) add(text string, learnt bool) {
	start := len(e.text)
	e.text = append(e.text, text...)
	if !learnt || text == "" {
		return
	}
	if last := len(e.targets) - 1; last >= 0 && e.targets[last].End == start {
		e.targets[last].End = len(e.text)
		return
	}
	e.targets = append(e.targets, Span{start, len(e.text)})
}
