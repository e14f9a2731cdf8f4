package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/weights"
)

// The files of a checkpoint folder. The weights are saved as a model (config.json and
// model.safetensors), so that a checkpoint can be opened like any other model; of a model with an adapter, the
// adapter alone is, since nothing else changes.
const (
	stateFile     = "state.json"
	optimizerFile = "optimizer.safetensors"
	referenceFile = "reference.safetensors"
	adapterFile   = "adapter_model.safetensors" // and adapter_config.json, as PEFT names them
)

// adapterNames is what PEFT puts before the name of an adapter's tensor.
const adapterNames = "base_model.model."

// stateFormat is the version of state.json.
const stateFormat = 1

// state is what a run knows beside its tensors. Random numbers have no state of their own: the
// shuffle is a function of the seed and Position, an answer's of the seed, its problem and the
// number of its request.
type state struct {
	Format int `json:"format"`
	// Kind is the kind of run, Data the hash of its examples or problems.
	Kind string `json:"kind"`
	Data string `json:"data"`
	// Base is the hash of the frozen weights below an adapter, "" without one.
	Base string `json:"base,omitempty"`
	// Compute is model.Options.Compute, "" for f32: the bits of a step depend on it.
	Compute string `json:"compute,omitempty"`
	// Step and Updates count the finished steps and the optimiser updates in them.
	Step    int `json:"step"`
	Updates int `json:"updates"`
	// Tokens counts the tokens that carried loss.
	Tokens int64 `json:"tokens"`
	// Position is the next item of the stream of problems, Requests the next request's number.
	Position int       `json:"position"`
	Requests uint64    `json:"requests"`
	Findings []Finding `json:"findings,omitempty"`
	// Watchdog is the watchdog's history.
	Watchdog *watchdogState `json:"watchdog,omitempty"`
}

// writeCheckpoint writes everything that decides how the run goes on into dir.
func (l *loop) writeCheckpoint(dir string) error {
	if err := writeModel(dir, l.setup.Model); err != nil {
		return err
	}
	if err := writeMoments(filepath.Join(dir, optimizerFile), l.trainer.OptimizerState()); err != nil {
		return err
	}
	if l.reference != nil {
		slab := l.reference.Trainable()
		err := weights.Write(filepath.Join(dir, referenceFile), []weights.NamedTensor{
			{Name: "weights", Format: tensor.F32, Shape: []int{len(slab)}, Values: slab},
		}, nil)
		if err != nil {
			return err
		}
	}
	s := l.state
	s.Watchdog = &l.watchdog.state
	text, err := json.MarshalIndent(&s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, stateFile), append(text, '\n'), 0o666)
}

// resume continues from the newest checkpoint, if there is one.
func (l *loop) resume() error {
	if l.setup.Recorder == nil {
		return nil
	}
	dir, step, err := l.setup.Recorder.Rewind()
	if err != nil || dir == "" {
		return err
	}
	s, err := readState(dir)
	if err != nil {
		return err
	}
	if err := l.checkState(s, step); err != nil {
		return err
	}
	if err := readModel(dir, l.setup.Model); err != nil {
		return err
	}
	if err := readMoments(filepath.Join(dir, optimizerFile), l.trainer.OptimizerState()); err != nil {
		return err
	}
	if l.reference != nil {
		if err := readTensors(filepath.Join(dir, referenceFile), map[string][]float32{"weights": l.reference.Trainable()}); err != nil {
			return err
		}
		l.reference.Repack()
	}
	l.watchdog.restore(s.Watchdog)
	s.Watchdog = nil
	l.state = *s
	l.resumed = step
	return nil
}

// checkState refuses a checkpoint that cannot be continued exactly.
func (l *loop) checkState(s *state, step int) error {
	refuse := func(what string, got, want any) error {
		return fmt.Errorf("%w: step %d: %s: got %v, want %v", ErrOtherRun, step, what, got, want)
	}
	switch {
	case s.Format != stateFormat:
		return refuse("format", s.Format, stateFormat)
	case s.Step != step:
		return refuse("step in "+stateFile, s.Step, step)
	case s.Kind != l.state.Kind:
		return refuse("kind of run", s.Kind, l.state.Kind)
	case s.Data != l.state.Data:
		return refuse("sha256 of the data", s.Data, l.state.Data)
	case s.Base != l.state.Base:
		return refuse("sha256 of the weights below the adapter", s.Base, l.state.Base)
	case s.Compute != l.state.Compute:
		return refuse("compute", model.Options{Compute: s.Compute}.Resolved().Compute, model.Options{Compute: l.state.Compute}.Resolved().Compute)
	}
	return nil
}

func readState(dir string) (*state, error) {
	text, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return nil, fmt.Errorf("train: resume: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	s := new(state)
	if err := decoder.Decode(s); err != nil {
		return nil, fmt.Errorf("train: resume: %s: %w", stateFile, err)
	}
	return s, nil
}

// writeModel writes what training changes of m.
func writeModel(dir string, m *model.Model) error {
	if m.HasAdapter() {
		return m.SaveAdapter(dir, "", tensor.F32)
	}
	return m.Save(dir, tensor.F32)
}

// baseHash is the hash of the weights below an adapter, "" without one.
func baseHash(m *model.Model) string {
	if !m.HasAdapter() {
		return ""
	}
	h := sha256.New()
	buffer := make([]byte, 0, 1<<16)
	for values := range slices.Chunk(m.Weights(), cap(buffer)/4) {
		buffer = buffer[:0]
		for _, v := range values {
			buffer = binary.LittleEndian.AppendUint32(buffer, math.Float32bits(v))
		}
		h.Write(buffer)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// readModel reads the checkpoint's weights into m, whose shape they must have.
func readModel(dir string, m *model.Model) error {
	into := map[string][]float32{}
	path, prefix := dir, ""
	if m.HasAdapter() {
		path, prefix = filepath.Join(dir, adapterFile), adapterNames
	}
	for _, p := range m.TrainableParameters() {
		into[prefix+p.Name] = p.Data
	}
	if err := readTensors(path, into); err != nil {
		return err
	}
	m.Repack()
	return nil
}

// readTensors fills each named slice from the file of that name's tensor, bit for bit.
func readTensors(path string, into map[string][]float32) error {
	f, err := weights.Open(path)
	if err != nil {
		return fmt.Errorf("train: resume: %w", err)
	}
	for name, dst := range into {
		t, err := f.Tensor(name)
		if err == nil && (t.Format != tensor.F32 || t.Elements() != len(dst)) {
			err = fmt.Errorf("tensor %q: got %s %v, want %d f32", name, t.Format, t.Shape, len(dst))
		}
		if err == nil {
			err = tensor.Decode(dst, t.Format, t.Data)
		}
		if err != nil {
			f.Close()
			return fmt.Errorf("train: resume: %s: %w", filepath.Base(path), err)
		}
	}
	return f.Close()
}
