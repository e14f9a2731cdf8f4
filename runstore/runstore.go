// Package runstore is an append-only record on disk of what was run: resolved config, metrics, samples, checkpoints; it defines Metric{Name, Unit, Formula} and the atomic checkpoint folder.
//
// It does not know what is trained, what a checkpoint holds, or when one is
// due. It is a folder of ordinary files, and nothing but this package is needed
// to read them:
//
//	run.json                  the manifest, written once
//	metrics.jsonl             a line per step, keys in the order of the metric table
//	samples.jsonl             a line per kept sample
//	timing.jsonl              a line per step, outside the promise below
//	checkpoints/step-00000040/  the caller's files, then COMPLETE
//	status.json               how the run ended; absent while it runs and after a crash
//	lock                      the process that writes
//
// Invariants. A process killed at any instant loses no more than the work since
// its last checkpoint: [Run.Rewind] cuts metrics and samples back to the
// lengths that the checkpoint recorded, and a caller whose random state is in
// the checkpoint then writes the same bytes again. A checkpoint counts only
// with its COMPLETE file, which is written last and holds the sha256 of every
// other file. One process writes at a time. A failed write is reported and
// loses nothing: what was to be appended stays in memory and goes out with the
// next write.
package runstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	manifestName    = "run.json"
	metricsName     = "metrics.jsonl"
	samplesName     = "samples.jsonl"
	timingName      = "timing.jsonl"
	statusName      = "status.json"
	lockName        = "lock"
	checkpointsName = "checkpoints"

	defaultKeep = 2
)

// Manifest says what a run is. It is written once, before the first step, and
// is what the code reads: there is no second copy of a value.
type Manifest struct {
	ID       string            `json:"id"`      // "" means the folder's name
	Kind     string            `json:"kind"`    // "sft", "grpo", ...
	Created  time.Time         `json:"created"` // the zero time means now
	Command  []string          `json:"command"` // the command line that started it
	Config   json.RawMessage   `json:"config"`  // resolved: every value, defaults included
	Seed     uint64            `json:"seed"`
	Build    string            `json:"build"` // see ThisBuild
	Level    string            `json:"level"` // the instruction set of the kernels
	Versions map[string]string `json:"versions,omitempty"`
	Parents  []string          `json:"parents,omitempty"` // ids of runs whose results this one reads
	Metrics  []Metric          `json:"metrics"`           // the table, in the order of the keys in metrics.jsonl
	Keep     int               `json:"keep_checkpoints"`  // the last Keep checkpoints stay; 0 means 2
}

// Status is how a run stands.
type Status string

// The statuses. Finish takes the first three; the others are found by looking.
const (
	StatusDone        Status = "done"        // all steps were made
	StatusStopped     Status = "stopped"     // ended early on request, with a checkpoint
	StatusFailed      Status = "failed"      // ended by an error
	StatusRunning     Status = "running"     // a process holds the run
	StatusInterrupted Status = "interrupted" // no process holds it, and none has finished it
	StatusDamaged     Status = "damaged"     // its manifest cannot be read
)

// Run is a run that this process writes. It is used by one goroutine at a time.
type Run struct {
	dir      string
	manifest Manifest
	table    metricTable
	lock     *os.File
	disk     disk
	metrics  *appender
	samples  *appender
	timing   *appender
	lastStep int
	warnings []string
}

// Create makes the run's folder and opens the run. A folder that already holds
// a run is an [ErrExists]; the rest of a Create that was interrupted is taken
// over.
func Create(dir string, m Manifest) (*Run, error) {
	return create(dir, m, plainDisk())
}

func create(dir string, m Manifest, d disk) (*Run, error) {
	if err := m.complete(dir); err != nil {
		return nil, fmt.Errorf("runstore: %s: %w", dir, err)
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("runstore: %s: manifest: %w", dir, err)
	}
	if err := d.makeFolders(dir, filepath.Join(dir, checkpointsName)); err != nil {
		return nil, fmt.Errorf("runstore: %s: %w", dir, err)
	}
	lock, warnings, err := takeLock(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, manifestName)); !errors.Is(err, os.ErrNotExist) {
		if err == nil {
			err = ErrExists
		}
		return nil, fmt.Errorf("runstore: %s: %w", dir, errors.Join(err, releaseLock(lock)))
	}
	if err := d.replaceFile(filepath.Join(dir, manifestName), append(text, '\n')); err != nil {
		return nil, fmt.Errorf("runstore: %s: manifest: %w", dir, errors.Join(err, releaseLock(lock)))
	}
	return openLocked(dir, m, lock, warnings, d)
}

// complete fills in what the zero values mean and joins all faults.
func (m *Manifest) complete(dir string) error {
	if m.ID == "" {
		absolute, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		m.ID = filepath.Base(absolute)
	}
	if m.Created.IsZero() {
		m.Created = time.Now().UTC().Truncate(time.Second)
	}
	if m.Config == nil {
		m.Config = json.RawMessage("null")
	}
	if m.Keep == 0 {
		m.Keep = defaultKeep
	}
	var faults []error
	if m.Kind == "" {
		faults = append(faults, errors.New("manifest: kind is empty"))
	}
	if m.Keep < 0 {
		faults = append(faults, fmt.Errorf("manifest: keep_checkpoints: got %d, want at least 1", m.Keep))
	}
	if !json.Valid(m.Config) {
		faults = append(faults, errors.New("manifest: config is not JSON"))
	}
	_, err := newMetricTable(m.Metrics)
	return errors.Join(append(faults, err)...)
}

// Open opens an existing run for writing. A run that another process holds is
// a [*LockedError]; the lock of a process that has died is taken over. The rest
// of a write that was cut short is removed and named in [Run.Warnings]. To go
// on with a run, call [Run.Rewind] next.
func Open(dir string) (*Run, error) {
	return openWith(dir, plainDisk())
}

func openWith(dir string, d disk) (*Run, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, fmt.Errorf("runstore: %s: %w", dir, err)
	}
	lock, warnings, err := takeLock(dir)
	if err != nil {
		return nil, err
	}
	return openLocked(dir, m, lock, warnings, d)
}

// openLocked opens the appended files and takes over the lock, also on an error.
func openLocked(dir string, m Manifest, lock *os.File, warnings []string, d disk) (*Run, error) {
	r := &Run{dir: dir, manifest: m, lock: lock, disk: d, warnings: warnings}
	err := r.openFiles()
	if err == nil {
		err = r.mendCheckpoints()
	}
	if err != nil {
		return nil, fmt.Errorf("runstore: %s: %w", dir, errors.Join(err, r.closeFiles()))
	}
	return r, nil
}

func (r *Run) openFiles() error {
	var err error
	if r.table, err = newMetricTable(r.manifest.Metrics); err != nil {
		return err
	}
	for name, place := range map[string]**appender{metricsName: &r.metrics, samplesName: &r.samples, timingName: &r.timing} {
		a, cut, err := openAppender(filepath.Join(r.dir, name), r.disk)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		*place = a
		if cut > 0 {
			r.warn("%s: removed a last line cut short after %d bytes", name, cut)
		}
	}
	r.lastStep, err = lastStep(r.metrics.file, r.metrics.length)
	if err != nil {
		return fmt.Errorf("%s: %w", metricsName, err)
	}
	return r.disk.syncFolder(r.dir)
}

func (r *Run) warn(format string, arguments ...any) {
	r.warnings = append(r.warnings, fmt.Sprintf(format, arguments...))
}

// Dir returns the run's folder.
func (r *Run) Dir() string { return r.dir }

// Manifest returns what the run is, defaults filled in. Its maps and slices
// must not be written to.
func (r *Run) Manifest() Manifest { return r.manifest }

// Warnings returns what was found to be wrong and mended or passed over since
// the run was opened, one sentence each.
func (r *Run) Warnings() []string { return append([]string(nil), r.warnings...) }

// Finish writes everything out and notes how the run ended: [StatusDone],
// [StatusStopped] or [StatusFailed]. The run stays open.
func (r *Run) Finish(status Status) error {
	if err := r.finish(status); err != nil {
		return fmt.Errorf("runstore: %s: finish: %w", r.dir, err)
	}
	return nil
}

func (r *Run) finish(status Status) error {
	if status != StatusDone && status != StatusStopped && status != StatusFailed {
		return fmt.Errorf("status %q: want %s, %s or %s", status, StatusDone, StatusStopped, StatusFailed)
	}
	if err := r.syncRecords(); err != nil {
		return err
	}
	if err := r.timing.sync(); err != nil {
		return err
	}
	text, err := json.Marshal(ending{Status: status, Step: r.lastStep, Time: time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	return r.disk.replaceFile(filepath.Join(r.dir, statusName), append(text, '\n'))
}

// ending is what status.json holds.
type ending struct {
	Status Status    `json:"status"`
	Step   int       `json:"step"`
	Time   time.Time `json:"time"`
}

// Close writes out what was appended and lets go of the run. It does not sync
// and does not note an end: a closed run without [Run.Finish] is interrupted.
// A second Close does nothing.
func (r *Run) Close() error {
	if r.lock == nil {
		return nil
	}
	err := r.flush()
	if err = errors.Join(err, r.closeFiles()); err != nil {
		return fmt.Errorf("runstore: %s: close: %w", r.dir, err)
	}
	return nil
}

func (r *Run) closeFiles() error {
	var faults []error
	for _, a := range []*appender{r.metrics, r.samples, r.timing} {
		if a != nil {
			faults = append(faults, a.file.Close())
		}
	}
	faults = append(faults, releaseLock(r.lock))
	r.lock = nil
	return errors.Join(faults...)
}

func readManifest(dir string) (Manifest, error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return Manifest{}, err
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", manifestName, err)
	}
	if m.Config, err = compact(m.Config); err != nil {
		return Manifest{}, fmt.Errorf("%s: config: %w", manifestName, err)
	}
	if err := m.complete(dir); err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", manifestName, err)
	}
	return m, nil
}
