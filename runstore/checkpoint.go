package runstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// completeName is the file that makes a folder a checkpoint.
const completeName = "COMPLETE"

// marker is what COMPLETE holds.
type marker struct {
	Step         int          `json:"step"`
	MetricsBytes int64        `json:"metrics_bytes"` // length of metrics.jsonl at that moment
	SamplesBytes int64        `json:"samples_bytes"`
	Files        []markedFile `json:"files"` // in the order of their names
}

type markedFile struct {
	Name   string `json:"name"` // with / between folders
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

func folderName(step int) string { return fmt.Sprintf("step-%08d", step) }

// parseFolderName is the inverse of folderName.
func parseFolderName(name string) (step int, ok bool) {
	if _, err := fmt.Sscanf(name, "step-%d", &step); err != nil || step < 0 {
		return 0, false
	}
	return step, folderName(step) == name
}

func (r *Run) checkpointPath(name string) string {
	return filepath.Join(r.dir, checkpointsName, name)
}

// Checkpoint writes a checkpoint of the state after the given step. write puts
// its files into dir, an empty temporary folder; all of them are synced, the
// folder gets its name, and COMPLETE is written last. Then the oldest
// checkpoints beyond the manifest's Keep are removed. A checkpoint of the same
// step is replaced. After an error the earlier checkpoints are still there.
func (r *Run) Checkpoint(step int, write func(dir string) error) error {
	if err := r.checkpoint(step, write); err != nil {
		return fmt.Errorf("runstore: %s: checkpoint of step %d: %w", r.dir, step, err)
	}
	return nil
}

func (r *Run) checkpoint(step int, write func(dir string) error) error {
	if step < 0 {
		return errors.New("step is negative")
	}
	if err := r.syncRecords(); err != nil {
		return err
	}
	temporary := r.checkpointPath("." + folderName(step) + ".tmp")
	m := marker{Step: step, MetricsBytes: r.metrics.length, SamplesBytes: r.samples.length}
	err := r.fill(temporary, write, &m)
	if err == nil {
		err = r.install(temporary, m)
	}
	if err != nil {
		return errors.Join(err, r.disk.remove(temporary))
	}
	return r.prune()
}

// fill makes the temporary folder and lists its files in the marker.
func (r *Run) fill(temporary string, write func(dir string) error, m *marker) error {
	if err := r.disk.remove(temporary); err != nil {
		return err
	}
	if err := r.disk.mkdir(temporary); err != nil {
		return err
	}
	if err := write(temporary); err != nil {
		return err
	}
	var err error
	if m.Files, err = r.disk.syncTree(temporary); err != nil {
		return err
	}
	for _, f := range m.Files {
		if f.Name == completeName {
			return fmt.Errorf("the name %s is reserved", completeName)
		}
	}
	return nil
}

// install gives the temporary folder its name and marks it. A checkpoint that
// it replaces is kept aside until then; mendCheckpoints brings it back after a
// crash in between.
func (r *Run) install(temporary string, m marker) error {
	final := r.checkpointPath(folderName(m.Step))
	aside := r.checkpointPath("." + folderName(m.Step) + ".old")
	folder := filepath.Dir(final)
	isReplacing := false
	if _, err := os.Lstat(final); err == nil {
		isReplacing = true
		if err := r.disk.rename(final, aside); err != nil {
			return err
		}
	}
	if err := r.disk.rename(temporary, final); err != nil {
		return err
	}
	if err := r.disk.syncFolder(folder); err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := r.disk.replaceFile(filepath.Join(final, completeName), append(text, '\n')); err != nil {
		return err
	}
	if isReplacing {
		return r.disk.remove(aside)
	}
	return nil
}

// prune removes the checkpoints, and the rests of such, that are older than the
// last Keep complete ones.
func (r *Run) prune() error {
	complete, err := completeSteps(r.dir)
	if err != nil || len(complete) < r.manifest.Keep {
		return err
	}
	oldest := complete[len(complete)-r.manifest.Keep]
	steps, err := r.steps()
	if err != nil {
		return err
	}
	for _, step := range steps {
		if step >= oldest {
			break
		}
		if err := r.drop(step); err != nil {
			return err
		}
	}
	return nil
}

// drop removes a checkpoint, its marker first, so that a folder that is only
// half removed is none.
func (r *Run) drop(step int) error {
	path := r.checkpointPath(folderName(step))
	if err := r.disk.remove(filepath.Join(path, completeName)); err != nil {
		return err
	}
	if err := r.disk.syncFolder(path); err != nil {
		return err
	}
	return r.disk.remove(path)
}

// steps lists the folders named as checkpoints, oldest first, whole or not.
func (r *Run) steps() ([]int, error) {
	return listSteps(filepath.Join(r.dir, checkpointsName))
}

func listSteps(folder string) ([]int, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var steps []int
	for _, entry := range entries {
		if step, ok := parseFolderName(entry.Name()); ok && entry.IsDir() {
			steps = append(steps, step)
		}
	}
	sort.Ints(steps)
	return steps, nil
}

// mendCheckpoints removes what an interrupted process has left half done.
func (r *Run) mendCheckpoints() error {
	folder := filepath.Join(r.dir, checkpointsName)
	if err := r.disk.makeFolders(folder); err != nil {
		return err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		if strings.HasSuffix(entry.Name(), ".old") {
			if err := r.mendReplaced(path); err != nil {
				return err
			}
		}
		if strings.HasSuffix(entry.Name(), ".tmp") {
			if err := r.disk.remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// mendReplaced ends a replacement: when the new checkpoint is whole the old one
// goes, else it gets its name back.
func (r *Run) mendReplaced(aside string) error {
	name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(aside), "."), ".old")
	final := r.checkpointPath(name)
	if _, err := os.Stat(filepath.Join(final, completeName)); err == nil {
		return r.disk.remove(aside)
	}
	if err := r.disk.remove(final); err != nil {
		return err
	}
	if err := r.disk.rename(aside, final); err != nil {
		return err
	}
	return r.disk.syncFolder(filepath.Dir(final))
}
