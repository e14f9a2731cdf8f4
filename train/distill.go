package train

import (
	"context"
	"errors"
	"fmt"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
)

// The divergences between teacher p and student q, over the whole vocabulary at each token.
const (
	// ForwardKL is sum p log(p/q): the student covers all that the teacher might say (Hinton et
	// al., arXiv 1503.02531).
	ForwardKL = "forward_kl"
	// ReverseKL is sum q log(q/p): the student keeps to what the teacher finds likely (MiniLLM,
	// arXiv 2306.08543, equation 1).
	ReverseKL = "reverse_kl"
	// JensenShannon is the mean of the KLs of both to their middle (GKD, arXiv 2306.13649,
	// equation 1 with beta 1/2).
	JensenShannon = "jensen_shannon"
)

// DistillOptions are the settings of Distill. The zero value of each field is its default.
type DistillOptions struct {
	// Divergence is forward_kl, reverse_kl or jensen_shannon; "" means forward_kl.
	Divergence string `json:"divergence" yaml:"divergence"`
	// SFT are the settings of the loop.
	SFT SFTOptions `json:"sft" yaml:"sft"`
}

// Resolved returns the options with every default filled in.
func (o DistillOptions) Resolved() DistillOptions {
	setDefault(&o.Divergence, ForwardKL)
	o.SFT = o.SFT.Resolved()
	return o
}

// Validate reports every fault in one error.
func (o *DistillOptions) Validate() error {
	return errors.Join(validDivergence(o.Divergence), o.SFT.Validate())
}

func validDivergence(name string) error {
	if name == "" {
		return nil
	}
	if _, err := compute.ParseDivergence(name); err != nil {
		return fmt.Errorf("train: divergence: got %q, want %s, %s or %s", name, ForwardKL, ReverseKL, JensenShannon)
	}
	return nil
}

// Distill lowers the mean over target tokens of the divergence between the teacher's distribution
// and the model's. The teacher has the model's vocabulary and is not changed. It ends as SFT does.
func Distill(ctx context.Context, s *Setup, teacher *model.Model, examples []Example, o *DistillOptions) (*Summary, error) {
	if o == nil {
		o = &DistillOptions{}
	}
	if err := errors.Join(o.Validate(), checkTeacher(teacher)); err != nil {
		return nil, err
	}
	resolved := o.Resolved()
	kind, err := compute.ParseDivergence(resolved.Divergence)
	if err != nil {
		return nil, err
	}
	run, err := newSupervised(s, "distill", examples, &resolved.SFT, &model.TrainingOptions{Teacher: teacher, Divergence: kind})
	if err != nil {
		return nil, err
	}
	run.objective = run.divergence
	return run.run(ctx, run.step)
}

func checkTeacher(teacher *model.Model) error {
	if teacher == nil {
		return errors.New("train: teacher: got none, want a model")
	}
	return nil
}

// divergence is the loss weight * sum over rows of D(teacher||student).
func (l *loop) divergence(weight float64, stats *updateStats) (loss float64, err error) {
	values, err := l.trainer.Divergence(&l.batch)
	if err != nil {
		return 0, err
	}
	for i, d := range values {
		loss += float64(d)
		l.batch.DLogProb[i] = float32(weight)
	}
	return loss * weight, l.trainer.BackwardDivergence(&l.batch)
}
