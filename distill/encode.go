package distill

import (
	"fmt"
	"slices"
	"strings"

	"github.com/retort-ml/retort/tokenizer"
)

// Replies says which of the assistant's replies in messages are learned.
type Replies string

// The values of Replies. "" means AllReplies.
const (
	AllReplies Replies = "all"
	LastReply  Replies = "last"
)

// Validate says what is wrong with r; nil if nothing is.
func (r Replies) Validate() error {
	if r != "" && r != AllReplies && r != LastReply {
		return fmt.Errorf("got %.40q, want %s or %s", string(r), AllReplies, LastReply)
	}
	return nil
}

// Marks are the texts of the special tokens around messages; empty ones are left out.
type Marks struct {
	System, User, Assistant string // before a message
	End                     string // after whatever is learned, unless it stands there already
	// Replies are those of messages that are learned.
	Replies Replies
}

// Encode returns the tokens of e and which of them are learned. The text of
// messages comes from outside: special tokens written in it are plain text.
func (e *Example) Encode(t *tokenizer.Tokenizer, m Marks) (tokens []int32, learned []bool) {
	add := func(ids []int32, learn bool) {
		tokens = append(tokens, ids...)
		for range ids {
			learned = append(learned, learn)
		}
	}
	end := func(text string) {
		if m.End != "" && !strings.HasSuffix(text, m.End) {
			add(t.Encode(m.End), true)
		}
	}
	switch {
	case e.Text != "":
		add(t.Encode(e.Text), true)
		end(e.Text)
	case e.Messages != nil:
		marks := map[string]string{RoleSystem: m.System, RoleUser: m.User, RoleAssistant: m.Assistant}
		last := e.lastReply()
		for i, message := range e.Messages {
			reply := message.Role == RoleAssistant
			learn := reply && (i == last || m.Replies != LastReply)
			add(t.Encode(marks[message.Role]), false)
			add(t.EncodeText(message.Content), learn)
			if reply && m.End != "" {
				add(t.Encode(m.End), learn)
			}
		}
	default:
		add(t.Encode(e.Prompt), false)
		add(t.Encode(e.Completion), true)
		end(e.Completion)
	}
	return tokens, learned
}

// lastReply is the index of the assistant's last message, -1 if there is none.
func (e *Example) lastReply() int {
	last := len(e.Messages) - 1
	for last >= 0 && e.Messages[last].Role != RoleAssistant {
		last--
	}
	return last
}

// Turn returns how a model with a chat template reads a reply: the ids of the conversation before it, up to where the
// assistant speaks, and those of the reply with what ends it. The caller does not change them.
type Turn func(before []Message, reply string) (prompt, spoken []int32, err error)

// Sequence is tokens, and which of them are learned.
type Sequence struct {
	Tokens  []int32
	Learned []bool
}

// EncodeChat is Encode of messages for a model with a template of its own. Each learned reply stands behind the very ids
// that the model is asked with. Where the prompt of a later reply begins with all that went before, one sequence holds
// both. Where it does not, because the template writes an earlier reply otherwise (most drop its thought), the later
// reply gets a sequence of its own, in which what came before is read only. Messages behind the last reply are left out.
func (e *Example) EncodeChat(turn Turn, learned Replies) ([]Sequence, error) {
	last := e.lastReply()
	if last < 0 {
		return nil, fmt.Errorf("distill: %d messages and none by %q", len(e.Messages), RoleAssistant)
	}
	var list []Sequence
	for i := range last + 1 {
		if e.Messages[i].Role != RoleAssistant || learned == LastReply && i < last {
			continue
		}
		prompt, spoken, err := turn(e.Messages[:i], e.Messages[i].Content)
		if err != nil {
			return nil, fmt.Errorf("message %d: %w", i, err)
		}
		next := Sequence{Tokens: slices.Concat(prompt, spoken), Learned: make([]bool, len(prompt), len(prompt)+len(spoken))}
		next.Learned = append(next.Learned, slices.Repeat([]bool{true}, len(spoken))...)
		if n := len(list) - 1; n >= 0 && len(prompt) >= len(list[n].Tokens) && slices.Equal(prompt[:len(list[n].Tokens)], list[n].Tokens) {
			copy(next.Learned, list[n].Learned)
			list = list[:n]
		}
		list = append(list, next)
	}
	return list, nil
}
