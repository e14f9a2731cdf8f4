package runstore

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/retort-ml/retort/runstore/internal/parquet"
)

// ExportSamples writes a run's samples, one after the other: JSONL as they are recorded; CSV and Parquet with a column for each key that
// a sample has at its top. A column is of whole numbers, numbers, truths or texts if all its values are, else its values stand as JSON.
// A key that is missing, or null, is an empty field of CSV and a missing value of Parquet.
func ExportSamples(r *Record, w io.Writer, format ExportFormat) error {
	buffered := bufio.NewWriter(w)
	var err error
	switch format {
	case JSONL:
		err = r.Samples(func(sample json.RawMessage) error {
			if _, err := buffered.Write(bytes.TrimSpace(sample)); err != nil {
				return err
			}
			return buffered.WriteByte('\n')
		})
	case CSV:
		err = exportSamplesCSV(r, buffered)
	case Parquet:
		err = exportSamplesParquet(r, buffered)
	default:
		err = fmt.Errorf("format %q of samples: want %s, %s or %s", format, CSV, JSONL, Parquet)
	}
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		return fmt.Errorf("runstore: %s: export: %w", r.Dir, err)
	}
	return nil
}

// field is one value at the top of a sample.
type field struct {
	key   string
	value json.RawMessage
}

// fieldsOf divides a sample, in the order in which it is written. Of a key that stands twice the last counts.
func fieldsOf(sample json.RawMessage) ([]field, error) {
	decoder := json.NewDecoder(bytes.NewReader(sample))
	start, err := decoder.Token()
	if err != nil || start != json.Delim('{') {
		return []field{{"value", sample}}, err
	}
	var all []field
	place := map[string]int{}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		f := field{key: fmt.Sprint(key)}
		if err := decoder.Decode(&f.value); err != nil {
			return nil, err
		}
		if i, ok := place[f.key]; ok {
			all[i] = f
			continue
		}
		place[f.key] = len(all)
		all = append(all, f)
	}
	return all, nil
}

// kindOf is the kind of one value; ok is false for null.
func kindOf(value json.RawMessage) (kind parquet.Kind, ok bool) {
	text := string(value)
	switch {
	case text == "null":
		return 0, false
	case text == "true" || text == "false":
		return parquet.Bool, true
	case strings.HasPrefix(text, `"`):
		return parquet.Text, true
	case strings.HasPrefix(text, "{") || strings.HasPrefix(text, "["):
		return parquet.JSON, true
	}
	if _, err := strconv.ParseInt(text, 10, 64); err == nil && text != "-0" {
		return parquet.Int64, true
	}
	if x, err := strconv.ParseFloat(text, 64); err == nil && sameNumber(text, x) {
		return parquet.Double, true
	}
	return parquet.JSON, true
}

// sameNumber says whether a double is as exact as the text: a whole number beyond 64 bits is not.
func sameNumber(text string, x float64) bool {
	return strings.ContainsAny(text, ".eE") || strconv.FormatFloat(x, 'f', -1, 64) == text
}

// joined is the kind of a column that holds values of two kinds.
func joined(a, b parquet.Kind) parquet.Kind {
	switch {
	case a == b:
		return a
	case a == parquet.Int64 && b == parquet.Double || a == parquet.Double && b == parquet.Int64:
		return parquet.Double
	}
	return parquet.JSON
}

// maxExactInteger is the largest whole number below which every one is a double.
const maxExactInteger = 1 << 53

// sampleTable is the columns that the first samples of a run need: those that were there when they were looked at.
type sampleTable struct {
	columns []parquet.Column
	samples int
}

// sampleTable reads all samples for the columns that they need.
func (r *Record) sampleTable() (t sampleTable, err error) {
	var columns []parquet.Column
	place := map[string]int{}
	isKnown := map[string]bool{}
	large := map[string]bool{} // columns with whole numbers that no double holds
	err = r.Samples(func(sample json.RawMessage) error {
		fields, err := fieldsOf(sample)
		if err != nil {
			return err
		}
		t.samples++
		for _, f := range fields {
			i, ok := place[f.key]
			if !ok {
				i = len(columns)
				place[f.key], columns = i, append(columns, parquet.Column{Name: f.key, Kind: parquet.Text})
			}
			kind, ok := kindOf(f.value)
			if !ok {
				continue
			}
			if x, err := strconv.ParseInt(string(f.value), 10, 64); kind == parquet.Int64 && err == nil && (x > maxExactInteger || x < -maxExactInteger) {
				large[f.key] = true
			}
			if isKnown[f.key] {
				kind = joined(columns[i].Kind, kind)
			}
			if columns[i].Kind, isKnown[f.key] = kind, true; kind == parquet.Double && large[f.key] {
				columns[i].Kind = parquet.JSON
			}
		}
		return nil
	})
	t.columns = columns
	return t, err
}

// errEnough ends the reading of a run that has been going on since its columns were looked at.
var errEnough = errors.New("all samples of the table have been read")

// each calls yield with the values of each sample of the table, by the columns.
func (t sampleTable) each(r *Record, yield func(row []json.RawMessage) error) error {
	place := map[string]int{}
	for i, c := range t.columns {
		place[c.Name] = i
	}
	left := t.samples
	err := r.Samples(func(sample json.RawMessage) error {
		if left--; left < 0 {
			return errEnough
		}
		fields, err := fieldsOf(sample)
		if err != nil {
			return err
		}
		row := make([]json.RawMessage, len(t.columns))
		for _, f := range fields {
			if string(f.value) != "null" {
				row[place[f.key]] = f.value
			}
		}
		return yield(row)
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return err
}

func exportSamplesCSV(r *Record, w io.Writer) error {
	t, err := r.sampleTable()
	if err != nil {
		return err
	}
	columns := t.columns
	writer := csv.NewWriter(w)
	texts := make([]string, len(columns))
	for i, c := range columns {
		texts[i] = c.Name
	}
	if err := writer.Write(texts); err != nil {
		return err
	}
	err = t.each(r, func(row []json.RawMessage) error {
		for i, c := range columns {
			texts[i] = string(row[i])
			if c.Kind == parquet.Text && row[i] != nil {
				if err := json.Unmarshal(row[i], &texts[i]); err != nil {
					return err
				}
			}
		}
		return writer.Write(texts)
	})
	writer.Flush()
	if err != nil {
		return err
	}
	return writer.Error()
}

func exportSamplesParquet(r *Record, w io.Writer) error {
	t, err := r.sampleTable()
	if err != nil {
		return err
	}
	columns := t.columns
	if len(columns) == 0 {
		columns = []parquet.Column{{Name: "value", Kind: parquet.JSON}}
	}
	file, err := parquet.NewWriter(w, columns)
	if err != nil {
		return err
	}
	values := make([]parquet.Value, len(columns))
	err = t.each(r, func(row []json.RawMessage) error {
		for i, c := range columns {
			if values[i], err = parquetValue(c.Kind, row[i]); err != nil {
				return fmt.Errorf("%s: %w", c.Name, err)
			}
		}
		return file.Write(values)
	})
	if err != nil {
		return err
	}
	return closeParquet(r, file)
}

func parquetValue(kind parquet.Kind, value json.RawMessage) (v parquet.Value, err error) {
	if value == nil {
		return v, nil
	}
	v.IsSet = true
	switch kind {
	case parquet.Int64:
		v.Int, err = strconv.ParseInt(string(value), 10, 64)
	case parquet.Double:
		v.Double, err = strconv.ParseFloat(string(value), 64)
	case parquet.Bool:
		v.Bool = string(value) == "true"
	case parquet.Text:
		err = json.Unmarshal(value, &v.Text)
	default:
		v.Text = string(value)
	}
	return v, err
}
