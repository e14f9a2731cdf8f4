package runstore

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
)

// ExportFormat is a form of a run's numbers for other programs.
type ExportFormat string

// The forms.
const (
	CSV  ExportFormat = "csv"  // a heading, then a line per step; NaN and infinities as NaN, +Inf, -Inf
	JSON ExportFormat = "json" // {"manifest": ..., "status": ..., "metrics": [...]}, lines as in metrics.jsonl
)

// Export writes a run's metrics.
func Export(r *Record, w io.Writer, format ExportFormat) error {
	buffered := bufio.NewWriter(w)
	var err error
	switch format {
	case CSV:
		err = exportCSV(r, buffered)
	case JSON:
		err = exportJSON(r, buffered)
	default:
		err = fmt.Errorf("format %q: want %s or %s", format, CSV, JSON)
	}
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		return fmt.Errorf("runstore: %s: export: %w", r.Dir, err)
	}
	return nil
}

func exportCSV(r *Record, w io.Writer) error {
	writer := csv.NewWriter(w)
	fields := []string{"step"}
	for _, m := range r.Manifest.Metrics {
		fields = append(fields, m.Name)
	}
	if err := writer.Write(fields); err != nil {
		return err
	}
	for _, row := range r.Rows {
		fields[0] = strconv.Itoa(row.Step)
		for i, m := range r.Manifest.Metrics {
			fields[i+1] = ""
			if value, ok := row.Get(m.Name); ok {
				fields[i+1] = strconv.FormatFloat(value, 'g', -1, 64)
			}
		}
		if err := writer.Write(fields); err != nil {
			return err
		}
	}
	writer.Flush()
	return writer.Error()
}

func exportJSON(r *Record, w io.Writer) error {
	table, err := newMetricTable(r.Manifest.Metrics)
	if err != nil {
		return err
	}
	lines := make([]json.RawMessage, len(r.Rows))
	for i, row := range r.Rows {
		if lines[i], err = table.appendLine(nil, row.Step, row.Values); err != nil {
			return err
		}
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	return encoder.Encode(struct {
		Manifest Manifest          `json:"manifest"`
		Status   Status            `json:"status"`
		Metrics  []json.RawMessage `json:"metrics"`
	}{r.Manifest, r.Status, lines})
}
