package chat

import (
	"fmt"
	"strings"
	"time"
)

// Tokenizer turns a rendered prompt into ids. Special tokens written in the text are recognised, since templates write them
// so. Whether it puts a BOS before the text by itself does not matter here.
type Tokenizer interface {
	Encode(text string) []int32
	// EncodeQuoted returns the ids of tokenizer.Unquote(text) and takes nothing that tokenizer.Quote changed for a mark.
	EncodeQuoted(text string) []int32
}

// Prompt is a rendered conversation, ready for a model.
type Prompt struct {
	Text string
	IDs  []int32 // of Text, with exactly one BOS at the beginning where the model has one
	Tags Tags    // how the model marks its thoughts
	// State is where the reply begins: the start of a Splitter.
	State State
}

// Encode renders an input by the model's template and turns it into ids. This is the one place where that is done: running,
// training and evaluation see the same ids.
//
// The ids begin with exactly one BOS if the model has one and its files do not say add_bos_token: false, or if the template
// or the tokenizer put one there, however many they put. A BOS further on stays, for the templates that begin every turn
// with one. A model without a BOS gets none.
//
// Only marks that the template writes become ids of marks. What looks like one in the text of a message, a name, a tool or a variable stays text: nobody
// ends a turn, or begins another one's, by typing <|im_end|>. Of the assistant's own content the marks of thoughts and of calls count (Marks), since a
// model wrote them as ids.
func (c *Config) Encode(t Tokenizer, in Input, limits Limits) (Prompt, error) {
	now := time.Now
	if limits.Now != nil {
		now = limits.Now
	}
	at := now()
	limits.Now = func() time.Time { return at } // the same in both renderings
	text, err := c.Prompt(in, limits)
	if err != nil {
		return Prompt{}, err
	}
	tags := c.Tags()
	quoted, err := c.quoted(t, in, text, limits)
	if err != nil {
		return Prompt{}, err
	}
	ids := t.EncodeQuoted(quoted)
	if c.BOS != "" {
		bos, err := c.bosID(t)
		if err != nil {
			return Prompt{}, err
		}
		ids = oneBOS(ids, bos, c.AddBOS == nil || *c.AddBOS)
	}
	return Prompt{text, ids, tags, tags.StateAfter(quoted)}, nil
}

// bosID is the id of the model's BOS: all that its text encodes to, once the tokenizer's own BOS is taken for the same.
func (c *Config) bosID(t Tokenizer) (int32, error) {
	ids := t.Encode(c.BOS)
	for _, id := range ids {
		if id != ids[0] {
			ids = nil
			break
		}
	}
	if len(ids) == 0 {
		return 0, fmt.Errorf("chat: BOS %q is not one token of the tokenizer: the template and the tokenizer are of different models", c.BOS)
	}
	return ids[0], nil
}

// oneBOS returns ids with its leading BOS ids made one; with none there, one is added if wanted. ids may be changed.
func oneBOS(ids []int32, bos int32, wanted bool) []int32 {
	n := 0
	for n < len(ids) && ids[n] == bos {
		n++
	}
	switch {
	case n > 0:
		return ids[n-1:]
	case wanted:
		return append([]int32{bos}, ids...)
	}
	return ids
}

// Tags are the marks around a thought.
type Tags struct {
	Open, Close string
	// OpenID and CloseID are the ids of the marks where each is a token of its own, or 0. A Splitter that is given ids
	// then takes these for the marks and no text that looks like them.
	OpenID, CloseID int32
}

// KnownTags are the marks in use, the most usual first: those of DeepSeek-R1 and Qwen, and those of Magistral.
var KnownTags = []Tags{{Open: "<think>", Close: "</think>"}, {Open: "[THINK]", Close: "[/THINK]"}}

// Tags returns the marks that the model's template knows, or the most usual ones if it knows none.
func (c *Config) Tags() Tags {
	if c.Template != nil {
		for _, tags := range KnownTags {
			if strings.Contains(c.Template.Source(), tags.Open) || strings.Contains(c.Template.Source(), tags.Close) {
				return tags
			}
		}
	}
	return KnownTags[0]
}

// WithIDs returns the tags with the ids that the tokenizer gives them, where each is one token.
func (t Tags) WithIDs(tokenizer interface {
	ID(text string) (int32, bool)
}) Tags {
	open, okOpen := tokenizer.ID(t.Open)
	closing, okClose := tokenizer.ID(t.Close)
	if okOpen && okClose {
		t.OpenID, t.CloseID = open, closing
	}
	return t
}

// StateAfter says where a reply to a prompt begins, by the prompt's end alone: within a thought that the prompt opens,
// behind one that it closes, or Undecided. A mark elsewhere in the prompt, such as one that a user wrote, does not count.
func (t Tags) StateAfter(prompt string) State {
	tail := strings.TrimRight(prompt, space)
	switch {
	case t.Open != "" && strings.HasSuffix(tail, t.Open):
		return Thinking
	case t.Close != "" && strings.HasSuffix(tail, t.Close):
		return Answering
	}
	return Undecided
}
