package runstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Latest returns the newest whole checkpoint, all of whose files have the
// recorded sha256; ok is false when there is none. Incomplete and damaged ones
// are passed over and named in [Run.Warnings].
func (r *Run) Latest() (dir string, step int, ok bool) {
	m, ok := r.latest()
	if !ok {
		return "", 0, false
	}
	return r.checkpointPath(folderName(m.Step)), m.Step, true
}

func (r *Run) latest() (marker, bool) {
	steps, err := r.steps()
	if err != nil {
		r.warn("checkpoints: %v", err)
		return marker{}, false
	}
	for i := len(steps) - 1; i >= 0; i-- {
		name := folderName(steps[i])
		m, err := readMarker(r.checkpointPath(name), steps[i])
		if err == nil {
			err = m.verify(r.checkpointPath(name))
		}
		if err == nil && (m.MetricsBytes > r.metrics.length || m.SamplesBytes > r.samples.length) {
			err = errors.New("metrics or samples are shorter than at its time")
		}
		if err == nil {
			return m, true
		}
		r.warn("checkpoint %s: passed over: %v", name, err)
	}
	return marker{}, false
}

// readMarker reads COMPLETE of a checkpoint folder.
func readMarker(path string, step int) (marker, error) {
	text, err := os.ReadFile(filepath.Join(path, completeName))
	if errors.Is(err, os.ErrNotExist) {
		return marker{}, errors.New("incomplete")
	}
	if err != nil {
		return marker{}, err
	}
	var m marker
	if err := json.Unmarshal(text, &m); err != nil {
		return marker{}, fmt.Errorf("%s: %w", completeName, err)
	}
	if m.Step != step || m.MetricsBytes < 0 || m.SamplesBytes < 0 {
		return marker{}, fmt.Errorf("%s: does not belong to this folder", completeName)
	}
	return m, nil
}

// verify compares every file with its recorded length and sha256.
func (m marker) verify(path string) error {
	for _, f := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Name)) {
			return fmt.Errorf("%s: file name %q leads out of the folder", completeName, f.Name)
		}
		digest, length, err := digestFile(filepath.Join(path, filepath.FromSlash(f.Name)))
		if err != nil {
			return err
		}
		if digest != f.SHA256 || length != f.Bytes {
			return fmt.Errorf("%s: damaged: got %d bytes with sha256 %.8s, want %d with %.8s", f.Name, length, digest, f.Bytes, f.SHA256)
		}
	}
	return nil
}

// measure compares every file with its recorded length alone.
func (m marker) measure(path string) error {
	for _, f := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Name)) {
			return fmt.Errorf("%s: file name %q leads out of the folder", completeName, f.Name)
		}
		info, err := os.Stat(filepath.Join(path, filepath.FromSlash(f.Name)))
		if err != nil {
			return err
		}
		if info.Size() != f.Bytes {
			return fmt.Errorf("%s: damaged: got %d bytes, want %d", f.Name, info.Size(), f.Bytes)
		}
	}
	return nil
}

// Rewind takes the run back to its newest whole checkpoint, whose folder and
// step it returns: metrics and samples are cut to their lengths of that moment,
// the end of a finished run is forgotten, incomplete checkpoints after it are
// removed and damaged ones are set aside as damaged-step-N. Without a
// checkpoint the run is taken back to its beginning and dir is ""; but when
// there are checkpoints and all are damaged, nothing is touched and it is an
// error.
//
// The caller then loads its state and makes the steps after it.
func (r *Run) Rewind() (dir string, step int, err error) {
	if dir, step, err = r.rewind(); err != nil {
		return "", 0, fmt.Errorf("runstore: %s: rewind: %w", r.dir, err)
	}
	return dir, step, nil
}

func (r *Run) rewind() (dir string, step int, err error) {
	m, ok := r.latest()
	if !ok {
		if err := r.refuseDamaged(); err != nil {
			return "", 0, err
		}
	}
	if err := r.disk.remove(filepath.Join(r.dir, statusName)); err != nil {
		return "", 0, err
	}
	// Whatever is later must go before the records are cut: it refers to them.
	if err := r.setAsideAfter(m.Step, ok); err != nil {
		return "", 0, err
	}
	if err := r.metrics.cutTo(m.MetricsBytes); err != nil {
		return "", 0, fmt.Errorf("%s: %w", metricsName, err)
	}
	if err := r.samples.cutTo(m.SamplesBytes); err != nil {
		return "", 0, fmt.Errorf("%s: %w", samplesName, err)
	}
	r.lastStep = m.Step
	if !ok {
		return "", 0, nil
	}
	return r.checkpointPath(folderName(m.Step)), m.Step, nil
}

// refuseDamaged is an error when a checkpoint was once whole: to begin anew is
// then a person's decision.
func (r *Run) refuseDamaged() error {
	steps, err := r.steps()
	if err != nil {
		return err
	}
	for i := len(steps) - 1; i >= 0; i-- {
		path := r.checkpointPath(folderName(steps[i]))
		if _, err := os.Stat(filepath.Join(path, completeName)); !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("no checkpoint is whole: %s; to begin anew move the folder %s away", r.warnings[len(r.warnings)-1], checkpointsName)
		}
	}
	return nil
}

// setAsideAfter clears away the checkpoints after step, or all of them when
// none is whole, and what an interrupted prune has left.
func (r *Run) setAsideAfter(step int, isAny bool) error {
	steps, err := r.steps()
	if err != nil {
		return err
	}
	for _, later := range steps {
		if isAny && later <= step {
			continue
		}
		path := r.checkpointPath(folderName(later))
		if _, err := os.Stat(filepath.Join(path, completeName)); errors.Is(err, os.ErrNotExist) {
			if err := r.disk.remove(path); err != nil {
				return err
			}
			continue
		}
		aside := r.checkpointPath("damaged-" + folderName(later))
		if err := r.disk.remove(aside); err != nil {
			return err
		}
		if err := r.disk.rename(path, aside); err != nil {
			return err
		}
	}
	if err := r.disk.syncFolder(filepath.Join(r.dir, checkpointsName)); err != nil {
		return err
	}
	return r.prune()
}
