package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/retort-ml/retort/runstore"
)

// An export for which the disk has no room leaves what was there before, and nothing else.
func TestExportOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run.parquet")
	if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := writeWhole(path, func(w io.Writer) error {
		if _, err := w.Write(make([]byte, 1000)); err != nil {
			return err
		}
		return &os.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
	})
	text, readErr := os.ReadFile(path)
	entries, dirErr := os.ReadDir(dir)
	if !errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), "\n") || string(text) != "before" || len(entries) != 1 || errors.Join(readErr, dirErr) != nil {
		t.Errorf("%v: %q, %v", err, text, entries)
	}
	if _, err := os.Stat("/dev/full"); runtime.GOOS != "linux" || err != nil {
		t.Skip("there is no /dev/full here")
	}
	root := t.TempDir()
	makeRun(t, root, "first", 8, `{}`)
	for _, arguments := range []string{"--format csv", "--format json", "--format jsonl", "--format parquet", "--format html", "--what samples --format jsonl", "--what samples --format parquet"} {
		status, stdout, stderr := retort(t, t.Context(), strings.Fields("runs --root "+root+" export first -o /dev/full "+arguments)...)
		if status != exitFailed || stdout != "" || !strings.Contains(stderr, "[disk-full]") {
			t.Errorf("%s: status %d, %q, %q", arguments, status, stdout, stderr)
		}
	}
	if info, err := os.Stat("/dev/full"); err != nil || info.Mode().IsRegular() {
		t.Fatalf("/dev/full is no device any more: %v", err)
	}
}

// An export goes through a link to the file behind it, and into what is no file.
func TestExportKeepsLinks(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if err := os.WriteFile(file, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a", link); err != nil {
		t.Skipf("no links here: %v", err)
	}
	if err := writeWhole(link, func(w io.Writer) error { _, err := io.WriteString(w, "behind"); return err }); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(link)
	if text, readErr := os.ReadFile(file); err != nil || readErr != nil || string(text) != "behind" || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("%q, %v, %v, %v", text, info, err, readErr)
	}
}

// An export that is killed leaves the file that was there before, or the new one whole.
func TestExportKilled(t *testing.T) {
	root := t.TempDir()
	r, err := runstore.Create(filepath.Join(root, "long"), runstore.Manifest{Kind: "sft", Config: []byte(`{}`), Metrics: []runstore.Metric{{Name: "loss", Unit: "nat", Formula: "mean"}}})
	if err != nil {
		t.Fatal(err)
	}
	for step := 1; step <= 1500; step++ {
		if err := errors.Join(r.AppendMetrics(step, []runstore.Value{{Name: "loss", Number: 1 / float64(step)}}), r.AppendSample(map[string]any{"text": fmt.Sprint(step)})); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(r.Finish(runstore.StatusDone), r.Close()); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"parquet", "jsonl", "html"} {
		path := filepath.Join(t.TempDir(), "long."+form)
		arguments := []string{"runs", "--root", root, "export", "long", "-o", path}
		began := time.Now()
		export := func(within time.Duration) bool {
			c := exec.CommandContext(t.Context(), os.Args[0], arguments...)
			c.Env = append(os.Environ(), asProgram+"=retort")
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			if within > 0 {
				defer time.AfterFunc(within, func() { _ = c.Process.Kill() }).Stop() // it may be over
			}
			return c.Wait() == nil
		}
		if !export(0) {
			t.Fatalf("%s: not exported", form)
		}
		took := time.Since(began)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		killed := 0
		for range 6 {
			if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
				t.Fatal(err)
			}
			done := export(took/2 + time.Duration(rand.Int64N(int64(took))))
			if !done {
				killed++
			}
			text, err := os.ReadFile(path)
			if isNew := bytes.Equal(text, whole); err != nil || !isNew && (done || string(text) != "before") {
				t.Errorf("%s: %d bytes that are neither the old nor the new file (killed: %v), %v", form, len(text), !done, err)
			}
		}
		t.Logf("%s: %d of 6 exports of %d bytes were killed", form, killed, len(whole))
	}
}
