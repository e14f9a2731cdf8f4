package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/tokenizer"
)

// WriteBest writes the model with the highest pass@1 of all seeds to dir, in bf16, with its
// tokenizer and a note of the command that made it.
func (r *Result) WriteBest(dir string) (name string, err error) {
	var best ModelSummary
	var seed *SeedResult
	for i := range r.Seeds {
		for _, m := range r.Seeds[i].Summary {
			if m.Model != modelControl && (seed == nil || m.PassAt1 > best.PassAt1) {
				best, seed = m, &r.Seeds[i]
			}
		}
	}
	if seed == nil {
		return "", fmt.Errorf("lab: no model was measured, so none is the best")
	}
	m, err := model.Open(filepath.Join(r.Dir, fmt.Sprintf("seed-%d", seed.Seed), best.Model, "model"))
	if err != nil {
		return "", err
	}
	if err := m.Save(dir, tensor.BF16); err != nil {
		return "", err
	}
	if err := tokenizer.Lab().Save(filepath.Join(dir, "tokenizer.json")); err != nil {
		return "", err
	}
	note := fmt.Sprintf("The model \"%s\" of seed %d of a lab, in bf16: pass@1 %s [%s, %s] on %d held-out problems before rounding.\nMade by: %s\n(%s, instruction set %s, %d threads)\n",
		best.Model, seed.Seed, percent(best.PassAt1), percent(best.Low), percent(best.High), seed.Settings.Evaluation.Problems, strings.Join(r.Command, " "), "Go, no other tool", r.Level, r.Threads)
	if err := os.WriteFile(filepath.Join(dir, "MADE.txt"), []byte(note), 0o644); err != nil {
		return "", fmt.Errorf("lab: %w", err)
	}
	return best.Model, nil
}
