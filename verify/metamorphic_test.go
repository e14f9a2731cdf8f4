package verify

import (
	"encoding/json"
	"strings"
	"testing"
)

// transformations rewrite a bare answer without changing what it means; an empty result says that one does not apply.
var transformations = map[string]func(string) string{
	"boxed":     func(s string) string { return "\\boxed{" + s + "}" },
	"sentence":  func(s string) string { return "Therefore the answer is $\\boxed{" + s + "}$." },
	"box twice": func(s string) string { return "\\boxed{\\boxed{" + s + "}}" },
	"dollars": func(s string) string {
		if strings.Contains(s, "$") {
			return ""
		}
		return "$" + s + "$"
	},
	"display": func(s string) string {
		if strings.ContainsAny(s, "$") {
			return ""
		}
		return "\\[" + s + "\\]"
	},
	"spaces": func(s string) string {
		if strings.Contains(s, "\\text") || strings.Contains(s, "\\mathrm") || strings.Contains(s, "...") || strings.Contains(s, "**") || strings.Contains(s, "!=") || strings.Contains(s, "+/") {
			return ""
		}
		for _, sign := range []string{"+", "="} {
			s = strings.ReplaceAll(s, sign, " "+sign+" ")
		}
		return " " + s + " "
	},
	"thin space": func(s string) string { return s + "\\," },
	"dfrac":      func(s string) string { return strings.ReplaceAll(s, "\\frac", "\\dfrac") },
	"left right": func(s string) string {
		if strings.Contains(s, "left") || strings.Contains(s, "right") || strings.Contains(s, "big") || strings.ContainsAny(s, ".") || strings.Count(s, "(") != strings.Count(s, ")") || strings.Contains(s, "text") {
			return ""
		}
		return strings.NewReplacer("(", "\\left(", ")", "\\right)").Replace(s)
	},
	"displaystyle": func(s string) string { return "\\displaystyle " + s },
}

// bareAnswer says whether a text is an answer alone, so that a transformation of the text is one of the answer.
func bareAnswer(s string) bool {
	return s != "" && prose(s) == 0 && len(s) < 200 && !strings.Contains(s, "boxed") && !strings.ContainsAny(s, "\n#<>`;") && !strings.Contains(s, "\\[") &&
		!strings.Contains(s, "\\(") && strings.Count(s, "$")%2 == 0 && strings.Trim(s, " .") == s
}

// TestMetamorphic transforms pairs of answers: neither the swapping of the sides nor the layout changes a verdict.
func TestMetamorphic(t *testing.T) {
	tried := 0
	try := func(name, gold, answer string, o Options) {
		want := Check(gold, answer, o)
		if want.Outcome == Unknown {
			return
		}
		for what, f := range transformations {
			changed := f(answer)
			if changed == "" {
				continue
			}
			tried++
			if got := Check(gold, changed, o); got.Outcome != want.Outcome {
				t.Errorf("%s: %s: %s against %s is %s by %s; %s is %s by %s (%s | %s)", name, what, gold, answer, want.Outcome, want.Rule, changed, got.Outcome, got.Rule, got.Gold, got.Answer)
			}
		}
		if o == (Options{}) && bareAnswer(gold) {
			tried++
			if got := Check(answer, gold, o); got.Outcome != want.Outcome {
				t.Errorf("%s: swapped: %s against %s is %s by %s, the other way %s by %s", name, gold, answer, want.Outcome, want.Rule, got.Outcome, got.Rule)
			}
		}
	}
	for _, path := range kitFiles(t) {
		for _, c := range readKit(t, path) {
			if c.gold != "" && c.file != "placing.txt" && c.file != "extraction.txt" && bareAnswer(c.answer) {
				try(c.file, c.gold, c.answer, c.set(t))
			}
		}
	}
	t.Run("shared", func(t *testing.T) {
		sharedLines(t, "verify/cases.jsonl", func(line []byte) {
			var s sharedCase
			if err := json.Unmarshal(line, &s); err != nil {
				t.Fatal(err)
			}
			if s.Kind != "hostile" && s.Kind != "choice" && s.Tier == "core" && len(s.Opts) == 0 && bareAnswer(s.Pred) {
				try(s.Kind, s.Gold, s.Pred, s.options(t))
			}
		})
	})
	t.Logf("%d transformed pairs", tried)
}
