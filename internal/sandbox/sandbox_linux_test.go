package sandbox_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/retort-ml/retort/internal/sandbox"
)

// script is a program of one file.
func script(text string) sandbox.Program {
	return sandbox.Program{Files: map[string]string{"main.py": text}, Main: "main.py"}
}

func TestRunGivesAProgramWhatItNeeds(t *testing.T) {
	requireSandbox(t)
	p := script(`
import ctypes, decimal, hashlib, json, os, random, re, sqlite3, statistics, sys, threading, typing, zlib
said = []
thread = threading.Thread(target=lambda: said.append("thread")); thread.start(); thread.join()
with open("/scratch/x", "w") as f: f.write("scratch")
os.write(3, b"ask\n")
print(input(), said, open("/scratch/x").read(), open("/dev/stdin").read().split(), os.read(4, 100).decode(), os.getcwd())
print("é", file=sys.stderr)
sys.exit(3)
`)
	p.Stdin = []byte("first\nsecond\n")
	var heard string
	p.Serve = func(line []byte) []byte { heard += string(line); return []byte("reply") }
	r, err := sandbox.New(sandbox.Options{}).Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if want := "first ['thread'] scratch ['first', 'second'] reply /scratch\n"; string(r.Stdout) != want || string(r.Stderr) != "é\n" {
		t.Errorf("printed %q and %q, want %q", r.Stdout, r.Stderr, want)
	}
	if heard != "ask" || r.Ending != sandbox.Exited || r.Status != 3 || r.CPU <= 0 || r.Wall <= 0 {
		t.Errorf("heard %q, result %+v", heard, r)
	}
}

// TestOneRunLeavesNothingToTheNext: the scratch folder, and threads.
func TestOneRunLeavesNothingToTheNext(t *testing.T) {
	requireSandbox(t)
	s := sandbox.New(sandbox.Options{})
	for range 2 {
		r, err := s.Run(t.Context(), script("import os\nprint(os.listdir('/scratch'))\nopen('/scratch/x', 'w').close()"))
		if err != nil || string(r.Stdout) != "[]\n" {
			t.Errorf("%q %v", r.Stdout, err)
		}
	}
}

func TestCancel(t *testing.T) {
	requireSandbox(t)
	ctx, cancel := context.WithCancel(t.Context())
	p := script("import os, time\nos.write(3, b'up\\n')\ntime.sleep(60)")
	p.Serve = func([]byte) []byte { cancel(); return nil }
	start := time.Now()
	r, err := sandbox.New(sandbox.Options{}).Run(ctx, p)
	if err != nil || r.Ending != sandbox.Cancelled || time.Since(start) > 40*time.Second {
		t.Errorf("%+v %v after %v", r, err, time.Since(start))
	}
}

// TestRefusals: nothing is run where something is missing or wrong, and the error says what.
func TestRefusals(t *testing.T) {
	requireSandbox(t)
	folder := t.TempDir()
	strange := filepath.Join(folder, "python3")
	if err := os.WriteFile(strange, []byte("#!/bin/sh\necho '{\"executable\":\"/bin/sh\",\"folders\":[\"/nowhere\"]}'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		options sandbox.Options
		program sandbox.Program
		want    string
		lacking bool
	}{
		"no python":   {sandbox.Options{Python: "python-that-is-not-there"}, script(""), "has no python-that-is-not-there", true},
		"not python":  {sandbox.Options{Python: "/bin/false"}, script(""), "does not say where its files are", true},
		"lost folder": {sandbox.Options{Python: strange}, script(""), "read-only root: /nowhere", true},
		"no main":     {sandbox.Options{}, sandbox.Program{Main: "x.py"}, `main file "x.py"`, false},
		"path":        {sandbox.Options{}, sandbox.Program{Main: "../x", Files: map[string]string{"../x": ""}}, `file name "../x"`, false},
		"limits":      {sandbox.Options{}, sandbox.Program{Limits: sandbox.Limits{CPU: -1}}, "want none below 0", false},
	} {
		_, err := sandbox.New(c.options).Run(t.Context(), c.program)
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, sandbox.ErrUnavailable) != c.lacking {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// TestNoNamespaces: where the kernel grants no namespace, nothing is run. A process in a namespace that may hold no further
// ones stands for such a kernel.
func TestNoNamespaces(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("needs root on Linux, to forbid namespaces to a child")
	}
	requireSandbox(t)
	child := exec.CommandContext(t.Context(), "sh", "-c",
		"echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --reuid 65533 --clear-groups /proc/self/fd/3 -test.run '^TestChildIsRefused$' -test.v")
	child.Dir, child.Env = "/", []string{"RETORT_SANDBOX_CHILD=refused", "PATH=/usr/bin:/bin"}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = self.Close() }() // it was only opened
	child.ExtraFiles = []*os.File{self}
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}, {ContainerID: 65533, HostID: 65533, Size: 1}}
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true}
	text, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(text), "no new namespaces") {
		t.Errorf("%v: %s", err, text)
	}
}

func TestChildIsRefused(t *testing.T) {
	if os.Getenv("RETORT_SANDBOX_CHILD") != "refused" {
		t.Skip("is run by TestNoNamespaces")
	}
	_, err := sandbox.New(sandbox.Options{}).Run(t.Context(), script("print(1)"))
	if !errors.Is(err, sandbox.ErrUnavailable) {
		t.Errorf("got %v, want a refusal", err)
	}
	t.Log(err)
}

// TestOrdinaryUser runs the same as a user who is not root.
func TestOrdinaryUser(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("needs root on Linux, to become another user; the other tests ran as an ordinary one")
	}
	requireSandbox(t)
	child := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run", "^TestChildIsOrdinary$", "-test.v")
	child.Dir = "/"
	child.Env = []string{"RETORT_SANDBOX_CHILD=ordinary", "PATH=/usr/bin:/bin"}
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65533, Gid: 65533}}
	text, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(text), "--- PASS: TestChildIsOrdinary") && !strings.Contains(string(text), "no isolation") {
		t.Errorf("%v: %s", err, text)
	}
	t.Logf("%s", text)
}

func TestChildIsOrdinary(t *testing.T) {
	if os.Getenv("RETORT_SANDBOX_CHILD") != "ordinary" {
		t.Skip("is run by TestOrdinaryUser")
	}
	requireSandbox(t)
	s := sandbox.New(sandbox.Options{})
	r, err := s.Run(t.Context(), script(`
import os, threading, time
def refused(attempt):
    try: attempt()
    except BaseException: return "denied"
    return "ok"
def bomb():
    threading.stack_size(64 << 10)
    for _ in range(1000): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print(refused(os.fork), refused(lambda: open("/x", "w")), refused(lambda: open("/etc/passwd")), refused(bomb), flush=True)
os._exit(0)
`))
	if err != nil || string(r.Stdout) != "denied denied denied denied\n" {
		t.Errorf("%+v %s %v", r, r.Stderr, err)
	}
}

// TestParentDies: when the process that started a sandbox is killed, so is the program.
func TestParentDies(t *testing.T) {
	requireSandbox(t)
	child := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run", "^TestChildDies$")
	child.Env = append(os.Environ(), "RETORT_SANDBOX_CHILD=dies")
	pipe, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 2)
	if _, err := io.ReadFull(pipe, block); err != nil || string(block) != "up" {
		t.Fatalf("%q %v", block, err)
	}
	left := foreignProcesses(t)
	if len(left) == 0 {
		t.Fatal("the program is not seen")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed
	for range 3000 {
		left = slices.DeleteFunc(left, func(pid string) bool {
			_, err := os.Readlink("/proc/" + pid + "/ns/pid") // of a dead process, there is none
			return err != nil
		})
		if len(left) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("processes are left: %v", left)
}

func TestChildDies(t *testing.T) {
	if os.Getenv("RETORT_SANDBOX_CHILD") != "dies" {
		t.Skip("is run by TestParentDies")
	}
	p := script("import os, time\nos.write(3, b'up\\n')\ntime.sleep(30)")
	p.Serve = func([]byte) []byte { _, _ = os.Stdout.WriteString("up"); return nil }
	if _, err := sandbox.New(sandbox.Options{}).Run(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}
