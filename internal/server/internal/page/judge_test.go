package page

import (
	"strings"
	"testing"
)

// Expressions of one value are one answer only while they have one verdict.
func TestGroupsHaveOneVerdict(t *testing.T) {
	p, _, _ := newPage(t)
	var got struct {
		Judged  bool
		Answers []judged
	}
	want(t, p, 200, "POST", "/page/api/judge", `{"question":"Use 4, 6, 9 to make 30.","texts":["6+6*4","6*(9-4)","(9*4)-6","6*5","<answer>none</answer>",""]}`, &got)
	if !got.Judged || len(got.Answers) != 6 {
		t.Fatalf("got %+v", got)
	}
	outcomes := map[int]string{}
	for _, a := range got.Answers {
		if before, ok := outcomes[a.Group]; ok && before != a.Outcome {
			t.Errorf("group %d holds %s and %s", a.Group, before, a.Outcome)
		}
		outcomes[a.Group] = a.Outcome
	}
	if a := got.Answers; a[1].Group != a[2].Group || a[1].Outcome != "right" || a[0].Outcome != "wrong" || a[0].Group == a[1].Group || a[5].Group != -1 {
		t.Errorf("got %+v", a)
	}
}

// What a browser or a stranger may send is answered or refused, and never shown back as markup.
func TestJudgeHostile(t *testing.T) {
	p, _, _ := newPage(t)
	for body, status := range map[string]int{
		`{"texts":[]}`: 200,
		`{"question":"Use 4, 6 to make 99999999999999999999.","texts":["1"]}`:                                          200,
		`{"question":"Use 9999, 1 to make 10000.","texts":["9999+1","` + strings.Repeat("(", 5000) + `"]}`:             200,
		`{"gold":"\\frac{1}{0}","texts":["\\boxed{\\frac{1}{0}}","10^10^10^10","` + strings.Repeat("9", 60000) + `"]}`: 200,
		`{"texts":["\u0000","\ud800","<img src=x onerror=alert(1)>"]}`:                                                 200,
		`{"texts":[1]}`: 400,
		`{"texts":`:     400,
		`[]`:            400,
		`{"gold":"` + strings.Repeat("x", maxAnswerText+1) + `","texts":["1"]}`: 400,
		`{"texts":["` + strings.Repeat("x", 17<<20) + `"]}`:                     413,
	} {
		w := ask(t, p, "POST", "/page/api/judge", body)
		if w.Code != status {
			t.Errorf("%.80s: status %d, want %d: %.200s", body, w.Code, status, w.Body)
		}
		if strings.ContainsAny(w.Body.String(), "<>") || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%.80s: the answer holds markup: %.200s", body, w.Body)
		}
	}
}
