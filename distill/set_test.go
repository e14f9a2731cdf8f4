package distill

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/verify"
)

func testSet() *Set {
	p := countdown(32, 3, 7, 11)
	record := func(sample int, text string) Record {
		return Record{Prompt: p.Prompt, Completion: text, Provenance: Provenance{Teacher: "t", TeacherHash: "h", Problem: p.ID, Group: p.Group, PromptHash: hashText(p.Prompt),
			Seed: 1<<64 - 1, Sample: sample, Temperature: 1, Verdict: verify.Verdict{Outcome: verify.Right}, Tokens: 7}}
	}
	return &Set{Records: []Record{record(0, rightTrace), record(3, "é<&>\u2028\n")}}
}

func TestSetFile(t *testing.T) {
	set := testSet()
	path := filepath.Join(t.TempDir(), "set.jsonl")
	for range 2 { // the second time over the first
		if err := set.WriteFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("the folder holds %v, %v", files, err)
	}
	got, err := ReadSetFile(path)
	if err != nil || !reflect.DeepEqual(got, set) {
		t.Errorf("got %+v, %v", got, err)
	}
	examples, err := ReadExamplesFile(path, nil)
	want := []Example{{Prompt: set.Records[0].Prompt, Completion: rightTrace, Line: 1}, {Prompt: set.Records[1].Prompt, Completion: set.Records[1].Completion, Line: 2}}
	if err != nil || !reflect.DeepEqual(examples, want) {
		t.Errorf("as examples: got %+v, %v", examples, err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(text), `{"prompt":"<|user|>Use 3, 7, 11 to make 32.<|assistant|><think>\n","completion":"3+7`) {
		t.Errorf("the file begins %.90q, %v", text, err)
	}
	if err := set.WriteFile(filepath.Join(path, "below a file")); err == nil || !strings.HasPrefix(err.Error(), "distill: ") {
		t.Errorf("below a file: got error %v", err)
	}
}

func TestBadSets(t *testing.T) {
	var text bytes.Buffer
	if err := testSet().Write(&text); err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(text.String(), "\n")
	for _, c := range []struct{ old, new, want string }{
		{`"seed"`, `"sead"`, `unknown field "sead"`},
		{"Use 3", "Use 4", `"prompt_hash": got`},
		{`"right"`, `"maybe"`, "maybe"},
		{`"problem":"countdown-3/3-7-11/32"`, `"problem":""`, `got problem "" of teacher "h"`},
		{"{", "", "want a record"},
	} {
		_, err := ReadSet(strings.NewReader(line+"\n\n"+strings.Replace(line, c.old, c.new, 1)), "set.jsonl")
		if err == nil || !strings.HasPrefix(err.Error(), "distill: set.jsonl:3: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %s", c.new, err, c.want)
		}
	}
}

func TestCheckLeakage(t *testing.T) {
	set := testSet()
	if err := set.CheckLeakage(HeldOutProblems([]task.Problem{countdown(32, 3, 7, 12)})); err != nil {
		t.Errorf("got error %v", err)
	}
	err := set.CheckLeakage(HeldOutProblems([]task.Problem{countdown(50, 3, 7, 11)}))
	if err == nil || !strings.Contains(err.Error(), `record 0: problem "countdown-3/3-7-11/32" is of group "countdown-3/3-7-11"`) {
		t.Errorf("got error %v", err)
	}
}

func TestExamples(t *testing.T) {
	lab := tokenizer.Lab()
	set := testSet()
	examples := Examples(set, lab, tokenizer.End)
	if len(examples) != len(set.Records) {
		t.Fatalf("got %d examples", len(examples))
	}
	for i, e := range examples {
		r := set.Records[i]
		completion := r.Completion
		if i == 1 {
			completion += tokenizer.End // which it lacks
		}
		if got := lab.Decode(e.Tokens[:e.TargetFrom]); got != r.Prompt {
			t.Errorf("%d: read only %q", i, got)
		}
		if got := lab.Decode(e.Tokens[e.TargetFrom:]); got != completion || e.Mask != nil {
			t.Errorf("%d: learned %q, mask %v", i, got, e.Mask)
		}
	}
}
