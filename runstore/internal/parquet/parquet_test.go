package parquet_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/runstore/internal/parquet"
	"github.com/retort-ml/retort/runstore/internal/parquettest"
)

// column is short for a description.
func column(name string, kind parquet.Kind) parquet.Column {
	return parquet.Column{Name: name, Kind: kind}
}

var allKinds = []parquet.Column{column("step", parquet.Int64), column("reward/accuracy", parquet.Double), column("right", parquet.Bool), column("text", parquet.Text), column("more", parquet.JSON)}

// table draws rows of every kind, some values missing.
func table(n int) [][]parquet.Value {
	r := rand.New(rand.NewPCG(7, 7))
	rows := make([][]parquet.Value, n)
	for i := range rows {
		row := []parquet.Value{
			{IsSet: true, Int: int64(r.Uint64())}, {IsSet: true, Double: []float64{r.NormFloat64(), math.NaN(), math.Inf(-1), math.Copysign(0, -1)}[r.IntN(4)]},
			{IsSet: true, Bool: r.IntN(2) == 1}, {IsSet: true, Text: strings.Repeat("ä\x00\"", r.IntN(5))}, {IsSet: true, Text: fmt.Sprintf(`{"a":%d}`, i)},
		}
		for j := range row {
			if r.IntN(4) == 0 {
				row[j] = parquet.Value{}
			}
		}
		rows[i] = row
	}
	return rows
}

func encode(t *testing.T, columns []parquet.Column, rows [][]parquet.Value, about ...parquet.KeyValue) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := parquet.NewWriter(&b, columns)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(about...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func same(a, b []parquet.Value) bool {
	return slices.EqualFunc(a, b, func(x, y parquet.Value) bool {
		return x.IsSet == y.IsSet && x.Int == y.Int && x.Bool == y.Bool && x.Text == y.Text && math.Float64bits(x.Double) == math.Float64bits(y.Double)
	})
}

// TestRereadIsEqual also over the end of row groups, and for tables without a row and with many columns.
func TestRereadIsEqual(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 9, 1000, parquet.GroupRows, parquet.GroupRows + 1, 2*parquet.GroupRows + 3} {
		rows := table(n)
		file := encode(t, allKinds, rows, parquet.KeyValue{Key: "manifest", Value: `{"id":"ä"}`})
		columns, got, about, err := parquettest.Read(file)
		if err != nil {
			t.Fatalf("%d rows: %v", n, err)
		}
		if !slices.Equal(columns, allKinds) || !slices.EqualFunc(got, rows, same) || about["manifest"] != `{"id":"ä"}` {
			t.Errorf("%d rows: what was read is not what was written: %v, %d rows, %v", n, columns, len(got), about)
		}
		if !bytes.Equal(file, encode(t, allKinds, rows, parquet.KeyValue{Key: "manifest", Value: `{"id":"ä"}`})) {
			t.Errorf("%d rows: the same table gives other bytes", n)
		}
	}
	var many []parquet.Column
	row := make([]parquet.Value, 40)
	for i := range row {
		many, row[i] = append(many, column(fmt.Sprint("c", i), parquet.Int64)), parquet.Value{IsSet: true, Int: int64(i)}
	}
	if columns, got, _, err := parquettest.Read(encode(t, many, [][]parquet.Value{row})); err != nil || !slices.Equal(columns, many) || !same(got[0], row) {
		t.Errorf("40 columns: %v", err)
	}
}

func TestWriterRefuses(t *testing.T) {
	for _, columns := range [][]parquet.Column{nil, {column("", parquet.Int64)}, {column("a", parquet.Int64), column("a", parquet.Text)}, {column("a", 99)}} {
		if _, err := parquet.NewWriter(io.Discard, columns); err == nil {
			t.Errorf("%v is taken", columns)
		}
	}
	w, err := parquet.NewWriter(io.Discard, allKinds)
	if err != nil {
		t.Fatal(err)
	}
	if w.Write(make([]parquet.Value, 3)) == nil || w.Close() == nil {
		t.Error("a short row is taken")
	}
	w, _ = parquet.NewWriter(io.Discard, allKinds)
	if err := w.Close(); err != nil || w.Write(make([]parquet.Value, 5)) == nil {
		t.Error("a row is taken after the end")
	}
}

// brokenDisk fails after some bytes.
type brokenDisk struct{ left int }

func (d *brokenDisk) Write(b []byte) (int, error) {
	if d.left -= len(b); d.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(b), nil
}

func TestFailedWritesAreTold(t *testing.T) {
	size := len(encode(t, allKinds, table(50)))
	for left := 0; left < size; left += 211 {
		w, err := parquet.NewWriter(&brokenDisk{left}, allKinds)
		for _, row := range table(50) {
			if err == nil {
				err = w.Write(row)
			}
		}
		if err == nil {
			err = w.Close()
		}
		if !errors.Is(err, io.ErrShortWrite) {
			t.Fatalf("a disk of %d bytes: %v", left, err)
		}
	}
}

// TestPeer writes a file for pyarrow to read, if RETORT_PEER names its folder: bench/peer_parquet.py compares it.
func TestPeer(t *testing.T) {
	folder := os.Getenv("RETORT_PEER")
	if folder == "" {
		t.Skip("not run: RETORT_PEER names no folder for the peer")
	}
	if err := os.WriteFile(folder+"/all.parquet", encode(t, allKinds, table(parquet.GroupRows+100), parquet.KeyValue{Key: "manifest", Value: "x"}), 0o644); err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for _, row := range table(parquet.GroupRows + 100) {
		for i, v := range row {
			text := "null"
			switch {
			case !v.IsSet:
			case i == 0:
				text = fmt.Sprint(v.Int)
			case i == 1:
				text = fmt.Sprint(math.Float64bits(v.Double))
			case i == 2:
				text = fmt.Sprint(v.Bool)
			default:
				text = fmt.Sprintf("%x", v.Text)
			}
			lines.WriteString(text + "\t")
		}
		lines.WriteString("\n")
	}
	if err := os.WriteFile(folder+"/all.tsv", []byte(lines.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
