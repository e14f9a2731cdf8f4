package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// group is a control group (version 2) of one program.
type group struct {
	path   string
	folder *os.File
}

// groupMounts are where version 2 of the control groups is mounted.
var groupMounts = [...]string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}

// newGroup makes a control group below our own, or says why there is none.
func newGroup(l Limits) (*group, string) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, "no control groups: " + err.Error()
	}
	own := ""
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			own = path
		}
	}
	if own == "" {
		return nil, "no control groups of version 2"
	}
	why := "control groups of version 2 are not mounted"
	for _, mount := range groupMounts {
		parent := filepath.Join(mount, own)
		if _, err := os.Stat(filepath.Join(parent, "cgroup.controllers")); err != nil {
			continue
		}
		g, err := groupBelow(parent, l)
		if err == nil {
			return g, "limits memory and threads"
		}
		why = err.Error()
	}
	return nil, why
}

// groupBelow makes a control group with limits of memory and processes below parent.
func groupBelow(parent string, l Limits) (*group, error) {
	enabled, err := os.ReadFile(filepath.Join(parent, "cgroup.subtree_control"))
	if err != nil {
		return nil, err
	}
	if fields := " " + strings.Join(strings.Fields(string(enabled)), " ") + " "; !strings.Contains(fields, " memory ") || !strings.Contains(fields, " pids ") {
		return nil, errors.New("the control group that we are in does not give memory and pids to groups below it")
	}
	path, err := os.MkdirTemp(parent, "retort-sandbox-")
	if err != nil {
		return nil, fmt.Errorf("control group: %w", err)
	}
	g := &group{path: path}
	// The scratch folder is memory, too; some is the kernel's own.
	const kernel = 32 << 20
	for _, setting := range [...]struct{ file, value string }{
		{"memory.max", strconv.FormatInt(l.Memory+l.Disk+kernel, 10)},
		{"pids.max", strconv.Itoa(l.Threads + 16)}, // the first process has threads before it becomes the program
	} {
		if err := os.WriteFile(filepath.Join(path, setting.file), []byte(setting.value), 0o600); err != nil {
			g.remove()
			return nil, fmt.Errorf("control group: %w", err)
		}
	}
	_ = os.WriteFile(filepath.Join(path, "memory.swap.max"), []byte("0"), 0o600) // absent where nothing is swapped
	if g.folder, err = os.Open(path); err != nil {
		g.remove()
		return nil, fmt.Errorf("control group: %w", err)
	}
	return g, nil
}

func (g *group) fd() int { return int(g.folder.Fd()) }

// remove kills what is left in the group and removes it. A group can be removed only some time after its last process.
func (g *group) remove() {
	if g == nil {
		return
	}
	if g.folder != nil {
		_ = g.folder.Close() // it was only a handle
	}
	_ = os.WriteFile(filepath.Join(g.path, "cgroup.kill"), []byte("1"), 0o600) // the process namespace has killed them
	for range 50 {
		if err := os.Remove(g.path); err == nil || errors.Is(err, os.ErrNotExist) {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}
