package verify

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "write the verdicts of testdata/*.txt anew")

// kitCase is one block of a kit file.
type kitCase struct {
	comments     []string
	options      string
	gold, answer string
	want         []string // outcome, rule, canonical forms
	file         string
	line         int
}

// readKit reads one file of the kit (the format is in the package comment).
func readKit(t testing.TB, path string) []kitCase {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases []kitCase
	c := kitCase{file: filepath.Base(path)}
	inVerdict, any := false, false
	flush := func() {
		if any {
			cases = append(cases, c)
		}
		c, inVerdict, any = kitCase{file: c.file}, false, false
	}
	unfold := func(s string) string { return strings.ReplaceAll(s, "\\n ", "\n") }
	for i, line := range strings.Split(string(raw), "\n") {
		switch {
		case strings.TrimSpace(line) == "":
			flush()
		case inVerdict:
			c.want = append(c.want, line)
		case line == "----":
			inVerdict = true
		case strings.HasPrefix(line, "#"):
			any = true
			c.comments = append(c.comments, line)
		case strings.HasPrefix(line, "options: "):
			c.options = strings.TrimPrefix(line, "options: ")
		case strings.HasPrefix(line, "gold: "):
			any, c.line = true, i+1
			c.gold = unfold(strings.TrimPrefix(line, "gold: "))
		case strings.HasPrefix(line, "answer:"):
			c.answer = unfold(strings.TrimPrefix(strings.TrimPrefix(line, "answer:"), " "))
		default:
			t.Fatalf("%s:%d: cannot read %q", c.file, i+1, line)
		}
	}
	flush()
	return cases
}

func (c kitCase) set(t testing.TB) Options {
	var o Options
	for _, option := range strings.Fields(c.options) {
		name, value, _ := strings.Cut(option, "=")
		if err := o.Set(name, value); err != nil {
			t.Fatalf("%s:%d: %v", c.file, c.line, err)
		}
	}
	return o
}

func (c kitCase) write(b *strings.Builder, v Verdict) {
	for _, comment := range c.comments {
		b.WriteString(comment + "\n")
	}
	if c.gold == "" {
		b.WriteString("\n")
		return
	}
	if c.options != "" {
		b.WriteString("options: " + c.options + "\n")
	}
	fold := func(s string) string { return strings.ReplaceAll(s, "\n", "\\n ") }
	b.WriteString("gold: " + fold(c.gold) + "\nanswer: " + fold(c.answer) + "\n----\n" + strings.Join(verdictLines(v), "\n") + "\n\n")
}

func verdictLines(v Verdict) []string {
	show := func(s string) string { return strings.ReplaceAll(s, "\n", " ") }
	lines := []string{v.Outcome.String(), v.Rule, "gold " + show(v.Gold), "answer " + show(v.Answer)}
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

func kitFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no kit files: %v", err)
	}
	return files
}

// TestKit runs the conformance kit.
func TestKit(t *testing.T) {
	total := 0
	for _, path := range kitFiles(t) {
		var b strings.Builder
		for _, c := range readKit(t, path) {
			v := Verdict{}
			if c.gold != "" {
				total++
				v = Check(c.gold, c.answer, c.set(t))
				if got, want := strings.Join(verdictLines(v), "\n"), strings.Join(c.want, "\n"); got != want && !*update {
					t.Errorf("%s:%d: gold %s, answer %s: got\n%s\nwant\n%s", c.file, c.line, c.gold, c.answer, got, want)
				} else if len(c.want) > 0 && c.want[0] != v.Outcome.String() {
					t.Logf("%s:%d: gold %s, answer %s: was %s, now %s by %s (%s | %s)", c.file, c.line, c.gold, c.answer, c.want[0], v.Outcome, v.Rule, v.Gold, v.Answer)
				}
			}
			c.write(&b, v)
		}
		if *update {
			if err := os.WriteFile(path, []byte(strings.TrimRight(b.String(), "\n")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d cases", total)
}

// TestKitSymmetric swaps the sides: of two readable answers neither is the special one.
func TestKitSymmetric(t *testing.T) {
	for _, path := range kitFiles(t) {
		for _, c := range readKit(t, path) {
			if c.gold == "" {
				continue
			}
			o := c.set(t)
			if o.Fractions != FractionsAny || o.Choice {
				continue // these are about the answer only
			}
			v := Check(c.gold, c.answer, o)
			w := Check(c.answer, c.gold, o)
			if v.Outcome != w.Outcome && v.Outcome != Unknown && w.Outcome != Unknown {
				t.Errorf("%s:%d: %s against %s is %s by %s, and swapped %s by %s", c.file, c.line, c.gold, c.answer, v.Outcome, v.Rule, w.Outcome, w.Rule)
			}
		}
	}
}

// TestKitTogether checks all cases in many goroutines at once, with one result.
func TestKitTogether(t *testing.T) {
	var cases []kitCase
	for _, path := range kitFiles(t) {
		cases = append(cases, readKit(t, path)...)
	}
	want := make([]Verdict, len(cases))
	for i, c := range cases {
		want[i] = Check(c.gold, c.answer, c.set(t))
	}
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			for i := range cases {
				at := (i + worker*31) % len(cases)
				if v := Check(cases[at].gold, cases[at].answer, cases[at].set(t)); v != want[at] {
					t.Errorf("%s: got %v, alone %v", cases[at].gold, v, want[at])
				}
			}
		})
	}
	wait.Wait()
}
