package verify

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestVerdict(t *testing.T) {
	var unset Verdict
	for _, c := range []struct {
		verdict    Verdict
		text, json string
	}{
		{unset, "unknown", `{"outcome":"unknown"}`},
		{Verdict{Outcome: Right}, "right", `{"outcome":"right"}`},
		{Verdict{Outcome: Wrong, Reason: "1/2 != 1/3"}, "wrong: 1/2 != 1/3", `{"outcome":"wrong","reason":"1/2 != 1/3"}`},
		{Verdict{Outcome: Unknown, Reason: "no gold answer"}, "unknown: no gold answer", `{"outcome":"unknown","reason":"no gold answer"}`},
	} {
		if got := c.verdict.String(); got != c.text {
			t.Errorf("String() = %q, want %q", got, c.text)
		}
		got, err := json.Marshal(c.verdict)
		if err != nil || string(got) != c.json {
			t.Errorf("JSON %s %v, want %s", got, err, c.json)
		}
		var back Verdict
		if err := json.Unmarshal(got, &back); err != nil || back != c.verdict {
			t.Errorf("JSON read back: %v %v, want %v", back, err, c.verdict)
		}
	}
}

func TestOutcomeRefused(t *testing.T) {
	var v Verdict
	if err := json.Unmarshal([]byte(`{"outcome":"Right"}`), &v); err == nil || !strings.Contains(err.Error(), `"Right"`) {
		t.Errorf("error %v, want one that names the text", err)
	}
	if _, err := json.Marshal(Verdict{Outcome: 3}); err == nil {
		t.Error("an outcome of 3 was written")
	}
	if got := Outcome(3).String(); got != "outcome(3)" {
		t.Errorf("String() = %q", got)
	}
}

// TestLongLists compares lists that are long enough to be read and compared by the ways for long ones.
func TestLongLists(t *testing.T) {
	list := func(items ...int) string {
		var b strings.Builder
		for i := range 200 {
			fmt.Fprintf(&b, "%d,", i*i%1009+1000)
		}
		for _, v := range items {
			fmt.Fprintf(&b, " %d,", v)
		}
		return strings.TrimSuffix(b.String(), ",")
	}
	for _, c := range []struct {
		gold, answer string
		want         Outcome
	}{
		{list(5, 6), list(6, 5), Right}, {list(5, 6), list(5, 7), Wrong}, {list(5, 5, 6), list(5, 6, 6), Wrong}, {list(5, 6), list(5), Wrong},
		{list(5), list(5, 6), Wrong}, {list(5, 5), list(5), Right}, {list(7, 1), list(1, 7) + ".0", Right}, {list(-7), list(7), Wrong},
	} {
		if v := Check(c.gold, c.answer, Options{}); v.Outcome != c.want {
			t.Errorf("... %s against ... %s: got %v by %s, want %v", c.gold[len(c.gold)-12:], c.answer[len(c.answer)-12:], v.Outcome, v.Rule, c.want)
		}
	}
}
