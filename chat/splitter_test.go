package chat

import (
	"fmt"
	"strings"
	"testing"
)

// splitCase is a reply with its two parts.
type splitCase struct {
	start            State
	reply            string
	thinking, answer string
}

func splitCases() []splitCase {
	cases := []splitCase{
		{Thinking, "hm\n</think>\n\nYes.", "hm", "Yes."},
		{Thinking, "hm</think>Yes.", "hm", "Yes."},
		{Thinking, "", "", ""},
		{Thinking, "</think>Yes.", "", "Yes."},
		{Thinking, "\n\n</think>\n\n", "", ""},
		{Thinking, "no end", "no end", ""},
		{Thinking, "no end \n", "no end", ""},
		{Thinking, "almost </think", "almost </think", ""},
		{Thinking, "almost </", "almost </", ""},
		{Thinking, "a < b </thin> c </think> d", "a < b </thin> c", "d"},
		{Thinking, "a<<</think>b", "a<<", "b"},
		{Thinking, "a</</think>b", "a</", "b"},
		{Thinking, "a</think</think>b", "a</think", "b"},
		{Thinking, "a </think> b </think> c", "a", "b </think> c"},
		{Thinking, "a</think>b<think>c</think>d", "a", "b<think>c</think>d"},
		{Thinking, "<think>\na</think>b", "a", "b"},
		{Thinking, " \n<think>a</think>b", "a", "b"},
		{Thinking, "x<think>a</think>b", "x<think>a", "b"},
		{Thinking, "<thin a</think>b", "<thin a", "b"},
		{Thinking, "<think", "<think", ""},
		{Thinking, "<think></think>", "", ""},
		{Thinking, "Köln 😀\n\n</think>\n答え", "Köln 😀", "答え"},
		{Thinking, "a\n\n\nb\n\n</think>\n\n  c \n", "a\n\n\nb", "c \n"},
		{Thinking, "a \t</think>\t b", "a", "b"},
		{Thinking, "[/THINK] a</think>b", "[/THINK] a", "b"},
		{Undecided, "<think>\nhm\n</think>\n\nYes.", "hm", "Yes."},
		{Undecided, "<think>\n\n</think>\n\nYes.", "", "Yes."},
		{Undecided, "Yes.", "", "Yes."},
		{Undecided, "  Yes.", "", "  Yes."},
		{Undecided, "\n<think>a</think>b", "a", "b"},
		{Undecided, "<thinking>a</thinking>", "", "<thinking>a</thinking>"},
		{Undecided, "<thi", "", "<thi"},
		{Undecided, "", "", ""},
		{Undecided, " \n", "", " \n"},
		{Undecided, "a</think>b", "", "a</think>b"},
		{Undecided, "a <think>b</think>", "", "a <think>b</think>"},
		{Undecided, "<think>never ends", "never ends", ""},
		{Undecided, "<think>", "", ""},
		{Undecided, "<think> <think> a</think>b", "<think> a", "b"},
		{Answering, "Yes.", "", "Yes."},
		{Answering, " \nYes <think>no</think>.", "", " \nYes <think>no</think>."},
		{Answering, "</think>", "", "</think>"},
	}
	return cases
}

// split feeds pieces and joins what comes back.
func split(tags Tags, start State, pieces ...string) (thinking, answer string, s *Splitter) {
	s = NewSplitter(tags, start)
	for _, piece := range pieces {
		t, a := s.Write(piece)
		thinking, answer = thinking+t, answer+a
	}
	t, a := s.Close()
	return thinking + t, answer + a, s
}

func TestSplitterAtEveryByte(t *testing.T) {
	for _, tags := range KnownTags {
		for _, c := range splitCases() {
			for _, text := range []*string{&c.reply, &c.thinking, &c.answer} {
				if tags.Open == "[THINK]" {
					*text = strings.NewReplacer("<think>", "[THINK]", "</think>", "[/THINK]", "[/THINK]", "</think>",
						"</thin", "[/THIN", "<thin", "[THIN", "</", "[/", "<", "[").Replace(*text)
				}
			}
			check := func(how string, pieces ...string) {
				t.Helper()
				thinking, answer, _ := split(tags, c.start, pieces...)
				if thinking != c.thinking || answer != c.answer {
					t.Errorf("%s %q, %s: got %q and %q, want %q and %q", c.start, c.reply, how, thinking, answer, c.thinking, c.answer)
				}
			}
			check("whole", c.reply)
			check("bytes", strings.Split(c.reply, "")...)
			var bytes []string
			for i := range len(c.reply) {
				bytes = append(bytes, c.reply[i:i+1])
				for j := i; j < len(c.reply); j++ {
					check(fmt.Sprintf("cut at %d and %d", i, j), c.reply[:i], c.reply[i:j], c.reply[j:])
				}
			}
			check("single bytes", bytes...)
		}
	}
}

// TestSplitterIsPrompt: text is returned as soon as it can be no part of a mark.
func TestSplitterIsPrompt(t *testing.T) {
	s := NewSplitter(KnownTags[0], Thinking)
	for _, c := range []struct{ piece, thinking, answer string }{
		{"Let me", "Let me", ""}, {" see", " see", ""}, {" <", "", ""}, {"b>", " <b>", ""}, {"\n", "", ""}, {"\nso", "\n\nso", ""},
		{" </th", "", ""}, {"ink>", "", ""}, {"\n", "", ""}, {"\nIt is", "", "It is"}, {" 4 </think>", "", " 4 </think>"},
	} {
		if thinking, answer := s.Write(c.piece); thinking != c.thinking || answer != c.answer {
			t.Errorf("%q: got %q and %q, want %q and %q", c.piece, thinking, answer, c.thinking, c.answer)
		}
	}
	if s.State() != Answering {
		t.Errorf("state %s", s.State())
	}
}

type piece struct {
	id   int32
	text string
}

func TestReasoningTokens(t *testing.T) {
	marked := KnownTags[0]
	marked.OpenID, marked.CloseID = 100, 101
	for _, c := range []struct {
		name             string
		tags             Tags
		start            State
		pieces           []piece
		thinking, answer string
		count            int
	}{
		{"ids", marked, Thinking, []piece{{1, "a"}, {2, "\n"}, {3, ""}, {101, "</think>"}, {4, "\n\n"}, {5, "b"}}, "a", "b", 3},
		{"ids, text like a mark", marked, Thinking, []piece{{1, "a</think>"}, {2, "b"}, {101, "</think>"}, {5, "c"}}, "a</think>b", "c", 2},
		{"ids, opened by the reply", marked, Undecided, []piece{{1, "\n"}, {100, "<think>"}, {2, "\n"}, {3, "b"}, {101, ""}, {5, " c"}, {100, "<think>"}}, "b", "c<think>", 2},
		{"ids, opened twice", marked, Thinking, []piece{{100, "<think>"}, {2, "b"}, {101, ""}, {5, "c"}}, "b", "c", 1},
		{"ids, no thought", marked, Undecided, []piece{{1, " "}, {2, "b"}, {101, "</think>"}}, "", " b</think>", 0},
		{"ids, no end", marked, Thinking, []piece{{1, "a"}, {2, " "}, {3, "b"}, {4, "\n"}}, "a b", "", 4},
		{"texts", KnownTags[0], Thinking, []piece{{1, "a"}, {2, "\n"}, {3, "</"}, {4, "think"}, {5, ">"}, {6, "b"}}, "a", "b", 2},
		{"texts, a token with the end and the mark", KnownTags[0], Thinking, []piece{{1, "a"}, {2, ".</"}, {3, "think>b"}, {4, "c"}}, "a.", "bc", 2},
		{"texts, opened by the reply", KnownTags[0], Undecided, []piece{{1, "<th"}, {2, "ink>"}, {3, "\n"}, {4, "a"}, {5, "</think>"}, {6, "b"}}, "a", "b", 2},
		{"texts, no thought", KnownTags[0], Undecided, []piece{{1, "<"}, {2, "b"}}, "", "<b", 0},
		{"texts, no end", KnownTags[0], Thinking, []piece{{1, "a"}, {2, ""}, {3, "</th"}}, "a</th", "", 3},
		{"answer", KnownTags[0], Answering, []piece{{1, "a"}, {2, "</think>"}}, "", "a</think>", 0},
	} {
		s := NewSplitter(c.tags, c.start)
		var thinking, answer string
		for _, p := range c.pieces {
			a, b := s.WriteToken(p.id, p.text)
			thinking, answer = thinking+a, answer+b
		}
		a, b := s.Close()
		thinking, answer = thinking+a, answer+b
		if thinking != c.thinking || answer != c.answer || s.ReasoningTokens() != c.count {
			t.Errorf("%s: got %q, %q and %d tokens, want %q, %q and %d", c.name, thinking, answer, s.ReasoningTokens(), c.thinking, c.answer, c.count)
		}
	}
}

// TestReasoningTokensMeanwhile: white space counts at once, what may be a mark does not.
func TestReasoningTokensMeanwhile(t *testing.T) {
	s := NewSplitter(KnownTags[0], Thinking)
	for i, text := range []string{"a", "\n", "\n", "</", "think>", "b"} {
		s.WriteToken(int32(i), text)
		if want := min(i+1, 3); s.ReasoningTokens() != want {
			t.Errorf("after token %d: %d, want %d", i, s.ReasoningTokens(), want)
		}
	}
}
