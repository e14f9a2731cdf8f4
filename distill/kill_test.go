package distill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/verify"
)

// TestMain turns the test binary into the process that is killed when it is
// called as: binary collect FOLDER CHUNKS. It writes a dot as it begins each
// chunk, and after so many waits to be killed before it begins another.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "ask" {
		if _, _, err := askInto(os.Args[2], os.Args[3]); err != nil {
			fmt.Print(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) == 4 && os.Args[1] == "collect" {
		left, err := strconv.Atoi(os.Args[3])
		if err == nil {
			err = collectInto(os.Args[2], func() {
				if left--; left < 0 {
					time.Sleep(time.Hour)
				}
				fmt.Print(".")
			})
		}
		if err != nil {
			fmt.Print(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// coin is a task that any text may solve.
type coin struct{ task.Task }

func (coin) Grade(p task.Problem, completion string) verify.Verdict {
	switch hash := ProblemSeed(completion); {
	case hash%5 == 0:
		return verify.Verdict{Reason: "on its edge"}
	case hash%2 == 0:
		return verify.Verdict{Outcome: verify.Right}
	}
	return verify.Verdict{Outcome: verify.Wrong, Reason: "tails"}
}

func (coin) Format(string) bool { return true }

// announced tells of each call before it is answered.
type announced struct {
	Sampler
	tell func()
}

func (a announced) Generate(ctx context.Context, requests []engine.Request) ([]engine.Result, error) {
	a.tell()
	return a.Sampler.Generate(ctx, requests)
}

func tinyTeacher() (*model.Model, error) {
	return model.New(model.Config{Architecture: model.Qwen2, VocabSize: tokenizer.Lab().Size(), Width: 16, Layers: 1, Heads: 2, KVHeads: 1,
		HeadSize: 8, FFN: 16, MaxPositions: 64, RopeTheta: 1e4, NormEpsilon: 1e-6, TieEmbeddings: true, BOS: -1, EOS: -1}, 7)
}

var tinyOptions = CollectOptions{Samples: 3, MaxNewTokens: 3, Seed: 5, ChunkProblems: 4, Filters: FilterOptions{KeepUnfinished: true, PerProblem: 2}}

const tinyProblems = 40

func nothing() {}

// collectTiny asks a teacher of random weights.
func collectTiny(problems []task.Problem, o *CollectOptions, folder string, tell func()) (*Set, *Counts, error) {
	m, err := tinyTeacher()
	if err != nil {
		return nil, nil, err
	}
	cpu := compute.NewCPU(1)
	defer cpu.Close()
	e, err := engine.New(m, cpu, &engine.Options{MaxBatch: 8, Blocks: 64})
	if err != nil {
		return nil, nil, err
	}
	hash, err := ModelHash(m)
	if err != nil {
		return nil, nil, err
	}
	return Collect(context.Background(), &Setup{Sampler: announced{e, tell}, Tokenizer: tokenizer.Lab(), Teacher: "tiny", TeacherHash: hash,
		Task: coin{}, Folder: folder}, problems, o)
}

// collectInto writes traces, set and counts into a folder.
func collectInto(folder string, tell func()) error {
	problems, err := task.Registry["countdown-3"].Problems(task.Train, 1, tinyProblems)
	if err != nil {
		return err
	}
	set, counts, err := collectTiny(problems, &tinyOptions, filepath.Join(folder, "traces"), tell)
	if err != nil {
		return err
	}
	text, err := json.Marshal(counts)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "counts.json"), text, 0o666); err != nil {
		return err
	}
	return set.WriteFile(filepath.Join(folder, "set.jsonl"))
}

func TestKilled(t *testing.T) {
	calm, killed := t.TempDir(), t.TempDir()
	if err := collectInto(calm, nothing); err != nil {
		t.Fatal(err)
	}
	chunks := func() int {
		names, err := filepath.Glob(filepath.Join(killed, "traces", "traces-*.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	middle, done := 0, false
	for attempt := 0; !done && attempt < 100; attempt++ {
		// The second chunk is begun when the first is written, so that each attempt gets further.
		done = killedAfter(t, killed, 2+random.IntN(3), time.Duration(random.Int64N(int64(10*time.Millisecond))))
		if n := chunks(); !done && n > 0 && n < tinyProblems/tinyOptions.ChunkProblems {
			middle++
		}
	}
	if !done || middle == 0 {
		t.Fatalf("done: %v, killed in the middle %d times, %d chunks", done, middle, chunks())
	}
	t.Logf("killed in the middle %d times", middle)
	sameFiles(t, calm, killed)
}

// killedAfter runs the collecting process and kills it a while after it has begun
// so many chunks; done says that it was through before.
func killedAfter(t *testing.T, folder string, begun int, while time.Duration) (done bool) {
	t.Helper()
	process := exec.Command(os.Args[0], "collect", folder, strconv.Itoa(begun))
	said, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	dots := make([]byte, begun)
	if n, err := io.ReadFull(said, dots); err == nil {
		time.Sleep(while)
		err = process.Process.Kill()
		if err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
	} else if rest := bytes.Trim(dots[:n], "."); len(rest) > 0 {
		t.Fatalf("the process said %s", rest)
	}
	return process.Wait() == nil
}

// sameFiles compares all files of two folders.
func sameFiles(t *testing.T, a, b string) {
	t.Helper()
	compared := 0
	err := filepath.WalkDir(a, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(a, path)
		if err != nil {
			return err
		}
		want, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if got, err := os.ReadFile(filepath.Join(b, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs (%d bytes, want %d): %v", name, len(got), len(want), err)
		}
		compared++
		return nil
	})
	if err != nil || compared != 3+tinyProblems/tinyOptions.ChunkProblems {
		t.Errorf("compared %d files, %v", compared, err)
	}
}

// TestSetIsAFunction: the same traces however the work is cut, and each record
// can be sampled again from its provenance alone.
func TestSetIsAFunction(t *testing.T) {
	problems, err := task.Registry["countdown-3"].Problems(task.Train, 1, 24)
	if err != nil {
		t.Fatal(err)
	}
	o := tinyOptions
	set, counts, err := collectTiny(problems, &o, "", nothing)
	if err != nil {
		t.Fatal(err)
	}
	if counts.Kept < 6 || counts.Unjudged == 0 || counts.Wrong == 0 {
		t.Fatalf("counts %+v", counts)
	}
	o.ChunkProblems = 5
	again, _, err := collectTiny(problems[3:], &o, "", nothing)
	if err != nil {
		t.Fatal(err)
	}
	tail := set.Records[len(set.Records)-len(again.Records):]
	for i := range again.Records {
		if again.Records[i] != tail[i] {
			t.Fatalf("cut otherwise: got %+v, want %+v", again.Records[i], tail[i])
		}
	}
	m, err := tinyTeacher()
	if err != nil {
		t.Fatal(err)
	}
	cpu := compute.NewCPU(1)
	defer cpu.Close()
	e, err := engine.New(m, cpu, nil)
	if err != nil {
		t.Fatal(err)
	}
	lab := tokenizer.Lab()
	for i, r := range set.Records {
		p := r.Provenance
		results, err := e.Generate(t.Context(), []engine.Request{{Prompt: lab.Encode(r.Prompt), MaxTokens: p.Tokens, Temperature: float32(p.Temperature),
			Seed: engine.Seed{Run: p.Seed, Problem: ProblemSeed(p.Problem), Sample: uint64(p.Sample)}}})
		if err != nil || lab.Decode(results[0].Tokens) != r.Completion {
			t.Fatalf("record %d: sampled %q, %v; want %q", i, lab.Decode(results[0].Tokens), err, r.Completion)
		}
	}
}

func TestModelHash(t *testing.T) {
	hashOf := func(change func(m *model.Model)) string {
		m, err := tinyTeacher()
		if err != nil {
			t.Fatal(err)
		}
		change(m)
		hash, err := ModelHash(m)
		if err != nil || len(hash) != 64 {
			t.Fatalf("got %q, %v", hash, err)
		}
		return hash
	}
	plain := hashOf(func(*model.Model) {})
	if again := hashOf(func(*model.Model) {}); again != plain {
		t.Errorf("two hashes of one model: %s, %s", plain, again)
	}
	m, err := tinyTeacher()
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range m.Parameters() {
		if hashOf(func(m *model.Model) { data := m.Parameters()[i].Data; data[len(data)-1]++ }) == plain {
			t.Errorf("%s: its last weight is not in the hash", p.Name)
		}
	}
}
