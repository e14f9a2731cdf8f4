package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/verify"
)

const gradeLines = `{"gold":"\\frac{1}{2}","pred":"0.5","expected":true}
{"gold":"7","completion":"<think>8</think>So it is \\boxed{9}.","expected":false}

{"gold":"C","pred":"I am sure it is C","kind":"choice","expected":true}
{"gold":"10","pred":"10\\%","convention":"percent-drop","expected":true}
{"gold":"","pred":"1","expected":true}
{"gold":"3","pred":"3","expected":false}
{"gold":"3","pred":"4","expected":true}
`

func TestGradeFile(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "answers.jsonl")
	if err := os.WriteFile(plain, []byte(gradeLines), 0o600); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(gradeLines)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(plain+".gz", packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{plain, plain + ".gz"} {
		status, out, stderr := retort(t, t.Context(), "grade", path, "--json")
		if status != exitDone {
			t.Fatalf("status %d: %s", status, stderr)
		}
		grades := events[gradeEvent](t, out, "grade")
		want := []verify.Outcome{verify.Right, verify.Wrong, verify.Right, verify.Right, verify.Unknown, verify.Right, verify.Wrong}
		if len(grades) != len(want) {
			t.Fatalf("%d lines, want %d", len(grades), len(want))
		}
		for i, g := range grades {
			if g.Verdict != want[i] || g.Rule == "" {
				t.Errorf("line %d: %+v, want %v", i, g, want[i])
			}
		}
		if g := grades[0]; g.Gold != "1/2" || g.Answer != "1/2" {
			t.Errorf("canonical forms %+v", g)
		}
		sum := events[gradeSummary](t, out, "summary")
		if len(sum) != 1 || sum[0].Correct != 4 || *sum[0].FalsePositives != 1 || *sum[0].FalseNegatives != 1 || *sum[0].Unknowns != 1 || *sum[0].Accuracy != 4.0/7 {
			t.Errorf("summary %+v", sum)
		}
	}
}

func TestGradeRefused(t *testing.T) {
	for _, c := range [][]string{
		{"--option", "percent", "x"}, {"--option", "percent=maybe", "x"}, {"--option", "colour=red", "x"}, {"a", "b"}, {"--why", "1"},
	} {
		status, _, stderr := retort(t, t.Context(), append([]string{"grade"}, c...)...)
		if status != exitUsage || !strings.Contains(stderr, "want") && !strings.Contains(stderr, "there are") {
			t.Errorf("%v: status %d, %s", c, status, stderr)
		}
	}
	path := filepath.Join(t.TempDir(), "bad.jsonl")
	if err := os.WriteFile(path, []byte(`{"gold":"1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := retort(t, t.Context(), "grade", path); status != exitFailed || !strings.Contains(stderr, "line 1") {
		t.Errorf("status %d, %s", status, stderr)
	}
}

func TestGradeWhy(t *testing.T) {
	status, out, stderr := retort(t, t.Context(), "grade", "--why", "--option", "percent=either", "50", "The answer is 50%.")
	if status != exitDone || !strings.Contains(out, "right") || !strings.Contains(out, "50%") {
		t.Errorf("status %d: %s%s", status, out, stderr)
	}
}
