package train

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/runstore"
)

const (
	testVocab = 24
	testStop  = 2
)

func testConfig() model.Config {
	return model.Config{
		Architecture: model.Qwen2, VocabSize: testVocab, Width: 32, Layers: 2, Heads: 2, KVHeads: 1, HeadSize: 16, FFN: 48,
		MaxPositions: 64, RopeTheta: 10000, NormEpsilon: 1e-6, TieEmbeddings: true, BOS: -1, EOS: testStop,
	}
}

func testModel(t testing.TB, seed uint64) *model.Model {
	t.Helper()
	m, err := model.New(testConfig(), seed)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func testCPU(t testing.TB, threads int) *compute.CPU {
	t.Helper()
	cpu := compute.NewCPU(threads)
	t.Cleanup(cpu.Close)
	return cpu
}

func testEngine(t testing.TB, m *model.Model, cpu *compute.CPU) *engine.Engine {
	t.Helper()
	e, err := engine.New(m, cpu, &engine.Options{MaxBatch: 16, PrefillTokens: 16})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// sumOf hashes the bits of numbers.
func sumOf(x []float32) string {
	h := sha256.New()
	for _, v := range x {
		bits := math.Float32bits(v)
		h.Write([]byte{byte(bits), byte(bits >> 8), byte(bits >> 16), byte(bits >> 24)})
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// diary is a Recorder in a folder that forgets, when it is opened again, what came after its last
// checkpoint.
type diary struct {
	dir              string
	metrics, samples bytes.Buffer
	step             int // of the last checkpoint, -1 for none
	marks            [2]int
	checkpoints      int
}

func newDiary(t testing.TB) *diary { return &diary{dir: t.TempDir(), step: -1} }

func (d *diary) AppendMetrics(step int, values []runstore.Value) error {
	fmt.Fprintf(&d.metrics, "%d", step)
	for _, v := range values {
		fmt.Fprintf(&d.metrics, " %s=%v", v.Name, v.Number)
	}
	d.metrics.WriteByte('\n')
	return nil
}

func (d *diary) AppendSample(sample any) error { return json.NewEncoder(&d.samples).Encode(sample) }

func (d *diary) Checkpoint(step int, write func(dir string) error) error {
	dir := d.folder(step)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := write(dir); err != nil {
		return err
	}
	d.step, d.marks = step, [2]int{d.metrics.Len(), d.samples.Len()}
	d.checkpoints++
	return nil
}

func (d *diary) folder(step int) string { return filepath.Join(d.dir, fmt.Sprint(step)) }

func (d *diary) AppendTiming(int, []runstore.Timing) error { return nil }

func (d *diary) Rewind() (string, int, error) {
	d.metrics.Truncate(d.marks[0])
	d.samples.Truncate(d.marks[1])
	if d.step < 0 {
		return "", 0, nil
	}
	return d.folder(d.step), d.step, nil
}

// curve collects a metric from Progress.
type curve map[string][]float64

func (c curve) progress(p Progress) {
	for _, v := range p.Metrics {
		c[v.Name] = append(c[v.Name], v.Number)
	}
}

// cancelAt returns a context and a Progress callback that ends it after step.
func cancelAt(step int) (context.Context, func(Progress)) {
	ctx, cancel := context.WithCancel(context.Background())
	return ctx, func(p Progress) {
		if p.Step == step {
			cancel()
		}
	}
}

// interrupted is a rollouter whose context ends while it samples for the given call.
type interrupted struct {
	Rollouter
	calls  int
	cancel func()
}

func (i *interrupted) Generate(ctx context.Context, reqs []engine.Request) ([]engine.Result, error) {
	if i.calls--; i.calls == 0 {
		i.cancel()
	}
	return i.Rollouter.Generate(ctx, reqs)
}
