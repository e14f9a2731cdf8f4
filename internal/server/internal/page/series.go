package page

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"sort"
	"strconv"
	"sync"

	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/train"
)

// numbers is a column of metrics. NaN and infinities, which JSON lacks, and what was not recorded become null.
type numbers []float64

// MarshalJSON writes six figures, which a curve does not show.
func (n numbers) MarshalJSON() ([]byte, error) {
	text := append(make([]byte, 0, 8*len(n)+2), '[')
	for i, x := range n {
		if i > 0 {
			text = append(text, ',')
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			text = append(text, "null"...)
			continue
		}
		text = strconv.AppendFloat(text, x, 'g', 6, 64)
	}
	return append(text, ']'), nil
}

// series is what has been read of a run's metrics. Each look reads only what was appended since.
type series struct {
	mu          sync.Mutex
	manifest    runstore.Manifest
	raw         json.RawMessage // the manifest as it is written
	metrics     tail
	timings     tail
	steps       []int
	columns     map[string]numbers // by metric, one number per step
	seconds     map[string]map[int]float64
	findings    []train.Finding
	watchdog    *train.Watchdog
	generation  int // grows when what was told before does not hold any more
	fault       string
	isPrepared  bool
	manifestTag string
}

// tail reads whole lines that were appended to a file.
type tail struct {
	offset int64
	last   []byte // the last line that was read, which stands before offset
}

// more calls yield with each new line. isOther reports that the file is not the one that was read before: it must be read from its beginning.
func (t *tail) more(f *os.File, size int64, yield func(line []byte) error) (isOther bool, err error) {
	if size < t.offset {
		return true, nil
	}
	if n := len(t.last); n > 0 {
		again := make([]byte, n)
		if _, err := f.ReadAt(again, t.offset-int64(n)); err != nil || !bytes.Equal(again, t.last) {
			return true, nil
		}
	}
	reader := bufio.NewReaderSize(io.NewSectionReader(f, t.offset, size-t.offset), 256<<10)
	for {
		line, err := readLine(reader, maxLine)
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		t.offset += int64(len(line))
		t.last = append(t.last[:0], line...)
		if err := yield(line[:len(line)-1]); err != nil {
			return false, err
		}
	}
}

// readLine reads a whole line with its end; io.EOF is the end, also in the middle of a line.
func readLine(reader *bufio.Reader, most int) ([]byte, error) {
	var line []byte
	for {
		part, err := reader.ReadSlice('\n')
		if len(line)+len(part) > most {
			return nil, fmt.Errorf("a line has more than %d bytes", most)
		}
		if err == nil && line == nil {
			return part, nil
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// lookAt reads what is new of a run. s.mu is held.
func (s *series) lookAt(p *place) error {
	for range 2 {
		again, err := s.readNew(p)
		if err != nil || !again {
			return err
		}
		s.reset()
	}
	return nil
}

// reset forgets everything but the lock.
func (s *series) reset() {
	s.metrics, s.timings, s.steps, s.findings, s.fault = tail{}, tail{}, nil, nil, ""
	s.columns, s.seconds, s.watchdog, s.isPrepared = nil, nil, nil, false
	s.generation++
}

func (s *series) readNew(p *place) (again bool, err error) {
	raw, err := p.read("run.json", maxManifest)
	if err != nil {
		return false, err
	}
	if s.isPrepared && string(raw) != s.manifestTag {
		return true, nil
	}
	if !s.isPrepared {
		if err := s.prepare(raw); err != nil {
			return false, &fault{422, fmt.Sprintf("run %.60q: run.json: %v", p.name, err)}
		}
	}
	isOther, err := s.readFile(p, "metrics.jsonl", &s.metrics, s.addRow)
	if err != nil || isOther {
		return isOther, err
	}
	return s.readFile(p, "timing.jsonl", &s.timings, s.addTiming)
}

func (s *series) readFile(p *place, name string, t *tail, yield func(line []byte) error) (isOther bool, err error) {
	f, size, err := p.open(name, maxRecords)
	if errors.Is(err, fs.ErrNotExist) {
		return t.offset > 0, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }() // it was only read
	isOther, err = t.more(f, size, yield)
	if err != nil {
		// What was read up to the damage is shown, with what is wrong.
		s.fault, err = fmt.Sprintf("%s: %v", name, err), nil
	}
	return isOther, err
}

func (s *series) prepare(raw []byte) error {
	if err := json.Unmarshal(raw, &s.manifest); err != nil {
		return err
	}
	s.raw, s.manifestTag, s.isPrepared = raw, string(raw), true
	s.columns, s.seconds = map[string]numbers{}, map[string]map[int]float64{}
	var config struct {
		Watchdog train.WatchdogOptions `json:"watchdog"`
	}
	_ = json.Unmarshal(s.manifest.Config, &config) // other kinds of runs have none: the defaults are taken
	s.watchdog = train.NewWatchdog(config.Watchdog)
	return nil
}

// addRow adds a line of metrics. A key that is no number, such as one beside a null, has no place in a curve.
func (s *series) addRow(line []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		return err
	}
	var step int
	if err := json.Unmarshal(fields["step"], &step); err != nil {
		return errors.New("step: want a whole number")
	}
	delete(fields, "step")
	n := len(s.steps)
	s.steps = append(s.steps, step)
	var values []runstore.Value
	for name, text := range fields {
		x, err := strconv.ParseFloat(string(text), 64)
		if err != nil {
			if string(text) != "null" || len(s.columns) > 400 {
				continue
			}
			x = math.NaN()
		}
		column := s.columns[name]
		if column == nil && len(s.columns) > 400 {
			continue
		}
		for len(column) < n {
			column = append(column, math.NaN())
		}
		s.columns[name] = append(column, x)
		values = append(values, runstore.Value{Name: name, Number: x})
	}
	for name, column := range s.columns {
		if len(column) == n {
			s.columns[name] = append(column, math.NaN())
		}
	}
	sort.Slice(values, func(i, j int) bool { return values[i].Name < values[j].Name })
	if s.manifest.Kind != "eval" && len(s.findings) < 500 {
		s.findings = append(s.findings, s.watchdog.Check(step, values)...)
	}
	return nil
}

func (s *series) addTiming(line []byte) error {
	var t struct {
		Step    int                `json:"step"`
		Seconds map[string]float64 `json:"seconds"`
	}
	if err := json.Unmarshal(line, &t); err != nil {
		return err
	}
	for part, seconds := range t.Seconds {
		if s.seconds[part] == nil {
			if len(s.seconds) >= 32 {
				continue
			}
			s.seconds[part] = map[int]float64{}
		}
		s.seconds[part][t.Step] = seconds
	}
	return nil
}

// rows are the numbers from a row on, as they go to the page.
type rows struct {
	Run        string             `json:"run"`
	Generation int                `json:"generation"`
	From       int                `json:"from"` // the row of the first step here
	Steps      []int              `json:"steps"`
	Columns    map[string]numbers `json:"columns"`
	Seconds    map[string]numbers `json:"seconds"`
	Findings   []train.Finding    `json:"findings"`
	Status     string             `json:"status"`
	Fault      string             `json:"fault,omitempty"`
}

// since returns the rows from one on.
func (s *series) since(name string, from int) rows {
	from = max(0, min(from, len(s.steps)))
	r := rows{Run: name, Generation: s.generation, From: from, Steps: append([]int{}, s.steps[from:]...), Columns: map[string]numbers{}, Seconds: map[string]numbers{}, Findings: append([]train.Finding{}, s.findings...), Fault: s.fault}
	for metric, column := range s.columns {
		r.Columns[metric] = append(numbers{}, column[from:]...)
	}
	for part, seconds := range s.seconds {
		column := make(numbers, 0, len(r.Steps))
		for _, step := range r.Steps {
			x, ok := seconds[step]
			if !ok {
				x = math.NaN()
			}
			column = append(column, x)
		}
		r.Seconds[part] = column
	}
	return r
}
