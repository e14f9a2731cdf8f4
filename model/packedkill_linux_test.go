package model

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The environment by which a test has itself run again as a writer.
const (
	writerFile   = "RETORT_TEST_WRITER_FILE"
	writerCopies = "RETORT_TEST_WRITER_COPIES"
	writerLimit  = "RETORT_TEST_WRITER_LIMIT"
)

// TestPackedWriter is no test of its own: it writes copies again and again until it is killed, or one on a disk that is full after 100 KB.
func TestPackedWriter(t *testing.T) {
	path := os.Getenv(writerFile)
	if path == "" {
		t.Skip("run by other tests")
	}
	if os.Getenv(writerLimit) != "" {
		signal.Ignore(unix.SIGXFSZ)
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 100_000, Max: 100_000}); err != nil {
			t.Fatal(err)
		}
		_, p := loadFrom(t, path, os.Getenv(writerCopies))
		if err := p.Keep(t.Context()); err == nil || !errors.Is(err, unix.EFBIG) {
			t.Errorf("got %v, want that the file became too large", err)
		}
		return
	}
	for {
		_, p := loadFrom(t, path, os.Getenv(writerCopies))
		p.Used = false
		if err := p.Keep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func writer(t *testing.T, path, copies string, more ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run", "^TestPackedWriter$")
	c.Env = append(append(os.Environ(), writerFile+"="+path, writerCopies+"="+copies), more...)
	return c
}

// Killed at any moment a writer leaves no copy or a whole one.
func TestPackedKilled(t *testing.T) {
	path, copies := mixedFile(t, 1), t.TempDir()
	anew, _ := loadFrom(t, path, "")
	used := 0
	for i := range 6 {
		c := writer(t, path, copies)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(60+37*i) * time.Millisecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // it was killed
		m, p := loadFrom(t, path, copies)
		if p.Fault != nil {
			t.Errorf("killed in round %d: %v", i, p.Fault)
		}
		samePanels(t, anew, m)
		if p.Used {
			used++
		}
	}
	t.Logf("a copy was there after %d of 6", used)
}

// On a full disk there is no copy, an error that says so, and no beginning of one.
func TestPackedDiskFull(t *testing.T) {
	path, copies := mixedFile(t, 1), t.TempDir()
	out, err := writer(t, path, copies, writerLimit+"=1").CombinedOutput()
	if err != nil || strings.Contains(string(out), "SKIP") {
		t.Errorf("%v\n%s", err, out)
	}
	if list, err := os.ReadDir(copies); err != nil && !errors.Is(err, fs.ErrNotExist) || len(list) != 0 {
		t.Errorf("%v is left, %v", list, err)
	}
}

// A mapping ends when nobody reads the model any more.
func TestPackedUnmapped(t *testing.T) {
	path, copies := mixedFile(t, 1), t.TempDir()
	_, p := loadFrom(t, path, copies)
	if err := p.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	name := p.Path
	mappings := func() int {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Skip(err)
		}
		return strings.Count(string(maps), name)
	}
	for range 20 {
		m, q := loadFrom(t, path, copies)
		if !q.Used || mappings() == 0 {
			t.Fatalf("not mapped: %v", q.Fault)
		}
		runtime.KeepAlive(m)
	}
	for range 1000 {
		runtime.GC()
		if mappings() == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%d mappings of models that nobody has", mappings())
}
