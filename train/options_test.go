package train

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestResolvedVariant(t *testing.T) {
	for _, c := range []struct {
		name    string
		options GRPOOptions
		change  func(v *Variant)
	}{
		{"grpo", GRPOOptions{}, func(v *Variant) {}},
		{"dapo", GRPOOptions{Variant: "dapo"}, func(v *Variant) {}},
		{"dr_grpo", GRPOOptions{Variant: "dr_grpo", KLWeight: 0.001}, func(v *Variant) { v.KL, v.KLWeight = KL3, 0.001 }},
		{"grpo", GRPOOptions{KLWeight: -1, ClipLow: 10, ClipHigh: 10}, func(v *Variant) { v.KLWeight, v.ClipLow, v.ClipHigh = 0, 10, 10 }},
		{"dapo", GRPOOptions{Variant: "dapo", Truncated: TruncatedKeep, ResampleRounds: -1}, func(v *Variant) { v.MaskTruncated, v.ResampleRounds = false, 0 }},
		{"grpo", GRPOOptions{Truncated: TruncatedMask, ResampleRounds: 2}, func(v *Variant) { v.MaskTruncated, v.ResampleRounds = true, 2 }},
	} {
		want, err := FindVariant(c.name)
		if err != nil {
			t.Fatal(err)
		}
		c.change(&want)
		got, err := c.options.ResolvedVariant()
		if err != nil || got != want {
			t.Errorf("%+v: got %+v, %v, want %+v", c.options, got, err, want)
		}
	}
}

func TestValidateJoinsAllFaults(t *testing.T) {
	bad := GRPOOptions{
		Variant: "grpoo", Steps: -1, ClipLow: -1, KL: "k4", KLWeight: -2, Truncated: "drop",
		Rollout:    RolloutOptions{Group: 1, Temperature: -1, KeepSamples: -2, TokenValues: -2},
		Meter:      MeterOptions{Share: 2, Turns: -1, AnswerTokens: -3},
		Optimizer:  OptimizerOptions{Beta1: 2},
		Checkpoint: CheckpointOptions{EverySteps: -1, EverySeconds: -1},
	}
	err := bad.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`variant: got "grpoo", want one of grpo, dr_grpo, dapo, gspo`, "steps: got -1", "clip_low: got -1", "kl: got k4", "kl_weight: got -2",
		"truncated: got drop", "rollout.group: got 1", "rollout.temperature: got -1", "rollout.keep_samples: got -2", "rollout.token_values: got -2", "meter.share: got 2", "meter.turns: got -1", "meter.answer_tokens: got -3",
		"optimizer.beta1: got 2", "checkpoint.every_steps: got -1", "checkpoint.every_seconds: got -1",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Validate does not say %q in\n%v", want, err)
		}
	}
	for _, many := range []RolloutOptions{{Group: 1 << 40}, {Problems: 1 << 21}, {Problems: 1 << 11, Group: 1 << 10}} {
		if err := (&GRPOOptions{Rollout: many}).Validate(); err == nil || !strings.Contains(err.Error(), "want at most 1048576 answers a step") {
			t.Errorf("%+v: %v, want a bound", many, err)
		}
	}
	sft := SFTOptions{Epochs: -1, Steps: -1, BatchSize: -1, Batch: BatchOptions{MaxTokens: -1}}
	if err := sft.Validate(); err == nil || strings.Count(err.Error(), "got -1") != 4 {
		t.Errorf("SFTOptions.Validate says %v, want four faults", err)
	}
}

func TestResolvedOptionsAreValidAndFixed(t *testing.T) {
	sft := SFTOptions{}.Resolved()
	grpo := GRPOOptions{Variant: "dapo"}.Resolved()
	if err := sft.Validate(); err != nil {
		t.Error(err)
	}
	if err := grpo.Validate(); err != nil {
		t.Error(err)
	}
	if !reflect.DeepEqual(sft.Resolved(), sft) || !reflect.DeepEqual(grpo.Resolved(), grpo) {
		t.Error("resolving resolved options changes them")
	}
	text, err := json.Marshal(grpo)
	if err != nil || strings.ContainsAny(string(text), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t.Errorf("a key has no snake_case name in %s (%v)", text, err)
	}
}

func TestVerdictText(t *testing.T) {
	for _, v := range []Verdict{CannotJudge, Wrong, Right} {
		text, err := json.Marshal(v)
		var back Verdict
		if err != nil || json.Unmarshal(text, &back) != nil || back != v {
			t.Errorf("%v became %s and %v (%v)", v, text, back, err)
		}
	}
	var v Verdict
	if err := v.UnmarshalText([]byte("maybe")); err == nil {
		t.Error("a verdict of maybe was read")
	}
}
