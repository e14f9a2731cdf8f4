//go:build unix

package weights

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// processTime is the processor time that this process has used.
func processTime() time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// TestPipesAndDevicesAreRefused: nothing waits for a writer, or reads without
// an end (CVE-2024-39721), also where the path changed after the first look.
func TestPipesAndDevicesAreRefused(t *testing.T) {
	folder := t.TempDir()
	pipe := filepath.Join(folder, "pipe.gguf")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, os.DevNull, "/dev/zero"} {
		done := make(chan error, 2)
		go func() {
			_, err := Open(path)
			done <- err
			_, _, err = mapFile(path)
			done <- err
		}()
		for range 2 {
			select {
			case err := <-done:
				if err == nil || !strings.Contains(err.Error(), "not a regular file") {
					t.Errorf("%s: %v", path, err)
				}
			case <-time.After(time.Minute):
				t.Fatalf("%s: waits", path)
			}
		}
	}
}
