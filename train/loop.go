package train

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/runstore"
)

// Recorder keeps what a run did; *runstore.Run is one, with the table of Metrics in its manifest.
// Whether a run may be resumed by this build at all is asked of the manifest (CheckExact) before.
type Recorder interface {
	// Rewind takes the record back to its newest complete checkpoint, whose folder it returns, or
	// to its beginning if there is none, and returns "".
	Rewind() (dir string, step int, err error)
	// AppendSample records one answer as a line of JSON.
	AppendSample(sample any) error
	// AppendTiming records how long the parts of a step took, outside of what is reproducible.
	AppendTiming(step int, parts []runstore.Timing) error
	// AppendMetrics records the metrics of a step (counted from 1) and ends it.
	AppendMetrics(step int, values []runstore.Value) error
	// Checkpoint makes a folder, has write fill it, and lets it appear whole or not at all.
	Checkpoint(step int, write func(dir string) error) error
}

// Setup is what every kind of run needs. Model and CPU are required.
type Setup struct {
	// Model is the model whose weights are updated, in place; those of its adapter alone if it has one.
	Model *model.Model
	// CPU computes.
	CPU *compute.CPU
	// Recorder keeps metrics, samples and checkpoints; nil keeps nothing. A run goes on from its
	// newest checkpoint.
	Recorder Recorder
	// Progress is called after each step, from the loop's goroutine; it may be nil.
	Progress func(Progress)
	// Decode makes text of an answer's tokens, for the grader and the record; nil gives "".
	Decode func(tokens []int32) string
	// Observe returns metrics of the caller's own from the answers of a step (counted from 1), the
	// resampled ones included; they are recorded with the others and the watchdog reads them. It
	// must be a function of its arguments alone. It may be nil.
	Observe func(step int, samples []Sample) []runstore.Value
	// Reflect finds where an answer turns back, for the meter of MeterOptions; FindReflections does it by words. It must be a function of its
	// arguments alone, and keep none of them. nil means no meter. Only GRPO has one.
	Reflect func(problem *Problem, tokens []int32, text string) Reflections
}

func (s *Setup) validate() error {
	if s == nil || s.Model == nil || s.CPU == nil {
		return errors.New("train: setup: want a Model and a CPU")
	}
	return nil
}

// checkAdapter compares the model's adapter with the one that the options want.
func (s *Setup) checkAdapter(want *model.LoRAOptions) error {
	if s == nil || s.Model == nil {
		return nil // which validate reports
	}
	if got := s.Model.AdapterOptions(); got.Rank != want.Rank {
		return fmt.Errorf("train: lora.rank: got %d and a model whose adapter has rank %d (0: none), want the same; make the model with WithAdapter", want.Rank, got.Rank)
	}
	return nil
}

// Progress is what a caller is told after each step.
type Progress struct {
	// Step counts from 1 to Steps.
	Step, Steps int
	// Tokens counts the tokens that carried loss since the run's beginning, Sampled those that the
	// engine sampled in this step.
	Tokens, Sampled int64
	// Metrics are the step's; the callback must not keep the slice.
	Metrics []runstore.Value
	// Findings are what the watchdog noticed in this step.
	Findings []Finding
}

// Summary is the outcome of a run.
type Summary struct {
	// Steps and Updates count the finished steps and the optimiser updates, Tokens the tokens that
	// carried loss, those before a resume included.
	Steps, Updates int
	Tokens         int64
	// ResumedFrom is the step of the checkpoint that the run went on from, 0 if there was none.
	ResumedFrom int
	// Metrics are those of the last step of this call, nil if it did none.
	Metrics []runstore.Value
	// Findings are the watchdog's over the whole run.
	Findings []Finding
}

// trainer is what a loop asks of a model under training; *model.Training is one. Update returns
// the gradient norm before clipping, and changes nothing if that is not finite.
type trainer interface {
	Forward(b *compute.Batch) (logp, entropy []float32, err error)
	Backward(b *compute.Batch) error
	Divergence(b *compute.Batch) ([]float32, error)
	BackwardDivergence(b *compute.Batch) error
	ZeroGradients()
	Update(s compute.AdamW) (gradNorm float64, err error)
	OptimizerState() compute.Moments
}

// loop is the part that all kinds of run share: order of steps, records, checkpoints.
type loop struct {
	setup      *Setup
	trainer    trainer
	reference  *model.Model // nil without a KL term
	optimizer  OptimizerOptions
	checkpoint CheckpointOptions
	watchdog   *Watchdog
	steps      int
	state      state

	batch   compute.Batch // reused by every microbatch
	resumed int
	saved   int // step of the last checkpoint, -1 before the first
	savedAt time.Time
	metrics []runstore.Value
}

// newLoop returns a loop at its beginning. data is the hash of what is trained on.
func newLoop(s *Setup, kind, data string, steps int, t trainer, optimizer OptimizerOptions, c CheckpointOptions, w WatchdogOptions) *loop {
	return &loop{
		setup: s, trainer: t, optimizer: optimizer, checkpoint: c, watchdog: NewWatchdog(w), steps: steps, saved: -1,
		state: state{Format: stateFormat, Kind: kind, Data: data, Base: baseHash(s.Model), Compute: computeOf(s.Model)},
	}
}

// computeOf is how m computes as a state notes it, "" for f32.
func computeOf(m *model.Model) string {
	if c := m.Options().Compute; c != model.ComputeF32 {
		return c
	}
	return ""
}

// stepResult is what one step leaves behind.
type stepResult struct {
	metrics []runstore.Value
	samples []Sample // to be recorded
	sampled int64    // tokens
	rollout time.Duration
	meter   time.Duration
}

// run resumes and then does the remaining steps. A step that ends because ctx ended leaves no
// trace: it did not reach an update.
func (l *loop) run(ctx context.Context, step func(context.Context) (stepResult, error)) (*Summary, error) {
	if err := l.resume(); err != nil {
		return nil, err
	}
	l.savedAt = time.Now()
	if l.resumed > 0 {
		l.saved = l.resumed
	}
	for l.state.Step < l.steps {
		if ctx.Err() != nil {
			return l.summary(), l.stop(ctx)
		}
		before, begin := l.state, time.Now()
		result, err := step(ctx)
		if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			l.state = before
			return l.summary(), l.stop(ctx)
		}
		if err != nil {
			return l.summary(), err
		}
		if err := l.finish(&result, time.Since(begin)); err != nil {
			return l.summary(), err
		}
	}
	return l.summary(), l.save()
}

// stop writes a checkpoint, so that nothing is lost, and returns the context's error.
func (l *loop) stop(ctx context.Context) error {
	return errors.Join(ctx.Err(), l.save())
}

// finish records a step that took so long.
func (l *loop) finish(r *stepResult, took time.Duration) error {
	l.state.Step++
	l.metrics = r.metrics
	findings := l.watchdog.Check(l.state.Step, r.metrics)
	l.state.Findings = append(l.state.Findings, findings...)
	if l.setup.Recorder != nil {
		if err := l.record(r, took); err != nil {
			return err
		}
	}
	if l.setup.Progress != nil {
		l.setup.Progress(Progress{
			Step: l.state.Step, Steps: l.steps, Tokens: l.state.Tokens, Sampled: r.sampled,
			Metrics: r.metrics, Findings: findings,
		})
	}
	if l.due() {
		return l.save()
	}
	return nil
}

// record hands a step to the recorder; the metrics end it.
func (l *loop) record(r *stepResult, took time.Duration) error {
	for i := range r.samples {
		if err := l.setup.Recorder.AppendSample(&r.samples[i]); err != nil {
			return err
		}
	}
	parts := []runstore.Timing{{Part: "update", Duration: took - r.rollout - r.meter}}
	for _, t := range []runstore.Timing{{Part: "rollout", Duration: r.rollout}, {Part: "meter", Duration: r.meter}} {
		if t.Duration > 0 {
			parts = append(parts, t)
		}
	}
	if err := l.setup.Recorder.AppendTiming(l.state.Step, parts); err != nil {
		return err
	}
	return l.setup.Recorder.AppendMetrics(l.state.Step, r.metrics)
}

// due reports whether it is time for a checkpoint.
func (l *loop) due() bool {
	if l.checkpoint.EverySteps > 0 {
		return l.state.Step%l.checkpoint.EverySteps == 0
	}
	return time.Since(l.savedAt).Seconds() >= l.checkpoint.EverySeconds
}

// save writes a checkpoint of the current step, unless there is one.
func (l *loop) save() error {
	if l.setup.Recorder == nil || l.saved == l.state.Step {
		return nil
	}
	if err := l.setup.Recorder.Checkpoint(l.state.Step, l.writeCheckpoint); err != nil {
		return err
	}
	l.saved, l.savedAt = l.state.Step, time.Now()
	return nil
}

func (l *loop) summary() *Summary {
	return &Summary{
		Steps: l.state.Step, Updates: l.state.Updates, Tokens: l.state.Tokens, ResumedFrom: l.resumed,
		Metrics: l.metrics, Findings: l.state.Findings,
	}
}

// learningRate is that of the current step.
func (l *loop) learningRate() float64 {
	return l.optimizer.learningRateAt(l.state.Step, l.steps)
}

// update applies the gradients of one optimiser batch of the given loss, unless the loss or the
// gradient norm is not a finite number.
func (l *loop) update(stats *updateStats, loss float64) error {
	if err := l.checkFinite(MetricLoss, loss); err != nil {
		return err
	}
	norm, err := l.trainer.Update(l.optimizer.adamW(l.learningRate(), l.state.Updates+1))
	if fault := l.checkFinite(MetricGradientNorm, norm); fault != nil {
		return fault
	}
	if err != nil {
		return err
	}
	l.state.Updates++
	stats.updates++
	stats.loss += loss
	stats.normSum += norm
	return nil
}

// checkFinite turns a number that is none into the watchdog's fatal finding.
func (l *loop) checkFinite(name string, x float64) error {
	f, bad := notFinite(l.state.Step+1, []runstore.Value{{Name: name, Number: x}})
	if !bad {
		return nil
	}
	l.state.Findings = append(l.state.Findings, f)
	return fmt.Errorf("%w: %s", ErrDiverged, f.Message)
}
