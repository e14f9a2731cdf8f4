package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/runstore"
)

// runKinds are one run of each kind, small but with everything that has a state: shuffling, a
// reference that is replaced, resampling, mini-batches. Each has 7 steps.
var runKinds = map[string]func(ctx context.Context, s *Setup, r Rollouter, teacher *model.Model, c CheckpointOptions) (*Summary, error){
	"sft": func(ctx context.Context, s *Setup, r Rollouter, teacher *model.Model, c CheckpointOptions) (*Summary, error) {
		o := SFTOptions{Steps: 7, BatchSize: 3, Shuffle: true, Seed: 4, Optimizer: OptimizerOptions{LearningRate: 1e-2, WarmupSteps: 2}, Checkpoint: c}
		return SFT(ctx, s, fourExamples(), &o)
	},
	"sft_8bit": func(ctx context.Context, s *Setup, r Rollouter, teacher *model.Model, c CheckpointOptions) (*Summary, error) {
		o := SFTOptions{Steps: 7, BatchSize: 3, Shuffle: true, Seed: 4, Optimizer: OptimizerOptions{Name: OptimizerAdamW8, LearningRate: 1e-2}, Checkpoint: c}
		return SFT(ctx, s, fourExamples(), &o)
	},
	"grpo_8bit": func(ctx context.Context, s *Setup, r Rollouter, teacher *model.Model, c CheckpointOptions) (*Summary, error) {
		o := GRPOOptions{
			Variant: "dr_grpo", Steps: 7,
			Rollout:   RolloutOptions{Problems: 2, Group: 6, MaxNewTokens: 4, Stop: []int32{testStop}, Shuffle: true, Seed: 11},
			Optimizer: OptimizerOptions{Name: OptimizerAdamW8, LearningRate: 1e-2}, Checkpoint: c,
		}
		return GRPO(ctx, s, r, bandit(), gradeBandit, &o)
	},
	"distill": func(ctx context.Context, s *Setup, r Rollouter, teacher *model.Model, c CheckpointOptions) (*Summary, error) {
		o := DistillOptions{SFT: SFTOptions{Steps: 7, BatchSize: 3, Shuffle: true, Optimizer: OptimizerOptions{LearningRate: 1e-2}, Checkpoint: c}}
		return Distill(ctx, s, teacher, fourExamples(), &o)
	},
	"grpo": func(ctx context.Context, s *Setup, r Rollouter, teacher *model.Model, c CheckpointOptions) (*Summary, error) {
		o := GRPOOptions{
			Variant: "grpo", Steps: 7, MiniBatches: 2, ReferenceEvery: 3, ResampleRounds: 1, Meter: MeterOptions{Share: 0.5},
			Rollout:   RolloutOptions{Problems: 2, Group: 6, MaxNewTokens: 4, Stop: []int32{testStop}, Shuffle: true, Seed: 11},
			Optimizer: OptimizerOptions{LearningRate: 1e-2}, Checkpoint: c,
		}
		return GRPO(ctx, s, r, bandit(), gradeBandit, &o)
	},
	"dapo": func(ctx context.Context, s *Setup, r Rollouter, teacher *model.Model, c CheckpointOptions) (*Summary, error) {
		o := GRPOOptions{
			Variant: "dapo", Steps: 7, MiniBatches: 2, Truncated: TruncatedKeep, ResampleRounds: 3,
			Rollout:   RolloutOptions{Problems: 2, Group: 6, MaxNewTokens: 4, Stop: []int32{testStop}, Shuffle: true, Seed: 11},
			Optimizer: OptimizerOptions{LearningRate: 1e-2}, Checkpoint: c,
		}
		return GRPO(ctx, s, r, bandit(), gradeBandit, &o)
	},
	"reinforce_pp": func(ctx context.Context, s *Setup, r Rollouter, teacher *model.Model, c CheckpointOptions) (*Summary, error) {
		o := GRPOOptions{
			Variant: "reinforce_pp", Steps: 7, MiniBatches: 2, InnerEpochs: 2, ReferenceEvery: 3,
			Rollout:   RolloutOptions{Problems: 2, Group: 3, MaxNewTokens: 4, Stop: []int32{testStop}, Shuffle: true, Seed: 11},
			Optimizer: OptimizerOptions{LearningRate: 1e-2}, Checkpoint: c,
		}
		return GRPO(ctx, s, r, bandit(), gradeBandit, &o)
	},
	"on_policy": func(ctx context.Context, s *Setup, r Rollouter, teacher *model.Model, c CheckpointOptions) (*Summary, error) {
		o := OnPolicyOptions{
			Steps:     7,
			Rollout:   RolloutOptions{Problems: 2, Group: 3, MaxNewTokens: 4, Stop: []int32{testStop}, Shuffle: true, Seed: 11},
			Optimizer: OptimizerOptions{LearningRate: 1e-2}, Checkpoint: c,
		}
		return OnPolicy(ctx, s, teacher, r, bandit(), gradeBandit, &o)
	},
}

// TestResumedEqualsUninterrupted stops each kind of run after each number of steps, goes on with
// new objects, a model of other weights and another number of threads, and wants every bit of the
// last checkpoint (weights, moments, reference, state) and of the records to be the same.
func TestResumedEqualsUninterrupted(t *testing.T) {
	teacher := testModel(t, 9)
	one, two := testCPU(t, 1), testCPU(t, 2)
	for kind, run := range runKinds {
		part := func(ctx context.Context, d *diary, seed uint64, cpu *compute.CPU, progress func(Progress)) (*Summary, error) {
			m := testModel(t, seed)
			setup := &Setup{Model: m, CPU: cpu, Recorder: d, Progress: progress, Reflect: turnsAtNines}
			return run(ctx, setup, testEngine(t, m, cpu), teacher, CheckpointOptions{EverySteps: 2})
		}
		whole := newDiary(t)
		if _, err := part(context.Background(), whole, 1, one, nil); err != nil {
			t.Fatal(kind, err)
		}
		if text := whole.samples.String(); kind != "on_policy" && strings.Contains(text, `"tokens":[`) && !strings.Contains(text, `"ratios":[`) {
			t.Errorf("%s: the record holds no values of tokens", kind)
		}
		if kind == "grpo" && !strings.Contains(whole.samples.String(), `"turns":[{"at":`) {
			t.Error("no reflection of the run was tested")
		}
		for _, stop := range []int{1, 4} {
			cut := newDiary(t)
			ctx, progress := cancelAt(stop)
			if _, err := part(ctx, cut, 1, one, progress); !errors.Is(err, context.Canceled) {
				t.Fatalf("%s stopped after step %d: got %v, want context.Canceled", kind, stop, err)
			}
			sum, err := part(context.Background(), cut, 2, two, nil)
			if err != nil {
				t.Fatal(kind, err)
			}
			if sum.ResumedFrom != stop || sum.Steps != 7 {
				t.Errorf("%s: resumed from step %d, want %d; ended at step %d, want 7", kind, sum.ResumedFrom, stop, sum.Steps)
			}
			compareDiaries(t, kind, whole, cut)
		}
	}
}

// TestLostStepsAreDoneAgain is a crash: the steps after the last checkpoint leave records and no
// checkpoint.
func TestLostStepsAreDoneAgain(t *testing.T) {
	one := testCPU(t, 1)
	run := func(d *diary, fail func(step int) bool) error {
		m := testModel(t, 1)
		setup := &Setup{Model: m, CPU: one, Recorder: &failing{diary: d, fail: fail}}
		_, err := runKinds["grpo"](context.Background(), setup, testEngine(t, m, one), nil, CheckpointOptions{EverySteps: 3})
		return err
	}
	never := func(int) bool { return false }
	whole, cut := newDiary(t), newDiary(t)
	if err := run(whole, never); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{1, 5, 5, 7} {
		if err := run(cut, func(step int) bool { return step == at }); !errors.Is(err, errCrash) {
			t.Fatalf("crash at step %d: got %v", at, err)
		}
	}
	if err := run(cut, never); err != nil {
		t.Fatal(err)
	}
	compareDiaries(t, "grpo", whole, cut)
}

var errCrash = errors.New("crash")

// failing is a diary that fails while the metrics of a step are appended, after its samples were.
type failing struct {
	*diary
	fail func(step int) bool
}

func (f *failing) AppendMetrics(step int, values []runstore.Value) error {
	if f.fail(step) {
		return errCrash
	}
	return f.diary.AppendMetrics(step, values)
}

func compareDiaries(t *testing.T, kind string, want, got *diary) {
	t.Helper()
	if g, w := got.metrics.String(), want.metrics.String(); g != w || strings.Count(w, "\n") != 7 {
		t.Errorf("%s: metrics are\n%s\nwant\n%s", kind, g, w)
	}
	if g, w := got.samples.String(), want.samples.String(); g != w {
		t.Errorf("%s: samples differ: %d bytes, want %d", kind, len(g), len(w))
	}
	entries, err := os.ReadDir(want.folder(7))
	if err != nil || len(entries) < 4 {
		t.Fatal(kind, entries, err)
	}
	for _, e := range entries {
		w, err1 := os.ReadFile(filepath.Join(want.folder(7), e.Name()))
		g, err2 := os.ReadFile(filepath.Join(got.folder(7), e.Name()))
		if err1 != nil || err2 != nil || string(w) != string(g) {
			t.Errorf("%s: %s differs (%v, %v)", kind, e.Name(), err1, err2)
		}
	}
}

func TestCheckpointOpensAsAModel(t *testing.T) {
	d, m := newDiary(t), testModel(t, 1)
	if _, err := runKinds["sft"](context.Background(), &Setup{Model: m, CPU: testCPU(t, 1), Recorder: d}, nil, nil, CheckpointOptions{}); err != nil {
		t.Fatal(err)
	}
	opened, err := model.Open(d.folder(7))
	if err != nil {
		t.Fatal(err)
	}
	if sumOf(opened.Weights()) != sumOf(m.Weights()) {
		t.Error("the opened checkpoint has other weights")
	}
}

func TestResumeRefusesAnotherRun(t *testing.T) {
	cpu := testCPU(t, 1)
	d := newDiary(t)
	setup := func() *Setup { return &Setup{Model: testModel(t, 1), CPU: cpu, Recorder: d} }
	if _, err := runKinds["sft"](context.Background(), setup(), nil, nil, CheckpointOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := runKinds["distill"](context.Background(), setup(), nil, testModel(t, 2), CheckpointOptions{})
	if !errors.Is(err, ErrOtherRun) || !strings.Contains(err.Error(), "kind of run: got sft, want distill") {
		t.Errorf("another kind: got %v", err)
	}
	_, err = SFT(context.Background(), setup(), fourExamples()[:3], nil)
	if !errors.Is(err, ErrOtherRun) || !strings.Contains(err.Error(), "sha256 of the data") {
		t.Errorf("other data: got %v", err)
	}
	rounded := setup()
	if err := rounded.Model.SetOptions(model.Options{Compute: model.ComputeBF16}); err != nil {
		t.Fatal(err)
	}
	_, err = runKinds["sft"](context.Background(), rounded, nil, nil, CheckpointOptions{})
	if !errors.Is(err, ErrOtherRun) || !strings.Contains(err.Error(), "compute: got f32, want bf16") {
		t.Errorf("in bf16: got %v", err)
	}
	for _, damage := range []struct{ file, want string }{
		{stateFile, "train: resume: state.json: "}, {optimizerFile, "optimizer.safetensors"}, {"model.safetensors", "cut file"},
	} {
		path := filepath.Join(d.folder(7), damage.file)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text[:len(text)/2], 0o666); err != nil {
			t.Fatal(err)
		}
		_, err = runKinds["sft"](context.Background(), setup(), nil, nil, CheckpointOptions{})
		if err == nil || !strings.Contains(err.Error(), damage.want) {
			t.Errorf("half of %s: got %v", damage.file, err)
		}
		if err := os.WriteFile(path, text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCancelInARolloutLeavesNoTrace: the step that was sampling is done again from its beginning.
func TestCancelInARolloutLeavesNoTrace(t *testing.T) {
	cpu := testCPU(t, 1)
	run := func(ctx context.Context, d *diary, wrap func(Rollouter) Rollouter) error {
		m := testModel(t, 1)
		_, err := runKinds["grpo"](ctx, &Setup{Model: m, CPU: cpu, Recorder: d}, wrap(testEngine(t, m, cpu)), nil, CheckpointOptions{EverySteps: 100})
		return err
	}
	plain := func(r Rollouter) Rollouter { return r }
	whole, cut := newDiary(t), newDiary(t)
	if err := run(context.Background(), whole, plain); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	err := run(ctx, cut, func(r Rollouter) Rollouter { return &interrupted{Rollouter: r, calls: 6, cancel: cancel} })
	if !errors.Is(err, context.Canceled) || cut.step < 1 || cut.step > 5 {
		t.Fatalf("cancelled: got %v and a checkpoint of step %d", err, cut.step)
	}
	if err := run(context.Background(), cut, plain); err != nil {
		t.Fatal(err)
	}
	compareDiaries(t, "grpo", whole, cut)
}

func TestCheckpointsByTheClock(t *testing.T) {
	for seconds, want := range map[float64]int{1e-9: 7, 1000: 1} {
		d := newDiary(t)
		if _, err := runKinds["sft"](context.Background(), &Setup{Model: testModel(t, 1), CPU: testCPU(t, 1), Recorder: d}, nil, nil, CheckpointOptions{EverySeconds: seconds}); err != nil {
			t.Fatal(err)
		}
		if d.checkpoints != want {
			t.Errorf("a checkpoint every %v s: got %d in 7 steps, want %d", seconds, d.checkpoints, want)
		}
	}
}
