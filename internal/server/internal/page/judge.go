package page

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/verify"
)

// The bounds of one judgement.
const (
	maxAnswers    = 512
	maxAnswerText = 64 << 10
)

// countdown is a question of the lab, which holds all that is needed to judge an answer.
var countdown = regexp.MustCompile(`Use ((?:\d{1,4}, ){1,7}\d{1,4}) to make (\d{1,5})\b`)

// judged is what became of one answer. Answers of one group say the same and have one verdict: an expression of the lab may have the right value and
// break the rules.
type judged struct {
	Answer  string `json:"answer"` // as it was found in the text, "" if there is none
	Group   int    `json:"group"`  // counted from 0 in the order of appearance; -1 without an answer
	Outcome string `json:"outcome,omitempty"`
	Rule    string `json:"rule,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// judge finds the answers in texts, groups those that say the same, and judges them where there is a gold answer or the question has its own rule.
func (p *Page) judge(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked struct {
		Question string   `json:"question"`
		Gold     string   `json:"gold"`
		Texts    []string `json:"texts"`
	}
	if err := readBody(w, r, 16<<20, &asked); err != nil {
		return nil, err
	}
	if len(asked.Texts) > maxAnswers || len(asked.Gold) > maxAnswerText {
		return nil, badRequest("texts: got %d, want at most %d, and a gold answer of at most %d bytes", len(asked.Texts), maxAnswers, maxAnswerText)
	}
	check := checker(asked.Question, strings.TrimSpace(asked.Gold))
	list := make([]judged, len(asked.Texts))
	var groups []judged
	known := map[string]judged{} // many answers are the same text
	for i, text := range asked.Texts {
		answer := findAnswer(text)
		if before, ok := known[answer]; ok {
			list[i] = before
			continue
		}
		j := judged{Answer: answer, Group: -1}
		if check != nil {
			v := check(answer)
			j.Outcome, j.Rule, j.Reason = v.Outcome.String(), v.Rule, v.Reason
		}
		if answer != "" {
			j.Group = groupOf(&groups, j)
		}
		known[answer], list[i] = j, j
	}
	return map[string]any{"answers": list, "judged": check != nil}, nil
}

// findAnswer finds the answer in a reply: between the lab's marks, or as package verify does.
func findAnswer(text string) string {
	text = text[max(0, len(text)-maxAnswerText):]
	if from := strings.LastIndex(text, "<answer>"); from >= 0 {
		rest := text[from+len("<answer>"):]
		if to := strings.Index(rest, "</answer>"); to >= 0 {
			rest = rest[:to]
		}
		return strings.TrimSpace(rest)
	}
	answer, ok := verify.Extract(text, verify.Options{})
	if !ok {
		return ""
	}
	return strings.TrimSpace(answer)
}

// groupOf returns the number of the group that an answer belongs to, and begins one if it is new.
func groupOf(groups *[]judged, j judged) int {
	for i, other := range *groups {
		if other.Outcome != j.Outcome {
			continue
		}
		if other.Answer == j.Answer || len(*groups) <= 64 && verify.Equal(other.Answer, j.Answer, verify.Options{}).Outcome == verify.Right {
			return i
		}
	}
	*groups = append(*groups, j)
	return len(*groups) - 1
}

// checker returns how answers to a question are judged; nil if they cannot be.
func checker(question, gold string) func(answer string) verify.Verdict {
	if gold != "" {
		return func(answer string) verify.Verdict {
			if answer == "" {
				return verify.Verdict{Outcome: verify.Wrong, Rule: "no answer", Reason: "no answer was found"}
			}
			return verify.Check(gold, answer, verify.Options{})
		}
	}
	m := countdown.FindStringSubmatch(question)
	if m == nil {
		return nil
	}
	var given []int
	for text := range strings.SplitSeq(m[1], ", ") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil
		}
		given = append(given, n)
	}
	target, err := strconv.Atoi(m[2])
	if err != nil {
		return nil
	}
	return func(answer string) verify.Verdict {
		v := verify.Verdict{Outcome: verify.Right, Rule: "countdown"}
		if answer == "" {
			v.Outcome, v.Rule, v.Reason = verify.Wrong, "no answer", "no answer was found"
		} else if err := behaviour.CheckAnswer(answer, given, target); err != nil {
			v.Outcome, v.Reason = verify.Wrong, err.Error()
		}
		return v
	}
}
