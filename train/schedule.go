package train

import (
	"errors"
	"fmt"
	"math"

	"github.com/retort-ml/retort/internal/compute"
)

// The learning-rate schedules. Warmup comes before each of them.
const (
	ScheduleConstant = "constant"
	ScheduleCosine   = "cosine"
	ScheduleLinear   = "linear"
	// ScheduleWSD stays at the peak and decays in the last DecayShare of the steps by DecayShape
	// (warmup, stable, decay: MiniCPM, arXiv 2404.06395, equation 1).
	ScheduleWSD = "wsd"
)

// decayShapes are the ways down of ScheduleWSD: the factor at share q of the decay, with f to end
// with. The root is f + (1-f) (1 - sqrt(q)) (Hägele et al. 2024, arXiv 2405.18392, section 3), the
// exponential f^q (MiniCPM, arXiv 2404.06395, section 4.2).
var decayShapes = map[string]func(q, f float64) float64{
	"linear":      func(q, f float64) float64 { return f + (1-f)*(1-q) },
	"cosine":      func(q, f float64) float64 { return f + (1-f)*0.5*(1+math.Cos(math.Pi*q)) },
	"sqrt":        func(q, f float64) float64 { return f + (1-f)*(1-math.Sqrt(q)) },
	"exponential": func(q, f float64) float64 { return math.Pow(f, q) },
}

// decays maps a schedule to its factor at progress p (0 at the end of warmup, 1 at the last step),
// where f is the factor to end with.
var decays = map[string]func(o *OptimizerOptions, p, f float64) float64{
	ScheduleConstant: func(_ *OptimizerOptions, p, f float64) float64 { return 1 },
	// Loshchilov & Hutter 2017 (SGDR) eq. 5, without restarts.
	ScheduleCosine: func(_ *OptimizerOptions, p, f float64) float64 { return f + (1-f)*0.5*(1+math.Cos(math.Pi*p)) },
	ScheduleLinear: func(_ *OptimizerOptions, p, f float64) float64 { return 1 - (1-f)*p },
	ScheduleWSD: func(o *OptimizerOptions, p, f float64) float64 {
		if begin := 1 - o.DecayShare; p > begin {
			return decayShapes[o.DecayShape]((p-begin)/o.DecayShare, f)
		}
		return 1
	},
}

// The optimisers.
const (
	// OptimizerAdamW is AdamW for every weight (Loshchilov & Hutter 2019, algorithm 2).
	OptimizerAdamW = "adamw"
	// OptimizerAdamW8 is AdamW with its moments in 8 bits each: they take a quarter of the memory (Dettmers et al. 2022,
	// arXiv:2110.02861).
	OptimizerAdamW8 = "adamw_8bit"
	// OptimizerMuon is Muon for the hidden matrices and AdamW for the rest, at one learning rate
	// (Liu et al. 2025, arXiv:2502.16982, section 2.2).
	OptimizerMuon = "muon"
)

// OptimizerOptions are the settings of the optimiser, of gradient clipping and of the learning-rate
// schedule. The zero value of each field is its default.
type OptimizerOptions struct {
	// Name is adamw, adamw_8bit or muon; "" means adamw.
	Name string `json:"name" yaml:"name"`
	// Momentum is that of Muon; 0 means 0.95 (Liu et al. 2025, algorithm 1).
	Momentum float64 `json:"momentum" yaml:"momentum"`
	// LearningRate is the peak. 0 means 1e-4 in SFT and Distill (DeepSeek-R1, distillation of the
	// 1.5B student), 3e-6 in GRPO (DeepSeek-R1, RL hyper-parameters) and 1e-6 in OnPolicy.
	LearningRate float64 `json:"learning_rate" yaml:"learning_rate"`
	// Schedule is constant, cosine, linear or wsd; "" means cosine in SFT and Distill (DeepSeek-R1,
	// distillation) and constant in GRPO and OnPolicy.
	Schedule string `json:"schedule" yaml:"schedule"`
	// WarmupSteps rises linearly to the peak over this many steps; 0 means none.
	WarmupSteps int `json:"warmup_steps" yaml:"warmup_steps"`
	// FinalRatio is the last learning rate over the peak; 0 means 0.1 (DeepSeek-R1, distillation:
	// cosine to a tenth), -1 means down to 0.
	FinalRatio float64 `json:"final_ratio" yaml:"final_ratio"`
	// DecayShare is the share of the steps after warmup in which wsd decays; 0 means 0.2 (Hägele et
	// al. 2024, section 3). DecayShape is linear, cosine, sqrt or exponential; "" means sqrt.
	DecayShare float64 `json:"decay_share" yaml:"decay_share"`
	DecayShape string  `json:"decay_shape" yaml:"decay_shape"`
	// Beta1 is the decay of the first moment; 0 means 0.9 (DeepSeek-V3, section 4.2).
	Beta1 float64 `json:"beta1" yaml:"beta1"`
	// Beta2 is the decay of the second moment; 0 means 0.95 (DeepSeek-V3, section 4.2).
	Beta2 float64 `json:"beta2" yaml:"beta2"`
	// Epsilon is added to the root of the second moment; 0 means 1e-8 (Kingma & Ba 2015).
	Epsilon float64 `json:"epsilon" yaml:"epsilon"`
	// WeightDecay is decoupled from the gradient and scaled by the learning rate; 0 means none.
	WeightDecay float64 `json:"weight_decay" yaml:"weight_decay"`
	// ClipNorm scales the gradient down to this norm; 0 means 1 (DeepSeek-V3, section 4.2), -1
	// means no clipping.
	ClipNorm float64 `json:"clip_norm" yaml:"clip_norm"`
}

// resolved fills in the defaults that do not depend on the kind of run, then the two that do.
func (o OptimizerOptions) resolved(learningRate float64, schedule string) OptimizerOptions {
	setDefault(&o.LearningRate, learningRate)
	setDefault(&o.Name, OptimizerAdamW)
	setDefault(&o.Momentum, 0.95)
	setDefault(&o.Schedule, schedule)
	setDefault(&o.FinalRatio, 0.1)
	setDefault(&o.DecayShare, 0.2)
	setDefault(&o.DecayShape, "sqrt")
	setDefault(&o.Beta1, 0.9)
	setDefault(&o.Beta2, 0.95)
	setDefault(&o.Epsilon, 1e-8)
	setDefault(&o.ClipNorm, 1)
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate reports every fault of resolved options in one error.
func (o *OptimizerOptions) Validate() error {
	var faults []error
	fault := func(bad bool, field string, got any, want string) {
		if bad {
			faults = append(faults, fmt.Errorf("train: optimizer.%s: got %v, want %s", field, got, want))
		}
	}
	_, known := decays[o.Schedule]
	fault(!known && o.Schedule != "", "schedule", o.Schedule, "constant, cosine, linear or wsd")
	_, known = decayShapes[o.DecayShape]
	fault(!known && o.DecayShape != "", "decay_shape", o.DecayShape, "linear, cosine, sqrt or exponential")
	fault(!(o.DecayShare >= 0 && o.DecayShare <= 1), "decay_share", o.DecayShare, "0 to 1")
	fault(o.DecayShape == "exponential" && o.FinalRatio == -1, "decay_shape", o.DecayShape, "another with final_ratio -1: an exponential never ends at 0")
	fault(!(o.LearningRate >= 0 && o.LearningRate < 10), "learning_rate", o.LearningRate, "0 <= learning_rate < 10")
	fault(o.Name != "" && o.Name != OptimizerAdamW && o.Name != OptimizerAdamW8 && o.Name != OptimizerMuon, "name", o.Name, "adamw, adamw_8bit or muon")
	fault(!(o.Momentum >= 0 && o.Momentum < 1), "momentum", o.Momentum, "0 <= momentum < 1")
	fault(o.WarmupSteps < 0, "warmup_steps", o.WarmupSteps, "at least 0")
	fault(!(o.FinalRatio == -1 || o.FinalRatio >= 0 && o.FinalRatio <= 1), "final_ratio", o.FinalRatio, "-1, or 0 to 1")
	fault(!(o.Beta1 >= 0 && o.Beta1 < 1), "beta1", o.Beta1, "0 <= beta1 < 1")
	fault(!(o.Beta2 >= 0 && o.Beta2 < 1), "beta2", o.Beta2, "0 <= beta2 < 1")
	fault(!(o.Epsilon >= 0), "epsilon", o.Epsilon, "at least 0")
	fault(!(o.WeightDecay >= 0), "weight_decay", o.WeightDecay, "at least 0")
	fault(!(o.ClipNorm == -1 || o.ClipNorm >= 0), "clip_norm", o.ClipNorm, "-1, or at least 0")
	return errors.Join(faults...)
}

// learningRateAt is the learning rate of step (counted from 0) of a run of total steps. The last
// step has exactly the final ratio.
func (o *OptimizerOptions) learningRateAt(step, total int) float64 {
	if step < o.WarmupSteps {
		return o.LearningRate * float64(step+1) / float64(o.WarmupSteps)
	}
	progress := 0.0
	if last := total - 1 - o.WarmupSteps; last > 0 {
		progress = math.Min(1, float64(step-o.WarmupSteps)/float64(last))
	}
	return o.LearningRate * decays[o.Schedule](o, progress, math.Max(0, o.FinalRatio))
}

// adamW is the update of optimiser step t (counted from 1) at the given learning rate.
func (o *OptimizerOptions) adamW(learningRate float64, t int) compute.AdamW {
	return compute.AdamW{
		LearningRate: learningRate,
		Beta1:        o.Beta1,
		Beta2:        o.Beta2,
		Epsilon:      o.Epsilon,
		WeightDecay:  o.WeightDecay,
		ClipNorm:     math.Max(0, o.ClipNorm),
		Step:         t,
		Muon:         o.Name == OptimizerMuon,
		Momentum:     o.Momentum,
	}
}
