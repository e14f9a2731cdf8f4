package runstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var errDiskFull = errors.New("no space left on device")

// faultyDisk makes the n-th call fail, and with isCrash every later one. A
// failing write leaves half of its bytes behind, as a full disk does.
type faultyDisk struct {
	countdown int
	isCrash   bool
	hit       string // the call that failed first
}

func (f *faultyDisk) fault(call string) error {
	f.countdown--
	if f.countdown == 0 {
		f.hit = call
	}
	if f.countdown == 0 || f.countdown < 0 && f.isCrash {
		return errDiskFull
	}
	return nil
}

func (f *faultyDisk) disk() disk {
	plain := quickDisk()
	return disk{
		create: func(path string) (*os.File, error) {
			if err := f.fault("create " + filepath.Base(path)); err != nil {
				return nil, err
			}
			return plain.create(path)
		},
		mkdir: func(path string) error {
			return errors.Join(f.fault("mkdir "+filepath.Base(path)), plain.mkdir(path))
		},
		writeAt: func(file *os.File, text []byte, offset int64) error {
			if err := f.fault("write " + filepath.Base(file.Name())); err != nil {
				return errors.Join(err, plain.writeAt(file, text[:len(text)/2], offset))
			}
			return plain.writeAt(file, text, offset)
		},
		sync: func(file *os.File) error {
			if err := f.fault("sync " + filepath.Base(file.Name())); err != nil {
				return err
			}
			return plain.sync(file)
		},
		truncate: func(file *os.File, length int64) error {
			if err := f.fault("truncate " + filepath.Base(file.Name())); err != nil {
				return err
			}
			return plain.truncate(file, length)
		},
		rename: func(from, to string) error {
			if err := f.fault("rename to " + filepath.Base(to)); err != nil {
				return err
			}
			return plain.rename(from, to)
		},
		remove: func(path string) error {
			if err := f.fault("remove " + filepath.Base(path)); err != nil {
				return err
			}
			return plain.remove(path)
		},
	}
}

// quickFolder returns a folder in memory where the system has one: these tests
// make thousands of files, and it is not the disk that is tested.
func quickFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "runstore-test-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// abandon lets go of a run as a killed process does: nothing is written out.
func abandon(r *Run) {
	for _, a := range []*appender{r.metrics, r.samples, r.timing} {
		a.file.Close()
	}
	r.lock.Close()
}

// steps goes on up to the last step on a disk that may fail. It stops at the
// first error that onError does not settle.
func steps(r *Run, state *toy, last int, onError func(error) error) error {
	for int(state.step) < last {
		state.advance()
		if err := state.record(r); err != nil {
			if err := onError(err); err != nil {
				return err
			}
		}
		if state.step%2 != 0 && int(state.step) != last {
			continue
		}
		for {
			err := r.Checkpoint(int(state.step), state.save)
			if err == nil {
				break
			}
			if err := onError(err); err != nil {
				return err
			}
		}
	}
	return r.Finish(StatusDone)
}

// faultyRun creates a run on the disk, trains, rewinds in between, trains
// again, and replaces the last checkpoint. A nil run means that it could not be created or opened.
func faultyRun(dir string, d disk, last int, onError func(error) error) (*Run, error) {
	r, err := create(dir, testManifest, d)
	if err != nil {
		return nil, err
	}
	var state toy
	if err := steps(r, &state, last-2, onError); err != nil {
		return r, err
	}
	state.advance()
	if err := state.record(r); err != nil {
		if err := onError(err); err != nil {
			return r, err
		}
	}
	place, _, err := r.Rewind()
	if err != nil {
		return r, err
	}
	if state, err = loadToy(place); err != nil {
		return r, err
	}
	if err := steps(r, &state, last, onError); err != nil {
		return r, err
	}
	// A second checkpoint of the same step replaces the first.
	if err := r.Checkpoint(last, state.save); err != nil {
		return r, onError(err)
	}
	return r, nil
}

func TestCrashAtEveryDiskCall(t *testing.T) {
	const last = 5
	want := uninterrupted(t, last)
	folder := quickFolder(t)
	for n := 1; ; n++ {
		fault := &faultyDisk{countdown: n, isCrash: true}
		dir := filepath.Join(folder, strconv.Itoa(n))
		r, err := faultyRun(dir, fault.disk(), last, func(err error) error { return err })
		if err == nil {
			if n < 100 {
				t.Fatalf("only %d disk calls: the faults are not injected", n)
			}
			return
		}
		if !errors.Is(err, errDiskFull) || !strings.HasPrefix(err.Error(), "runstore: ") {
			t.Fatalf("call %d (%s): %v", n, fault.hit, err)
		}
		if r != nil {
			abandon(r)
			expectConsistent(t, dir)
		}
		expectSame(t, trained(t, dir, last), want)
	}
}

func TestOneFailingDiskCallLosesNothing(t *testing.T) {
	const last = 5
	want := uninterrupted(t, last)
	folder := quickFolder(t)
	for n := 1; ; n++ {
		fault := &faultyDisk{countdown: n}
		dir := filepath.Join(folder, strconv.Itoa(n))
		failures := 0
		r, err := faultyRun(dir, fault.disk(), last, func(err error) error {
			if failures++; failures > 3 {
				return err // a failed sync is only settled by opening anew
			}
			return nil
		})
		if fault.hit == "" {
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			return
		}
		if r != nil {
			// Finish may have been the call that failed; nothing else may be open.
			if err != nil && !errors.Is(err, errDiskFull) {
				t.Fatalf("call %d (%s): %v", n, fault.hit, err)
			}
			if err := r.Close(); err != nil {
				t.Fatalf("call %d (%s): close: %v", n, fault.hit, err)
			}
			expectConsistentLines(t, dir, fmt.Sprintf("call %d (%s)", n, fault.hit))
		}
		expectSame(t, trained(t, dir, last), want)
	}
}

// expectConsistentLines: whatever failed, each step's line is there once and in
// order, because an append that failed went out with the next.
func expectConsistentLines(t *testing.T, dir, when string) {
	t.Helper()
	record, err := Read(dir)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	for i, row := range record.Rows {
		if row.Step != i+1 {
			t.Fatalf("%s: line %d holds step %d", when, i+1, row.Step)
		}
	}
}

func TestFailedAppendGoesOutWithTheNext(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	fault := &faultyDisk{}
	r, err := create(dir, testManifest, fault.disk())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.AppendMetrics(1, []Value{{"loss", 1}}); err != nil {
		t.Fatal(err)
	}
	fault.countdown = 1
	if err := r.AppendMetrics(2, []Value{{"loss", 2}}); !errors.Is(err, errDiskFull) || strings.Contains(err.Error(), "\n") {
		t.Fatalf("full disk: %v", err)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, metricsName)); !strings.HasSuffix(string(text), "}\n{\"step\":2") && !strings.Contains(string(text), "{\"st") {
		t.Fatalf("the half written line is %q", text)
	}
	if err := r.AppendMetrics(3, []Value{{"loss", 3}}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, metricsName))
	want := "{\"step\":1,\"loss\":1}\n{\"step\":2,\"loss\":2}\n{\"step\":3,\"loss\":3}\n"
	if err != nil || string(text) != want {
		t.Errorf("got %q, %v, want %q", text, err, want)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestFailedCheckpointLeavesTheEarlierOnes(t *testing.T) {
	r := newRun(t)
	for step := 1; step <= 2; step++ {
		if err := r.Checkpoint(step, new(toy).save); err != nil {
			t.Fatal(err)
		}
	}
	refusal := errors.New("no memory for the optimiser state")
	if err := r.Checkpoint(3, func(dir string) error {
		if err := new(toy).save(dir); err != nil {
			return err
		}
		return refusal
	}); !errors.Is(err, refusal) {
		t.Fatalf("got %v", err)
	}
	for fault, write := range map[string]func(dir string) error{
		"reserved":     func(dir string) error { return os.WriteFile(filepath.Join(dir, completeName), nil, 0o644) },
		"a plain file": func(dir string) error { return os.Symlink("/", filepath.Join(dir, "link")) },
	} {
		if err := r.Checkpoint(3, write); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("got %v, want an error with %q", err, fault)
		}
	}
	if _, step, ok := r.Latest(); !ok || step != 2 {
		t.Errorf("latest: got step %d, %v, want 2", step, ok)
	}
	entries, err := os.ReadDir(filepath.Join(r.Dir(), checkpointsName))
	if err != nil || len(entries) != 2 {
		t.Errorf("left %v, %v, want the two earlier checkpoints", entries, err)
	}
}

// TestReplacedCheckpointIsNeverLost crashes at every call while the only
// checkpoint is replaced: the old one or the new one must be there.
func TestReplacedCheckpointIsNeverLost(t *testing.T) {
	seen := make(map[uint64]bool)
	folder := quickFolder(t)
	for n := 1; ; n++ {
		fault := &faultyDisk{isCrash: true, countdown: 1 << 30}
		dir := filepath.Join(folder, strconv.Itoa(n))
		r, err := create(dir, testManifest, fault.disk())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Checkpoint(5, (&toy{step: 1}).save); err != nil {
			t.Fatal(err)
		}
		fault.countdown = n
		failure := r.Checkpoint(5, (&toy{step: 2}).save)
		abandon(r)
		again, err := openWith(dir, quickDisk())
		if err != nil {
			t.Fatalf("call %d (%s): %v", n, fault.hit, err)
		}
		place, _, ok := again.Latest()
		if !ok {
			t.Fatalf("call %d (%s): no checkpoint is left: %q", n, fault.hit, again.Warnings())
		}
		got, err := loadToy(place)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		if hidden, _ := filepath.Glob(filepath.Join(dir, checkpointsName, ".*")); len(hidden) != 0 {
			t.Fatalf("call %d (%s): left %v", n, fault.hit, hidden)
		}
		seen[got.step] = true
		// Once its COMPLETE has its name the new checkpoint counts.
		if strings.HasPrefix(fault.hit, "remove .step-00000005.old") && got.step != 2 {
			t.Fatalf("call %d (%s): the new checkpoint was thrown away", n, fault.hit)
		}
		if failure == nil {
			break
		}
	}
	if !seen[1] || !seen[2] {
		t.Errorf("found the checkpoints %v, want the old one and the new one, by place of the crash", seen)
	}
}

func TestCheckpointDoesNotTakeOldRests(t *testing.T) {
	r := newRun(t)
	rest := filepath.Join(r.Dir(), checkpointsName, "."+folderName(1)+".tmp", "optimizer")
	if err := os.MkdirAll(rest, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := r.Checkpoint(1, new(toy).save); err != nil {
		t.Fatal(err)
	}
}

// TestCheckpointSyncsBeforeItCounts: what a machine that stops would lose is on
// disk before the name, and the name before COMPLETE.
func TestCheckpointSyncsBeforeItCounts(t *testing.T) {
	var calls []string
	recording := quickDisk()
	recording.sync = func(file *os.File) error {
		calls = append(calls, "sync "+filepath.Base(file.Name()))
		return nil
	}
	recording.rename = func(from, to string) error {
		calls = append(calls, "rename "+filepath.Base(to))
		return os.Rename(from, to)
	}
	r, err := create(filepath.Join(t.TempDir(), "run"), testManifest, recording)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	calls = nil
	if err := r.Checkpoint(1, new(toy).save); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(calls, "\n")
	want := `sync samples.jsonl
sync metrics.jsonl
sync .step-00000001.tmp
sync optimizer
sync moments.bin
sync weights.bin
rename step-00000001
sync checkpoints
sync COMPLETE.tmp
rename COMPLETE
sync step-00000001`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFailedSyncIsNotForgotten(t *testing.T) {
	isBad := false
	bad := quickDisk()
	bad.sync = func(file *os.File) error {
		if isBad && filepath.Base(file.Name()) == metricsName {
			isBad = false
			return errDiskFull
		}
		return nil
	}
	dir := filepath.Join(t.TempDir(), "run")
	r, err := create(dir, testManifest, bad)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	isBad = true
	for range 2 {
		if err := r.Checkpoint(1, new(toy).save); !errors.Is(err, errDiskFull) {
			t.Errorf("got %v: what the disk has lost would be called safe", err)
		}
	}
	again := reopen(t, r)
	if err := again.Checkpoint(1, new(toy).save); err != nil {
		t.Errorf("opened anew: %v", err)
	}
}
