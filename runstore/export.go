package runstore

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/retort-ml/retort/runstore/internal/parquet"
)

// ExportFormat is a form of a run's numbers for other programs.
type ExportFormat string

// The forms.
const (
	CSV     ExportFormat = "csv"     // a heading, then a line per step; NaN and infinities as NaN, +Inf, -Inf
	JSON    ExportFormat = "json"    // {"manifest": ..., "status": ..., "metrics": [...]}, lines as in metrics.jsonl
	JSONL   ExportFormat = "jsonl"   // a line per step, as in metrics.jsonl
	Parquet ExportFormat = "parquet" // a row per step, a column per metric; the manifest is in the file's metadata, under "manifest"
)

// Export writes a run's metrics. What is read back is equal to the record, bit for bit (but for the payloads of NaN, where the form is
// text).
func Export(r *Record, w io.Writer, format ExportFormat) error {
	buffered := bufio.NewWriter(w)
	var err error
	switch format {
	case CSV:
		err = exportCSV(r, buffered)
	case JSON:
		err = exportJSON(r, buffered)
	case JSONL:
		err = exportLines(r, buffered)
	case Parquet:
		err = exportParquet(r, buffered)
	default:
		err = fmt.Errorf("format %q: want %s, %s, %s or %s", format, CSV, JSON, JSONL, Parquet)
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

// lines are the metrics as metrics.jsonl has them.
func (r *Record) lines() ([]json.RawMessage, error) {
	table, err := newMetricTable(r.Manifest.Metrics)
	if err != nil {
		return nil, err
	}
	lines := make([]json.RawMessage, len(r.Rows))
	for i, row := range r.Rows {
		if lines[i], err = table.appendLine(nil, row.Step, row.Values); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

func exportLines(r *Record, w io.Writer) error {
	lines, err := r.lines()
	if err != nil {
		return err
	}
	for _, line := range lines {
		if _, err := w.Write(append(bytes.TrimSuffix(line, []byte("\n")), '\n')); err != nil {
			return err
		}
	}
	return nil
}

func exportParquet(r *Record, w io.Writer) error {
	columns := []parquet.Column{{Name: "step", Kind: parquet.Int64}}
	for _, m := range r.Manifest.Metrics {
		columns = append(columns, parquet.Column{Name: m.Name, Kind: parquet.Double})
	}
	file, err := parquet.NewWriter(w, columns)
	if err != nil {
		return err
	}
	values := make([]parquet.Value, len(columns))
	for _, row := range r.Rows {
		values[0] = parquet.Value{IsSet: true, Int: int64(row.Step)}
		for i, m := range r.Manifest.Metrics {
			number, ok := row.Get(m.Name)
			values[i+1] = parquet.Value{IsSet: ok, Double: number}
		}
		if err := file.Write(values); err != nil {
			return err
		}
	}
	return closeParquet(r, file)
}

// closeParquet ends a file with what the run is.
func closeParquet(r *Record, file *parquet.Writer) error {
	manifest, err := json.Marshal(r.Manifest)
	if err != nil {
		return err
	}
	return file.Close(parquet.KeyValue{Key: "manifest", Value: string(manifest)}, parquet.KeyValue{Key: "status", Value: string(r.Status)})
}

func exportJSON(r *Record, w io.Writer) error {
	lines, err := r.lines()
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	return encoder.Encode(struct {
		Manifest Manifest          `json:"manifest"`
		Status   Status            `json:"status"`
		Metrics  []json.RawMessage `json:"metrics"`
	}{r.Manifest, r.Status, lines})
}
