package eval

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/verify"
)

func TestLoops(t *testing.T) {
	prose := "Let me see. We want the number of ways in which seven people can sit at a round table such that no two of three friends sit side by side; first the four others sit down, in six ways, and then there are four gaps of which the friends take three in some order, which is twenty-four, so that it is one hundred and forty-four in all. "
	for _, c := range []struct {
		name, text string
		want       bool
	}{
		{"prose", prose, false},
		{"prose three times", strings.Repeat(prose, 3), false},
		{"prose four times", "Well, " + strings.Repeat(prose, 4), true},
		{"cut within the piece", strings.Repeat(prose, 4) + prose[:100], true},
		{"a letter", prose + strings.Repeat("a", 300), true},
		{"a short run", prose + strings.Repeat("a", 200), false},
		{"a loop that ended", strings.Repeat("wait, ", 100) + prose, false},
		{"empty", "", false},
		{"longer than the window", strings.Repeat("no, wait, ", 5000), true},
	} {
		if got := loops(c.text); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestPartsOfAReply(t *testing.T) {
	for _, c := range []struct {
		name       string
		reply      llm.Reply
		opens      bool
		answer     string // the part that is judged as the answer
		right      bool
		unclosed   bool
		thoughless bool
	}{
		{"split by the generator", llm.Reply{Text: "a\n</think>\n\n\\boxed{4}", Thought: "a", Answer: "\\boxed{4}"}, true, "\\boxed{4}", true, false, false},
		{"forced thought, not split", llm.Reply{Text: "so \\boxed{5}\n</think>\n\\boxed{4}"}, true, "\\boxed{4}", true, false, false},
		{"forced thought without an end", llm.Reply{Text: "so \\boxed{4} and"}, true, "", false, true, false},
		{"an endpoint's thought without an end", llm.Reply{Text: "so \\boxed{4} and", Thought: "so \\boxed{4} and"}, false, "", false, true, false},
		{"a thought of its own without an end", llm.Reply{Text: "<think>so \\boxed{4} and"}, false, "", false, true, false},
		{"no thought", llm.Reply{Text: "It is \\boxed{4}"}, false, "It is \\boxed{4}", true, false, true},
		{"no answer after the thought", llm.Reply{Text: "\\boxed{4}</think>\n"}, true, "", false, false, false},
		{"other marks", llm.Reply{Text: "[THINK]so \\boxed{5}[/THINK]\\boxed{4}"}, false, "\\boxed{4}", true, false, false},
	} {
		q := &Question{ID: "q", Kind: Maths, Gold: "4", Opens: c.opens}
		s := q.sample(&c.reply, nil)
		if got := s.Text[s.ThoughtBytes:]; got != c.answer || (s.Verdict.Outcome == verify.Right) != c.right {
			t.Errorf("%s: answer %q, %v; want %q, right: %v", c.name, got, s.Verdict, c.answer, c.right)
		}
		if trace := traceOf(q, s); trace.IsUnclosed != c.unclosed || trace.IsThoughtless != c.thoughless {
			t.Errorf("%s: %+v", c.name, trace)
		}
	}
}

func TestEnergyMeter(t *testing.T) {
	root := t.TempDir()
	write := func(folder, name, text string) {
		t.Helper()
		dir := filepath.Join(root, folder)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if m, why := openEnergyMeter(root); m != nil || why == "" {
		t.Errorf("no counters: %v, %q", m, why)
	}
	for _, folder := range []string{"intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"} {
		name := "package-0"
		if strings.Count(folder, ":") == 2 {
			name = "core"
		}
		write(folder, "name", name)
		write(folder, "energy_uj", "1000000")
		write(folder, "max_energy_range_uj", "5000000")
	}
	m, why := openEnergyMeter(root)
	if m == nil {
		t.Fatal(why)
	}
	m.start()
	write("intel-rapl:0", "energy_uj", "3000000")
	write("intel-rapl:1", "energy_uj", "500000") // past its end
	write("intel-rapl:0:0", "energy_uj", "4000000")
	if joules, ok := m.since(); !ok || !near(joules, 2+4.5, 1e-9) {
		t.Errorf("%v J, %v; want 6.5", joules, ok)
	}
	if joules, ok := m.since(); !ok || joules != 0 {
		t.Errorf("%v J, %v; want 0", joules, ok)
	}
	if err := os.Remove(filepath.Join(root, "intel-rapl:1", "energy_uj")); err != nil {
		t.Fatal(err)
	}
	if _, ok := m.since(); ok {
		t.Error("a counter that is gone was read")
	}
	if _, ok := (*EnergyMeter)(nil).since(); ok {
		t.Error("no meter measured something")
	}
}
