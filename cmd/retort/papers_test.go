package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/retort-ml/retort/cmd/retort/internal/recipe"
	"github.com/retort-ml/retort/train"
)

// paperTable returns the rows of the table below a heading of docs/papers.md.
func paperTable(t *testing.T, heading string) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "papers.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var rows [][]string
	for line := range strings.Lines(section) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| ---") {
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), " | ") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		rows = append(rows, cells)
	}
	if len(rows) < 2 {
		t.Fatalf("section %q has no table", heading)
	}
	return rows[1:]
}

// flatten returns every single value of a recipe by its dotted key.
func flatten(t *testing.T, v any) map[string]any {
	t.Helper()
	text, err := recipe.JSON(v)
	if err != nil {
		t.Fatal(err)
	}
	var nested map[string]any
	if err := json.Unmarshal(text, &nested); err != nil {
		t.Fatal(err)
	}
	flat := map[string]any{}
	for _, key := range recipe.Keys(v) {
		var at any = nested
		for part := range strings.SplitSeq(key, ".") {
			at = at.(map[string]any)[part]
		}
		flat[key] = at
	}
	return flat
}

// sameValue says whether a cell states the value.
func sameValue(cell string, value any) bool {
	if number, ok := value.(float64); ok {
		stated, err := strconv.ParseFloat(cell, 64)
		return err == nil && stated == number
	}
	return cell == value
}

// untold are keys whose zero is not a number that a paper could give: how much,
// in what order, from which seed, and what the table of variants says.
var untold = []string{
	"steps", "shuffle", "seed", "checkpoint.every_steps", "rollout.stop", "rollout.shuffle", "rollout.seed", "rollout.keep_samples",
	"clip_low", "clip_high", "kl", "kl_weight", "kl_place", "truncated", "resample_rounds", "group_length",
}

func TestPapersTellTheDefaults(t *testing.T) {
	for heading, defaults := range map[string]any{
		"retort sft":  train.SFTOptions{}.Resolved(),
		"retort grpo": struct{ train.GRPOOptions }{train.GRPOOptions{}.Resolved()},
	} {
		values := flatten(t, defaults)
		if heading == "retort grpo" {
			for key, value := range flatten(t, newGRPORecipe().Reward.Resolved(1024)) {
				values["reward."+key] = value
			}
		}
		told := map[string]bool{}
		for _, row := range paperTable(t, heading) {
			if len(row) != 3 || row[2] == "" {
				t.Errorf("%s: row %q, want key, default and source", heading, row)
				continue
			}
			told[row[0]] = true
			if value, ok := values[row[0]]; !ok || !sameValue(row[1], value) {
				t.Errorf("%s: %s is %s in docs/papers.md and %v in the program", heading, row[0], row[1], value)
			}
		}
		for key := range values {
			if !told[key] && !slices.Contains(untold, key) && !strings.HasPrefix(key, "watchdog.") && !strings.HasPrefix(key, "lora.") {
				t.Errorf("%s: docs/papers.md does not say where the default of %s comes from", heading, key)
			}
		}
	}
}

func TestPapersTellTheVariants(t *testing.T) {
	told := map[string]bool{}
	for _, row := range paperTable(t, "Variants of the policy loss") {
		told[row[0]] = true
		v, err := train.FindVariant(row[0])
		if err != nil {
			t.Error(err)
			continue
		}
		for i, value := range []float64{v.ClipLow, v.ClipHigh, v.KLWeight} {
			if !sameValue(row[1+i], value) {
				t.Errorf("%s: column %d is %s, want %v", v.Name, 1+i, row[1+i], value)
			}
		}
	}
	for _, v := range train.Variants() {
		if !told[v.Name] {
			t.Errorf("docs/papers.md does not tell variant %s", v.Name)
		}
	}
}
