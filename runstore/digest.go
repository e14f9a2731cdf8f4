package runstore

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
)

// Digests are the sha256, in hexadecimal, of everything that the promise of
// resuming covers: two runs with equal digests are the same run, bit for bit.
type Digests struct {
	Step    int               `json:"step"`    // of the newest whole checkpoint
	Files   map[string]string `json:"files"`   // of that checkpoint: weights, optimiser state, ...
	Metrics string            `json:"metrics"` // of metrics.jsonl
	Samples string            `json:"samples"` // of samples.jsonl
}

// Sum folds the digests into one.
func (d Digests) Sum() (string, error) {
	text, err := json.Marshal(d) // the files in the order of their names
	if err != nil {
		return "", fmt.Errorf("runstore: digest: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// Digest reads the digests of an open run after writing out what waits. It is
// an error when there is no whole checkpoint.
func Digest(r *Run) (Digests, error) {
	d, err := r.digest()
	if err != nil {
		return Digests{}, fmt.Errorf("runstore: %s: digest: %w", r.dir, err)
	}
	return d, nil
}

func (r *Run) digest() (Digests, error) {
	if err := r.flush(); err != nil {
		return Digests{}, err
	}
	m, ok := r.latest()
	if !ok {
		return Digests{}, errors.New("no whole checkpoint")
	}
	d := Digests{Step: m.Step, Files: make(map[string]string, len(m.Files))}
	for _, f := range m.Files {
		d.Files[f.Name] = f.SHA256
	}
	var err error
	if d.Metrics, _, err = digestFile(filepath.Join(r.dir, metricsName)); err != nil {
		return Digests{}, err
	}
	d.Samples, _, err = digestFile(filepath.Join(r.dir, samplesName))
	return d, err
}
