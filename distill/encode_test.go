package distill

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/tokenizer"
)

// asText shows a sequence with what is learned in brackets.
func asText(t *testing.T, s Sequence) string {
	t.Helper()
	if len(s.Tokens) != len(s.Learned) {
		t.Fatalf("%d tokens, %d marks", len(s.Tokens), len(s.Learned))
	}
	var b strings.Builder
	for i, token := range s.Tokens {
		if s.Learned[i] && (i == 0 || !s.Learned[i-1]) {
			b.WriteByte('[')
		}
		b.WriteByte(byte(token))
		if s.Learned[i] && (i == len(s.Tokens)-1 || !s.Learned[i+1]) {
			b.WriteByte(']')
		}
	}
	return b.String()
}

// lettersOf are ids that are the bytes of a text.
func lettersOf(text string) (ids []int32) {
	for _, c := range []byte(text) {
		ids = append(ids, int32(c))
	}
	return ids
}

// turnOf writes each message between marks; earlier shows what it makes of an earlier reply.
func turnOf(earlier func(string) string) Turn {
	return func(before []Message, reply string) (prompt, spoken []int32, err error) {
		text := ""
		for _, m := range before {
			switch m.Role {
			case RoleAssistant:
				text += "a:" + earlier(m.Content) + ";"
			case RoleSystem:
				if text != "" {
					return nil, nil, errors.New("a system message comes first")
				}
				text = "s:" + m.Content + ";"
			default:
				text += "u:" + m.Content + ";"
			}
		}
		return lettersOf(text + "a:"), lettersOf(reply + ";"), nil
	}
}

func TestEncodeChat(t *testing.T) {
	e := Example{Messages: []Message{{RoleSystem, "k"}, {RoleUser, "1"}, {RoleAssistant, "t.2"}, {RoleUser, "3"}, {RoleAssistant, "t.4"}, {RoleUser, "5"}}}
	asWritten := turnOf(func(reply string) string { return reply })
	withoutThought := turnOf(func(reply string) string { return reply[strings.IndexByte(reply, '.')+1:] })
	for _, c := range []struct {
		turn    Turn
		replies Replies
		want    []string
	}{
		{asWritten, AllReplies, []string{"s:k;u:1;a:[t.2;]u:3;a:[t.4;]"}},
		{asWritten, LastReply, []string{"s:k;u:1;a:t.2;u:3;a:[t.4;]"}},
		{withoutThought, "", []string{"s:k;u:1;a:[t.2;]", "s:k;u:1;a:2;u:3;a:[t.4;]"}},
		{withoutThought, LastReply, []string{"s:k;u:1;a:2;u:3;a:[t.4;]"}},
	} {
		list, err := e.EncodeChat(c.turn, c.replies)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range list {
			got = append(got, asText(t, s))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.replies, got, c.want)
		}
	}
	late := Example{Messages: []Message{{RoleUser, "1"}, {RoleSystem, "k"}, {RoleAssistant, "2"}}}
	if _, err := late.EncodeChat(asWritten, AllReplies); err == nil || err.Error() != "message 2: a system message comes first" {
		t.Errorf("a template that refuses: %v", err)
	}
	none := Example{Messages: []Message{{RoleUser, "1"}}}
	if _, err := none.EncodeChat(asWritten, AllReplies); err == nil {
		t.Error("no reply: no error")
	}
}

func TestEncodeReplies(t *testing.T) {
	lab := tokenizer.Lab()
	e := Example{Messages: []Message{{RoleSystem, "0"}, {RoleUser, "3"}, {RoleAssistant, "4"}, {RoleUser, "5"}, {RoleAssistant, "6"}}}
	for replies, want := range map[Replies]string{AllReplies: "4<|end|>6<|end|>", LastReply: "6<|end|>", "": "4<|end|>6<|end|>"} {
		tokens, learned := e.Encode(lab, Marks{User: tokenizer.User, Assistant: tokenizer.Assistant, End: tokenizer.End, Replies: replies})
		var kept []int32
		for i, token := range tokens {
			if learned[i] {
				kept = append(kept, token)
			}
		}
		if got := lab.Decode(kept); got != want {
			t.Errorf("%q: learned %q, want %q", replies, got, want)
		}
		if text := lab.Decode(tokens); text != "0<|user|>3<|assistant|>4<|end|><|user|>5<|assistant|>6<|end|>" {
			t.Errorf("%q: text %q", replies, text)
		}
	}
	for replies, ok := range map[Replies]bool{"": true, AllReplies: true, LastReply: true, "first": false} {
		if err := replies.Validate(); (err == nil) != ok {
			t.Errorf("%q: %v", replies, err)
		}
	}
}
