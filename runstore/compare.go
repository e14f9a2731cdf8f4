package runstore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strconv"
)

// Comparison is what differs between two runs.
type Comparison struct {
	Settings []Difference       // of manifest and config, by key; equal ones are left out
	Metrics  []MetricComparison // of the metrics that both runs have, in the first's order
}

// Difference is a setting with two values, as JSON; "" where a run lacks it.
type Difference struct {
	Key  string // dotted: config.optimizer.learning_rate
	A, B string
}

// MetricComparison sets one metric of two runs side by side.
type MetricComparison struct {
	Metric Metric
	LastA  float64 // NaN without a number
	LastB  float64
	// FirstDifference is the first step whose bits differ, -1 when all steps
	// that both runs have are equal.
	FirstDifference int
}

// Compare sets two runs side by side.
func Compare(a, b *Record) (Comparison, error) {
	var c Comparison
	settingsA, err := settings(a.Manifest)
	if err != nil {
		return c, fmt.Errorf("runstore: %s: %w", a.Dir, err)
	}
	settingsB, err := settings(b.Manifest)
	if err != nil {
		return c, fmt.Errorf("runstore: %s: %w", b.Dir, err)
	}
	keys := make(map[string]bool)
	for key := range settingsA {
		keys[key] = true
	}
	for key := range settingsB {
		keys[key] = true
	}
	for key := range keys {
		if settingsA[key] != settingsB[key] {
			c.Settings = append(c.Settings, Difference{Key: key, A: settingsA[key], B: settingsB[key]})
		}
	}
	sort.Slice(c.Settings, func(i, j int) bool { return c.Settings[i].Key < c.Settings[j].Key })
	inB := make(map[string]bool)
	for _, m := range b.Manifest.Metrics {
		inB[m.Name] = true
	}
	for _, m := range a.Manifest.Metrics {
		if inB[m.Name] {
			c.Metrics = append(c.Metrics, compareMetric(m, a, b))
		}
	}
	return c, nil
}

func compareMetric(m Metric, a, b *Record) MetricComparison {
	c := MetricComparison{Metric: m, LastA: math.NaN(), LastB: math.NaN(), FirstDifference: -1}
	if value, _, ok := a.Last(m.Name); ok {
		c.LastA = value
	}
	if value, _, ok := b.Last(m.Name); ok {
		c.LastB = value
	}
	stepsB := make(map[int]Row, len(b.Rows))
	for _, row := range b.Rows {
		stepsB[row.Step] = row
	}
	for _, rowA := range a.Rows {
		rowB, ok := stepsB[rowA.Step]
		if !ok {
			continue
		}
		valueA, okA := rowA.Get(m.Name)
		valueB, okB := rowB.Get(m.Name)
		isEqual := okA == okB && (math.Float64bits(valueA) == math.Float64bits(valueB) || valueA != valueA && valueB != valueB)
		if !isEqual {
			c.FirstDifference = rowA.Step
			return c
		}
	}
	return c
}

// settings flattens what a person chose for a run.
func settings(m Manifest) (map[string]string, error) {
	flat := map[string]string{
		"kind": strconv.Quote(m.Kind), "seed": strconv.FormatUint(m.Seed, 10),
		"build": strconv.Quote(m.Build), "level": strconv.Quote(m.Level),
	}
	for name, version := range m.Versions {
		flat["versions."+name] = strconv.Quote(version)
	}
	for i, parent := range m.Parents {
		flat["parents."+strconv.Itoa(i)] = strconv.Quote(parent)
	}
	decoder := json.NewDecoder(bytes.NewReader(m.Config))
	decoder.UseNumber() // a 64-bit seed must not go through a float
	var config any
	if err := decoder.Decode(&config); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return flat, flatten(flat, "config", config)
}

func flatten(flat map[string]string, key string, value any) error {
	switch value := value.(type) {
	case map[string]any:
		for name, part := range value {
			if err := flatten(flat, key+"."+name, part); err != nil {
				return err
			}
		}
	case []any:
		for i, part := range value {
			if err := flatten(flat, key+"."+strconv.Itoa(i), part); err != nil {
				return err
			}
		}
	default:
		text, err := json.Marshal(value)
		if err != nil {
			return err
		}
		flat[key] = string(text)
	}
	return nil
}
