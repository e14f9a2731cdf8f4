package runstore

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
)

// Record is a run that is looked at without a lock, also while it runs.
type Record struct {
	Dir      string
	Manifest Manifest
	Status   Status
	Rows     []Row    // the metrics, in the order of the file
	Warnings []string // what was passed over
}

// Read reads a run's manifest, status and metrics. A last line that is cut
// short, because the run is writing it or was killed, is passed over with a
// warning; any other damage is an error that names the line.
func Read(dir string) (*Record, error) {
	r, err := read(dir)
	if err != nil {
		return nil, fmt.Errorf("runstore: %s: %w", dir, err)
	}
	return r, nil
}

func read(dir string) (*Record, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	table, err := newMetricTable(m.Metrics)
	if err != nil {
		return nil, err
	}
	r := &Record{Dir: dir, Manifest: m}
	if r.Status, err = readStatus(dir); err != nil {
		return nil, err
	}
	isCut, err := eachLine(filepath.Join(dir, metricsName), func(line []byte) error {
		row, err := table.parseLine(line)
		r.Rows = append(r.Rows, row)
		return err
	})
	if isCut {
		r.Warnings = append(r.Warnings, metricsName+": the last line is cut short")
	}
	return r, err
}

// eachLine calls yield with every whole line of a file, without its end. An
// absent file has no lines.
func eachLine(path string, yield func(line []byte) error) (isCut bool, err error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	reader := bufio.NewReaderSize(file, 64<<10)
	for number := 1; ; number++ {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return len(line) > 0, nil
		}
		if err == nil {
			err = yield(line[:len(line)-1])
		}
		if err != nil {
			return false, fmt.Errorf("%s: line %d: %w", filepath.Base(path), number, err)
		}
	}
}

// Samples calls yield with each whole line of samples.jsonl, which is not
// yield's to keep, until it returns an error, which Samples returns.
func (r *Record) Samples(yield func(sample json.RawMessage) error) error {
	if _, err := eachLine(filepath.Join(r.Dir, samplesName), func(line []byte) error { return yield(line) }); err != nil {
		return fmt.Errorf("runstore: %s: %w", r.Dir, err)
	}
	return nil
}

// Timings returns how long the parts of each step took, the last time that the
// step was made.
func (r *Record) Timings() (map[int][]Timing, error) {
	timings := make(map[int][]Timing)
	_, err := eachLine(filepath.Join(r.Dir, timingName), func(text []byte) error {
		var line timingLine
		err := json.Unmarshal(text, &line)
		timings[line.Step] = line.parts()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("runstore: %s: %w", r.Dir, err)
	}
	return timings, nil
}

// Last returns the last recorded number of a metric.
func (r *Record) Last(name string) (value float64, step int, ok bool) {
	for i := len(r.Rows) - 1; i >= 0; i-- {
		if value, ok := r.Rows[i].Get(name); ok {
			return value, r.Rows[i].Step, true
		}
	}
	return 0, 0, false
}

func readStatus(dir string) (Status, error) {
	// The lock is looked at first: a run that ends in between is then "running",
	// which it was, and never "interrupted".
	isRunning, err := isHeld(dir)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(dir, statusName))
	if errors.Is(err, os.ErrNotExist) {
		if isRunning {
			return StatusRunning, nil
		}
		return StatusInterrupted, nil
	}
	if err != nil {
		return "", err
	}
	var end ending
	if err := json.Unmarshal(text, &end); err != nil {
		return "", fmt.Errorf("%s: %w", statusName, err)
	}
	return end.Status, nil
}

// Summary is a line of a list of runs.
type Summary struct {
	Dir         string
	ID          string
	Kind        string
	Manifest    Manifest
	Status      Status
	Step        int   // of the last metrics line, 0 without one
	Checkpoints []int // steps of the complete ones, oldest first
	Fault       string
}

// List summarises the runs in the folders directly below root, by time of
// creation, then by id. A run that cannot be read is listed as
// [StatusDamaged] with its fault. An absent root holds no runs.
func List(root string) ([]Summary, error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("runstore: %w", err)
	}
	var runs []Summary
	for _, entry := range entries {
		dir := filepath.Join(root, entry.Name())
		if _, err := os.Stat(filepath.Join(dir, manifestName)); err != nil {
			continue
		}
		s, err := summarise(dir)
		if err != nil {
			s = Summary{Dir: dir, ID: entry.Name(), Status: StatusDamaged, Fault: err.Error()}
		}
		runs = append(runs, s)
	}
	sort.SliceStable(runs, func(i, j int) bool {
		a, b := runs[i].Manifest.Created, runs[j].Manifest.Created
		if !a.Equal(b) {
			return a.Before(b)
		}
		return runs[i].ID < runs[j].ID
	})
	return runs, nil
}

func summarise(dir string) (Summary, error) {
	m, err := readManifest(dir)
	if err != nil {
		return Summary{}, err
	}
	s := Summary{Dir: dir, ID: m.ID, Kind: m.Kind, Manifest: m}
	if s.Status, err = readStatus(dir); err != nil {
		return s, err
	}
	if s.Checkpoints, err = completeSteps(dir); err != nil {
		return s, err
	}
	file, err := os.Open(filepath.Join(dir, metricsName))
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return s, err
	}
	length, err := wholeLines(file, info.Size())
	if err != nil {
		return s, err
	}
	s.Step, err = lastStep(file, length)
	return s, err
}

// completeSteps lists the checkpoints that have a COMPLETE file.
func completeSteps(dir string) ([]int, error) {
	folder := filepath.Join(dir, checkpointsName)
	steps, err := listSteps(folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var complete []int
	for _, step := range steps {
		if _, err := os.Stat(filepath.Join(folder, folderName(step), completeName)); err == nil {
			complete = append(complete, step)
		}
	}
	return complete, err
}

// lastStep reads the step of the last of the lines that end at length.
func lastStep(file io.ReaderAt, length int64) (int, error) {
	if length == 0 {
		return 0, nil
	}
	begin, err := wholeLines(file, length-1)
	if err != nil {
		return 0, err
	}
	line := make([]byte, length-begin)
	if _, err := file.ReadAt(line, begin); err != nil {
		return 0, err
	}
	var head struct {
		Step int `json:"step"`
	}
	if err := json.Unmarshal(bytes.TrimSpace(line), &head); err != nil {
		return 0, fmt.Errorf("last line: %w", err)
	}
	return head.Step, nil
}

// CheckpointFaults says what is wrong with the checkpoints that have a COMPLETE file, one sentence each. Files are compared with their
// recorded lengths; with isDeep also with their sha256, which reads them whole. Nothing is changed.
func (r *Record) CheckpointFaults(isDeep bool) ([]string, error) {
	steps, err := completeSteps(r.Dir)
	if err != nil {
		return nil, fmt.Errorf("runstore: %s: %w", r.Dir, err)
	}
	var faults []string
	for _, step := range steps {
		path := filepath.Join(r.Dir, checkpointsName, folderName(step))
		m, err := readMarker(path, step)
		if err == nil && isDeep {
			err = m.verify(path)
		} else if err == nil {
			err = m.measure(path)
		}
		if err != nil {
			faults = append(faults, fmt.Sprintf("checkpoint %s: %v", folderName(step), err))
		}
	}
	return faults, nil
}
