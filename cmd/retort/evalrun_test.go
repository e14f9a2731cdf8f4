package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/retort-ml/retort/eval"
	"github.com/retort-ml/retort/internal/tinymodel"
	"github.com/retort-ml/retort/openai"
)

// needTiny skips a test of a build without the embedded model.
func needTiny(t *testing.T) {
	t.Helper()
	if !tinymodel.Present() {
		t.Skip("this build has no embedded model")
	}
}

// sharedData is a path of the shared data; without it the test is skipped.
func sharedData(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("RETORT_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	path := filepath.Join(root, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the shared data is not here (%v); RETORT_DATA names its folder", err)
	}
	return path
}

// evalRun runs retort eval and returns its summary.
func evalRun(t *testing.T, arguments ...string) *eval.Figures {
	t.Helper()
	status, out, stderr := retort(t, t.Context(), append([]string{"eval", "--json", "--resamples", "100"}, arguments...)...)
	if status != exitDone {
		t.Fatalf("%q: status %d: %s", arguments, status, stderr)
	}
	found := events[eval.Figures](t, out, "summary")
	if len(found) != 1 {
		t.Fatalf("%q: %d summaries in %s", arguments, len(found), out)
	}
	return &found[0]
}

// plainSummary is a summary without what time and place put in it.
func plainSummary(t *testing.T, f *eval.Figures) string {
	t.Helper()
	plain := *f
	plain.Run, plain.Cost.Seconds, plain.Cost.PromptTokens, plain.Cost.Joules = "", 0, 0, nil
	text, err := json.Marshal(&plain)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sortedLines is a run's samples file with its lines in order.
func sortedLines(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "samples.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func TestEvalTaskOnTheEmbeddedModel(t *testing.T) {
	needTiny(t)
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	f := evalRun(t, "--task", "countdown-3", "--limit", "24", "--samples", "4", "--run", at("a"), "--threads", "2")
	if f.Asked != 24 || f.Answers != 96 || f.Missing != 0 || f.PassAt1.Value < 0.2 || f.PassAt1.Value > 0.95 || f.SamplingError == nil || f.Cost.Tokens == 0 || f.Cost.Seconds == 0 {
		t.Errorf("%+v", f)
	}
	b := evalRun(t, "--task", "countdown-3", "--limit", "24", "--samples", "4", "--run", at("b"), "--threads", "1", "--batch", "7")
	if plainSummary(t, f) != plainSummary(t, b) || sortedLines(t, at("a")) != sortedLines(t, at("b")) {
		t.Error("another batch and another number of threads have other samples")
	}
	evalRun(t, "--task", "countdown-3", "--limit", "24", "--samples", "4", "--run", at("c"), "--temperature", "1", "--seed", "0")
	status, out, stderr := retort(t, t.Context(), "eval", "compare", at("a"), at("c"), "--json", "--output", at("compared"))
	compared := events[eval.Comparison](t, out, "comparison")
	if status != exitDone || len(compared) != 1 || compared[0].Problems != 24 || len(compared[0].Settings) != 1 || compared[0].Settings[0].Setting != "temperature" {
		t.Errorf("status %d, %+v, %s", status, compared, stderr)
	}
	if status, _, stderr := retort(t, t.Context(), "eval", "report", at("a"), "--resamples", "100"); status != exitDone {
		t.Error(stderr)
	}
	for _, path := range []string{at("a/report.html"), at("a/report.md"), at("compared/compare.html"), at("compared/compare.md")} {
		if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), "pass@1") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if status, out, _ := retort(t, t.Context(), "eval", "regrade", at("a"), "--resamples", "100"); status != exitDone || !strings.Contains(out, "changed verdicts: 0\n") {
		t.Errorf("regrade: status %d, %s", status, out)
	}
	if status, _, stderr := retort(t, t.Context(), "eval", "--task", "countdown-3", "--run", at("a")); status != exitFailed || !strings.Contains(stderr, "--resume "+at("a")) {
		t.Errorf("a second run in the same folder: %d %s", status, stderr)
	}
	again := evalRun(t, "--resume", at("a"))
	if again.Regraded != 1 || again.Answers != 96 || again.PassAt1 != f.PassAt1 || again.Cost.Tokens != f.Cost.Tokens {
		t.Errorf("a finished run was resumed to %+v", again)
	}
}

func TestEvalVotesSaveTokens(t *testing.T) {
	needTiny(t)
	folder := t.TempDir()
	base := []string{"--task", "linear", "--limit", "6", "--samples", "7"}
	full := evalRun(t, append(base, "--run", filepath.Join(folder, "full"))...)
	early := evalRun(t, append(base, "--run", filepath.Join(folder, "early"), "--stop-when-decided", "--round", "1")...)
	sure := evalRun(t, append(base, "--run", filepath.Join(folder, "sure"), "--stop-when-decided=0.8", "--round", "1")...)
	last := func(f *eval.Figures) eval.AtK { return f.ConsAt[len(f.ConsAt)-1] }
	if last(full).K != 7 || last(full).Estimate.Value != last(early).Estimate.Value {
		t.Errorf("cons@7: full %+v, stopped %+v", last(full), last(early))
	}
	if sure.Vote == nil || early.Vote == nil || sure.Vote.Drawn > early.Vote.Drawn || early.Vote.Drawn > full.Answers {
		t.Errorf("drawn: full %d, exact %+v, at 0.8 %+v", full.Answers, early.Vote, sure.Vote)
	}
}

// Real problems on a model that cannot solve them: the run goes to its end, and what cannot be asked is counted apart.
func TestEvalMATHOnTheEmbeddedModel(t *testing.T) {
	needTiny(t)
	data := sharedData(t, "bench")
	folder := filepath.Join(t.TempDir(), "run")
	f := evalRun(t, "--bench", "math500", "--data", data, "--samples", "2", "--limit", "20", "--run", folder)
	if f.Asked != 20 || f.Refused == 0 || f.Refused == 20 || f.Answers != 2*(20-f.Refused) || f.Missing != 0 || f.PassAt1.Problems != 20-f.Refused {
		t.Errorf("%+v", f)
	}
	settings := map[string]bool{}
	for _, d := range f.Deviates {
		settings[d.Setting] = true
	}
	if !settings["token limit"] || settings["top-p"] || !settings["samples per problem (k)"] || !settings["problems"] || settings["temperature"] || settings["prompt"] || len(f.Published) == 0 {
		t.Errorf("deviations %v, %d published figures", settings, len(f.Published))
	}
	status, out, stderr := retort(t, t.Context(), "eval", "report", folder, "--resamples", "100")
	if status != exitDone || !strings.Contains(out, "R1-Distill-Qwen-1.5B") || !strings.Contains(out, "cannot be asked") {
		t.Errorf("status %d, %s %s", status, out, stderr)
	}
}

func TestEvalUsage(t *testing.T) {
	for _, c := range []struct{ arguments, want string }{
		{"--bench math500", "needs --data"},
		{"--bench math50 --data .", `no benchmark "math50"`},
		{"--task countdown-9", "unknown task"},
		{"--bench math500 --task linear", "want --bench or --task"},
		{"--task linear --samples 2 --votes 3", "want one of them"},
		{"--task linear --round 3", "goes with --stop-when-decided"},
		{"--task linear --stop-when-decided=0.3", "want a probability"},
		{"--task linear --temperature 0 --samples 2", "all samples would be the same"},
		{"--task linear --price 1", "want two"},
		{"--task linear --endpoint http://127.0.0.1:1/v1", "--endpoint needs --model"},
		{"--task linear --opens-thought", "without --endpoint"},
		{"--task linear --data .", "makes its own problems"},
		{"--resume x --task linear", "takes the run's own plan"},
	} {
		status, _, stderr := retort(t, t.Context(), append([]string{"eval"}, strings.Fields(c.arguments)...)...)
		if status != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: status %d, %s; want %q", c.arguments, status, stderr, c.want)
		}
	}
	if status, _, stderr := retort(t, t.Context(), "eval", "--resume", t.TempDir()); status != exitFailed || !strings.Contains(stderr, "retort runs ls") {
		t.Errorf("status %d, %s", status, stderr)
	}
}

// An endpoint that fails for some problems at first: their samples are missing, and the resumed run asks for them alone.
func TestEvalAsksAnEndpoint(t *testing.T) {
	var asked, isBroken atomic.Int32
	isBroken.Store(1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request openai.ChatRequest
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		asked.Add(1)
		question := request.Messages[len(request.Messages)-1].Content.String()
		if r.Header.Get("Authorization") != "Bearer secret" || len(request.Messages) != 2 || request.Messages[0].Role != "system" {
			t.Errorf("%v, %+v", r.Header, request.Messages)
		}
		if strings.Contains(question, "third") && isBroken.Load() == 1 {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":{"message":"not this one"}}`)
			return
		}
		stop, thought := "stop", "hm"
		reply := openai.ChatResponse{Choices: []openai.ChatChoice{{Message: openai.Message{Role: "assistant", Content: openai.NewContent("\\boxed{4}"), ReasoningContent: &thought}, FinishReason: &stop}},
			Usage: &openai.Usage{PromptTokens: 10, CompletionTokens: 20, TotalTokens: 30, CompletionTokensDetails: &openai.CompletionDetails{ReasoningTokens: 15}}}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(reply)
	}))
	defer server.Close()
	data := filepath.Join(t.TempDir(), "problems.jsonl")
	var lines strings.Builder
	for i, name := range []string{"first", "second", "third", "fourth"} {
		fmt.Fprintf(&lines, `{"id":"%s","problem":"The %s?","answer":"%d"}`+"\n", name, name, 3+i%2)
	}
	if err := os.WriteFile(data, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("RETORT_TEST_KEY", "secret")
	folder := filepath.Join(t.TempDir(), "run")
	status, _, stderr := retort(t, t.Context(), "eval", "--bench", "math500", "--data", data, "--endpoint", server.URL, "--model", "m", "--samples", "2", "--run", folder,
		"--key-variable", "RETORT_TEST_KEY", "--system", "Think.", "--price", "1,2", "--concurrency", "2")
	if status != exitFailed || !strings.Contains(stderr, "2 samples are missing") || !strings.Contains(stderr, "not this one") || !strings.Contains(stderr, "--resume "+folder) {
		t.Fatalf("status %d: %s", status, stderr)
	}
	before := asked.Load()
	isBroken.Store(0)
	f := evalRun(t, "--resume", folder, "--key-variable", "RETORT_TEST_KEY")
	if f.Answers != 8 || f.Missing != 0 || f.PassAt1.Value != 0.5 || asked.Load()-before != 2 {
		t.Errorf("%d samples, %d missing, pass@1 %v, %d requests", f.Answers, f.Missing, f.PassAt1.Value, asked.Load()-before)
	}
	if f.All.Mean != 20 || f.Thought.Unit != "token" || f.Thought.All.Mean != 15 || f.Rates.Unclosed != 0 || f.Cost.Price == nil || *f.Cost.Price != (80+2*160)/1e6 {
		t.Errorf("%+v, thought %+v, cost %+v", f.All, f.Thought, f.Cost)
	}
	found := map[string]bool{}
	for _, d := range f.Deviates {
		found[d.Setting] = true
	}
	if !found["system role"] || !found["opened thought"] || found["top-p"] {
		t.Errorf("deviations %v", found)
	}
	if status, _, stderr := retort(t, t.Context(), "eval", "--resume", folder, "--key-variable", "RETORT_NO_SUCH_KEY"); status != exitUsage || !strings.Contains(stderr, "is not set") {
		t.Errorf("status %d: %s", status, stderr)
	}
}
