package runstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"time"
)

// appender is a file of lines that only grows. What is appended waits in
// memory until flush, and stays there when the write fails: the next flush
// writes it again at the same place.
type appender struct {
	file    *os.File
	disk    disk
	length  int64 // bytes of whole lines in the file
	pending []byte
	broken  error // a failed sync: what is on disk is unknown from then on
}

// maxPending is how much waits before it is written without a step's end.
const maxPending = 1 << 20 // 1 MiB

// openAppender opens or makes the file and removes the rest of a line that was
// cut short, whose bytes it counts.
func openAppender(path string, d disk) (a *appender, cut int64, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	whole, err := wholeLines(file, info.Size())
	if cut = info.Size() - whole; err == nil && cut > 0 {
		err = d.truncate(file, whole)
	}
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return &appender{file: file, disk: d, length: whole}, cut, nil
}

// wholeLines returns the length of a file up to its last line end.
func wholeLines(file io.ReaderAt, length int64) (int64, error) {
	buffer := make([]byte, 64<<10)
	for end := length; end > 0; {
		begin := max(0, end-int64(len(buffer)))
		part := buffer[:end-begin]
		if _, err := file.ReadAt(part, begin); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return begin + int64(i) + 1, nil
		}
		end = begin
	}
	return 0, nil
}

func (a *appender) add(line []byte) error {
	a.pending = append(a.pending, line...)
	if len(a.pending) < maxPending {
		return nil
	}
	return a.flush()
}

func (a *appender) flush() error {
	if len(a.pending) == 0 {
		return nil
	}
	if err := a.disk.writeAt(a.file, a.pending, a.length); err != nil {
		return err
	}
	a.length += int64(len(a.pending))
	a.pending = a.pending[:0]
	return nil
}

func (a *appender) sync() error {
	if a.broken != nil {
		return a.broken
	}
	if err := a.flush(); err != nil {
		return err
	}
	if err := a.disk.sync(a.file); err != nil {
		// The system may have dropped what it could not write, and would report
		// success the next time. Only reading the file anew tells.
		a.broken = fmt.Errorf("%w (open the run anew)", err)
		return err
	}
	return nil
}

// cutTo drops everything after the first length bytes.
func (a *appender) cutTo(length int64) error {
	if err := a.disk.truncate(a.file, length); err != nil {
		return err
	}
	a.pending, a.length = a.pending[:0], length
	return a.sync()
}

// AppendMetrics records the numbers of a step and ends it: the line, and all
// samples and timings appended before, are handed to the operating system, one
// write per file. Names must be in the run's metric table; a metric may be
// missing in a step. NaN and infinities are recorded as null beside a text.
//
// After an error about the values nothing is recorded. After an error about
// the disk everything is kept and written by the next call; do not append it
// again.
func (r *Run) AppendMetrics(step int, values []Value) error {
	if step < 0 {
		return fmt.Errorf("runstore: %s: metrics: step %d is negative", r.dir, step)
	}
	line, err := r.table.appendLine(nil, step, values)
	if err == nil {
		r.lastStep = step
		err = r.metrics.add(line)
	}
	if err == nil {
		err = r.flush()
	}
	if err != nil {
		return fmt.Errorf("runstore: %s: metrics of step %d: %w", r.dir, step, err)
	}
	return nil
}

// AppendSample records anything that encodes to JSON as a line of
// samples.jsonl. Equal values must encode equally for the promise to hold:
// structs and maps do. It waits in memory for the step's end.
func (r *Run) AppendSample(sample any) error {
	line, err := encodeLine(sample)
	if err == nil {
		err = r.samples.add(line)
	}
	if err != nil {
		return fmt.Errorf("runstore: %s: sample: %w", r.dir, err)
	}
	return nil
}

// Timing is how long a part of a step took.
type Timing struct {
	Part     string // "rollout", "update", ...
	Duration time.Duration
}

// timingLine is a line of timing.jsonl.
type timingLine struct {
	Step    int                `json:"step"`
	Time    time.Time          `json:"time"`
	Seconds map[string]float64 `json:"seconds"`
}

// parts lists the durations of a line by name.
func (l timingLine) parts() []Timing {
	parts := make([]Timing, 0, len(l.Seconds))
	for part, seconds := range l.Seconds {
		parts = append(parts, Timing{Part: part, Duration: time.Duration(seconds * float64(time.Second))})
	}
	sort.Slice(parts, func(i, j int) bool { return parts[i].Part < parts[j].Part })
	return parts
}

// AppendTiming records how long the parts of a step took, with the time of
// day. A step that is made again after a crash appears again; the last counts.
func (r *Run) AppendTiming(step int, parts []Timing) error {
	line := timingLine{Step: step, Time: time.Now().UTC(), Seconds: make(map[string]float64, len(parts))}
	for _, p := range parts {
		line.Seconds[p.Part] = p.Duration.Seconds()
	}
	text, err := encodeLine(line)
	if err == nil {
		err = r.timing.add(text)
	}
	if err != nil {
		return fmt.Errorf("runstore: %s: timing of step %d: %w", r.dir, step, err)
	}
	return nil
}

func encodeLine(value any) ([]byte, error) {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return line.Bytes(), err
}

// flush hands everything that waits to the operating system.
func (r *Run) flush() error {
	for _, part := range []struct {
		name string
		file *appender
	}{{samplesName, r.samples}, {timingName, r.timing}, {metricsName, r.metrics}} {
		if err := part.file.flush(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// syncRecords makes metrics and samples last.
func (r *Run) syncRecords() error {
	if err := r.samples.sync(); err != nil {
		return fmt.Errorf("%s: %w", samplesName, err)
	}
	if err := r.metrics.sync(); err != nil {
		return fmt.Errorf("%s: %w", metricsName, err)
	}
	return nil
}
