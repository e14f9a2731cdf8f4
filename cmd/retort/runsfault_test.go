package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
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
