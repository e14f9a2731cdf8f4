package lab

import (
	"encoding/json"
	"math"
)

// number is a float64 that JSON writes as null where it is not a number or not finite.
func number(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// MarshalJSON writes numbers that could not be measured as null.
func (g Gate) MarshalJSON() ([]byte, error) {
	type plain Gate
	return json.Marshal(struct {
		plain
		Value     *float64 `json:"value"`
		Low       *float64 `json:"low"`
		High      *float64 `json:"high"`
		Threshold *float64 `json:"threshold"`
	}{plain(g), number(g.Value), number(g.Low), number(g.High), number(g.Threshold)})
}

// MarshalJSON writes numbers that could not be measured as null.
func (m ModelSummary) MarshalJSON() ([]byte, error) {
	type plain ModelSummary
	return json.Marshal(struct {
		plain
		PassAt1   *float64 `json:"pass_at_1"`
		Low       *float64 `json:"low"`
		High      *float64 `json:"high"`
		PassAtK   *float64 `json:"pass_at_k"`
		Converted *float64 `json:"converted"`
		Length    *float64 `json:"length"`
		Verdicts  *float64 `json:"verdict_accuracy"`
	}{plain(m), number(m.PassAt1), number(m.Low), number(m.High), number(m.PassAtK), number(m.Converted), number(m.Length), number(m.Verdicts)})
}
