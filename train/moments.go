package train

import (
	"fmt"
	"path/filepath"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/weights"
)

// The tensors of optimizer.safetensors: m and v, or m8, m_scale, v8 and v_scale.

func writeMoments(path string, m compute.Moments) error {
	list := []weights.NamedTensor{}
	for _, t := range []struct {
		name   string
		values []float32
	}{{"m", m.M}, {"v", m.V}, {"m_scale", m.MScale}, {"v_scale", m.VScale}} {
		if t.values != nil {
			list = append(list, weights.NamedTensor{Name: t.name, Format: tensor.F32, Shape: []int{len(t.values)}, Values: t.values})
		}
	}
	for _, t := range []struct {
		name  string
		codes []uint8
	}{{"m8", m.M8}, {"v8", m.V8}} {
		if t.codes != nil {
			list = append(list, weights.NamedTensor{Name: t.name, Format: tensor.U8, Shape: []int{len(t.codes)}, Data: t.codes})
		}
	}
	return weights.Write(path, list, nil)
}

// readMoments fills m from what writeMoments wrote, bit for bit.
func readMoments(path string, m compute.Moments) error {
	if m.M8 == nil {
		return readTensors(path, map[string][]float32{"m": m.M, "v": m.V})
	}
	if err := readTensors(path, map[string][]float32{"m_scale": m.MScale, "v_scale": m.VScale}); err != nil {
		return err
	}
	f, err := weights.Open(path)
	if err != nil {
		return fmt.Errorf("train: resume: %w", err)
	}
	defer f.Close()
	for name, codes := range map[string][]uint8{"m8": m.M8, "v8": m.V8} {
		t, err := f.Tensor(name)
		if err == nil && (t.Format != tensor.U8 || len(t.Data) != len(codes)) {
			err = fmt.Errorf("tensor %q: got %s %v, want %d U8", name, t.Format, t.Shape, len(codes))
		}
		if err != nil {
			return fmt.Errorf("train: resume: %s: %w", filepath.Base(path), err)
		}
		copy(codes, t.Data)
	}
	return nil
}
