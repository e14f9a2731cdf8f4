package llm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/llm/internal/grammar"
)

// Think says how long a reply may think. The zero value lets the model decide.
type Think struct {
	// Budget is the most tokens of the thought; 0 means no bound, engine.NoThought closes it at once.
	Budget int
	// Reserve closes the thought in time to leave so many tokens of MaxTokens for the answer.
	Reserve int
	// Force opens a thought where the prompt leaves it to the model.
	Force bool
	// Closing is what is said before the mark where a thought is closed by Budget, Reserve, a loop or a caller.
	Closing string
	// Loops finds thoughts that go round in circles: Nudge is said once, and then the thought is closed.
	Loops bool
	Nudge string
}

// constrained is what a Local needs of a tokenizer for grammars and thoughts.
type constrained interface {
	Tokenizer
	Size() int
	Special(id int32) bool
	ID(text string) (id int32, ok bool)
}

// maxGrammars bounds how many compiled grammars a Local remembers: each may grow to 4,096 states with a bit for every token.
const maxGrammars = 16

// constraints are what a Local has made for grammars and thoughts.
type constraints struct {
	mu         sync.Mutex
	vocabulary *grammar.Vocabulary
	blank      []int32 // tokens of white space alone
	grammars   map[string]engine.Grammar
}

// ready makes the vocabulary. c.mu is held.
func (c *constraints) ready(tokenizer Tokenizer) error {
	if c.vocabulary != nil {
		return nil
	}
	t, ok := tokenizer.(constrained)
	if !ok {
		return errors.New("the tokenizer does not tell its vocabulary, which grammars and thoughts need")
	}
	texts := make([]string, t.Size())
	for id := range texts {
		if t.Special(int32(id)) {
			continue
		}
		texts[id] = t.Decode([]int32{int32(id)})
		if texts[id] != "" && strings.TrimSpace(texts[id]) == "" {
			c.blank = append(c.blank, int32(id))
		}
	}
	c.vocabulary, c.grammars = grammar.NewVocabulary(texts), map[string]engine.Grammar{}
	return nil
}

// Grammar compiles what a reply must follow: a JSON schema, or a grammar in llama.cpp's notation; one of them is "". The last ones are
// kept, so that asking again costs nothing.
func (l *Local) Grammar(schema, gbnf string) (engine.Grammar, error) {
	return l.grammar(&Prompt{Schema: schema, Grammar: gbnf})
}

// grammar compiles what p asks for, nil if nothing.
func (l *Local) grammar(p *Prompt) (engine.Grammar, error) {
	if p.Schema == "" && p.Grammar == "" {
		return nil, nil
	}
	if p.Grammar != "" {
		return l.compiled("grammar"+p.Grammar, func(v *grammar.Vocabulary) (engine.Grammar, error) { return grammar.Parse(p.Grammar, v) })
	}
	return l.compiled("schema"+p.Schema, func(v *grammar.Vocabulary) (engine.Grammar, error) { return grammar.FromSchema([]byte(p.Schema), v) })
}

// Calls says how an answer may call tools.
type Calls = grammar.Calls

// CallGrammar compiles an answer that may call tools.
func (l *Local) CallGrammar(c Calls) (engine.Grammar, error) {
	return l.compiled(fmt.Sprintf("calls%q%q%v%s", c.Open, c.Close, c.One, c.Schema), func(v *grammar.Vocabulary) (engine.Grammar, error) { return grammar.FromCalls(&c, v) })
}

// compiled is the grammar of a key, made if it is not remembered.
func (l *Local) compiled(key string, compile func(v *grammar.Vocabulary) (engine.Grammar, error)) (engine.Grammar, error) {
	c := &l.constraints
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ready(l.tokenizer); err != nil {
		return nil, err
	}
	if g, ok := c.grammars[key]; ok {
		return g, nil
	}
	g, err := compile(c.vocabulary)
	if err != nil {
		return nil, err
	}
	if len(c.grammars) == maxGrammars {
		clear(c.grammars)
	}
	c.grammars[key] = g
	return g, nil
}

// thinking says where the thoughts of a reply to a are, if that is known.
func (l *Local) thinking(a *asked, t Think) (*engine.Thinking, error) {
	if !a.split || a.tags.Close == "" {
		if t != (Think{}) {
			return nil, errors.New("a thought is to be bounded, and it is not known where it begins; try: messages")
		}
		return nil, nil
	}
	c := &l.constraints
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ready(l.tokenizer); err != nil {
		return nil, err
	}
	tags := a.tags.WithIDs(l.tokenizer.(constrained))
	if tags.CloseID == 0 {
		return nil, fmt.Errorf("%q is no token of the model's vocabulary, so that where a thought ends is not known while it runs", tags.Close)
	}
	closing := []int32{tags.CloseID}
	r := &engine.Thinking{
		Begins: engine.ThoughtState(a.state), Open: []int32{tags.OpenID}, Close: closing, Blank: c.blank,
		Budget: t.Budget, Reserve: t.Reserve,
	}
	if t.Closing != "" {
		r.Closing = slices.Concat(l.tokenizer.Encode(t.Closing), closing)
	}
	if t.Force && a.state == chat.Undecided {
		r.Opening = r.Open
	}
	if t.Loops {
		r.Loop = &engine.LoopDetection{Nudge: l.tokenizer.Encode(t.Nudge)}
	}
	return r, nil
}

// checkConstraints is an error if a prompt asks for two things at once.
func (p *Prompt) checkConstraints() error {
	if p.Schema != "" && p.Grammar != "" {
		return errors.New("got a schema and a grammar, want one or the other")
	}
	if p.Think.Budget < engine.NoThought || p.Think.Reserve < 0 {
		return fmt.Errorf("think: got a budget of %d and a reserve of %d, want at least %d and 0", p.Think.Budget, p.Think.Reserve, engine.NoThought)
	}
	return nil
}
