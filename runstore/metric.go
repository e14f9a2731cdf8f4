package runstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Metric defines one number that is recorded per step. A number without a
// definition cannot be recorded.
type Metric struct {
	Name    string `json:"name"`    // lower case: loss, reward/accuracy, pass@1
	Unit    string `json:"unit"`    // "nat", "token", "1" for a plain ratio
	Formula string `json:"formula"` // how it is computed, so that a reader can do it again
}

// Value is one number of a step.
type Value struct {
	Name   string // of a Metric in the run's table
	Number float64
}

// kindSuffix ends the key of the text that stands beside a null: JSON has no
// NaN and no infinities.
const kindSuffix = "_is"

var metricName = regexp.MustCompile(`^[a-z][a-z0-9_/@.]*$`)

// metricTable is the metrics of a run and where each stands.
type metricTable struct {
	metrics []Metric
	place   map[string]int
}

func newMetricTable(metrics []Metric) (metricTable, error) {
	t := metricTable{metrics: metrics, place: make(map[string]int, len(metrics))}
	var faults []error
	for i, m := range metrics {
		_, isDouble := t.place[m.Name]
		switch {
		case !metricName.MatchString(m.Name) || m.Name == "step" || strings.HasSuffix(m.Name, kindSuffix):
			faults = append(faults, fmt.Errorf("metric %q: name: want lower case letters, digits and _/@. from a letter on, not step and not ending in %s", m.Name, kindSuffix))
		case m.Unit == "" || m.Formula == "":
			faults = append(faults, fmt.Errorf("metric %q: want a unit and a formula", m.Name))
		case isDouble:
			faults = append(faults, fmt.Errorf("metric %q: appears twice", m.Name))
		}
		t.place[m.Name] = i
	}
	return t, errors.Join(faults...)
}

// appendLine appends the line of a step: the same bits give the same text, and
// other bits give another text (but for the payloads of NaN).
//
//	{"step":3,"loss":0.25,"kl":null,"kl_is":"NaN"}
func (t metricTable) appendLine(line []byte, step int, values []Value) ([]byte, error) {
	numbers := make([]*float64, len(t.metrics))
	for i := range values {
		place, ok := t.place[values[i].Name]
		if !ok {
			return nil, fmt.Errorf("metric %q: not in the run's table", values[i].Name)
		}
		if numbers[place] != nil {
			return nil, fmt.Errorf("metric %q: given twice", values[i].Name)
		}
		numbers[place] = &values[i].Number
	}
	line = append(line, `{"step":`...)
	line = strconv.AppendInt(line, int64(step), 10)
	for i, number := range numbers {
		if number == nil {
			continue
		}
		name := t.metrics[i].Name // needs no escaping
		line = append(append(append(line, `,"`...), name...), `":`...)
		if !math.IsNaN(*number) && !math.IsInf(*number, 0) {
			line = strconv.AppendFloat(line, *number, 'g', -1, 64)
			continue
		}
		line = append(append(append(line, `null,"`...), name...), kindSuffix+`":"`...)
		line = strconv.AppendFloat(line, *number, 'g', -1, 64)
		line = append(line, '"')
	}
	return append(line, "}\n"...), nil
}

// Row is one line of metrics.jsonl.
type Row struct {
	Step   int
	Values []Value // in the order of the table
}

// Get returns the row's number of that name.
func (r Row) Get(name string) (float64, bool) {
	for _, v := range r.Values {
		if v.Name == name {
			return v.Number, true
		}
	}
	return 0, false
}

// parseLine is the inverse of appendLine.
func (t metricTable) parseLine(line []byte) (Row, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		return Row{}, err
	}
	var row Row
	if err := json.Unmarshal(fields["step"], &row.Step); err != nil {
		return Row{}, errors.New("step: want an integer")
	}
	found := 1
	for _, m := range t.metrics {
		text, ok := fields[m.Name]
		if !ok {
			continue
		}
		found++
		if kind, ok := fields[m.Name+kindSuffix]; ok {
			found++
			if err := json.Unmarshal(kind, (*jsonText)(&text)); err != nil {
				return Row{}, fmt.Errorf("metric %q: %w", m.Name, err)
			}
		}
		number, err := strconv.ParseFloat(string(text), 64)
		if err != nil {
			return Row{}, fmt.Errorf("metric %q: got %q, want a number", m.Name, text)
		}
		row.Values = append(row.Values, Value{Name: m.Name, Number: number})
	}
	if found != len(fields) {
		return Row{}, errors.New("a key that is not in the run's table")
	}
	return row, nil
}

// jsonText takes a JSON string's content.
type jsonText []byte

// UnmarshalJSON takes the string.
func (t *jsonText) UnmarshalJSON(text []byte) error {
	var content string
	err := json.Unmarshal(text, &content)
	*t = jsonText(content)
	return err
}
