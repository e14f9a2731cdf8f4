package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// setupTime bounds the preparation of a sandbox.
const setupTime = 20 * time.Second

// namespaces are the ones that a program gets for itself.
const namespaces = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
	unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// run runs a program and reports the layers that it ran behind.
func (s *Sandbox) run(ctx context.Context, p Program) (Result, []Layer, error) {
	limits, err := p.Limits.withDefaults()
	if err != nil {
		return Result{}, nil, err
	}
	if err := checkFiles(p); err != nil {
		return Result{}, nil, err
	}
	s.once.Do(func() { s.python, s.failure = findPython(context.WithoutCancel(ctx), s.options.Python) })
	if s.failure != nil {
		return Result{}, nil, s.failure
	}
	if filterTable == nil {
		return Result{}, nil, unavailable("there is no system call filter for %s", runtime.GOARCH)
	}
	user, err := planUser()
	if err != nil {
		return Result{}, nil, err
	}
	group, why := newGroup(limits)
	r := &running{limits: limits, serve: p.Serve, group: group, started: make(chan struct{})}
	defer r.release()
	j := job{
		Binds: s.python.binds(), Covered: s.python.covered(), Files: p.Files, Stdin: p.Stdin,
		Command: []string{s.python.Executable, "-B", "-s", "-X", "utf8", programFolder + "/" + p.Main},
		Memory:  limits.Memory, Output: limits.Output, Disk: limits.Disk, Threads: limits.Threads, CPU: limits.CPU,
		SecondUser: user.second,
	}
	// The program is told to die with the thread that started it, so this thread must live as long.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := r.start(user); err != nil {
		return Result{}, nil, err
	}
	result, layers, err := r.finish(ctx, j)
	if layers != nil {
		layers = append(layers, Layer{Name: "control group", Active: group != nil, Detail: why})
	}
	return result, layers, err
}

func checkFiles(p Program) error {
	for name := range p.Files {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
			return fmt.Errorf("sandbox: file name %q: want a plain name", name)
		}
	}
	if _, ok := p.Files[p.Main]; !ok {
		return fmt.Errorf("sandbox: main file %q is not among the program's files", p.Main)
	}
	return nil
}

// userPlan is who the program is outside.
type userPlan struct {
	uids, gids []syscall.SysProcIDMap
	second     bool
}

// firstSpareUser is the first of 65,536 ids far above those of people, services and containers; one of them, drawn anew for
// each program, owns no file and no other process.
const firstSpareUser = 0x5e700000

// planUser maps the sandbox's user 0 to us. If we are root, it also maps user 1 to an id that owns nothing, and the program
// is made that one: the limit on threads does not bind root, and a file that leaked in could be root's.
func planUser() (userPlan, error) {
	u := userPlan{
		uids: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		gids: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
	if os.Geteuid() != 0 {
		return u, nil
	}
	spare, real := firstSpareUser+rand.IntN(1<<16), false
	text, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return u, unavailable("/proc is needed to prepare a sandbox: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		var inside, outside, size int
		if _, err := fmt.Sscan(line, &inside, &outside, &size); err != nil {
			return u, unavailable("/proc/self/uid_map: %w", err)
		}
		if spare >= inside && spare-inside < size {
			u.uids = append(u.uids, syscall.SysProcIDMap{ContainerID: 1, HostID: spare, Size: 1})
			u.gids = append(u.gids, syscall.SysProcIDMap{ContainerID: 1, HostID: spare, Size: 1})
			u.second = true
			return u, nil
		}
		real = real || inside == 0 && outside == 0
	}
	if real {
		return u, unavailable("as root, user ids from %d are needed for programs, and this container has none", firstSpareUser)
	}
	return u, nil // root of a container that is an ordinary user outside
}

// running is a started sandbox.
type running struct {
	limits  Limits
	serve   func([]byte) []byte
	group   *group
	command *exec.Cmd
	ours    struct{ stdout, stderr, channel, replies, job, status *os.File }
	open    []*os.File
	started chan struct{}

	kill    sync.Once
	ending  atomic.Uint32 // why it was killed; Exited if it was not
	readers sync.WaitGroup
	stdout  []byte
	stderr  []byte
}

// start starts the first process. Its files: 0 nothing, 1 and 2 output, 3 the channel, 4 the replies, 5 the job, 6 the report.
func (r *running) start(user userPlan) error {
	var theirs [6]*os.File
	ours := [6]**os.File{&r.ours.stdout, &r.ours.stderr, &r.ours.channel, &r.ours.replies, &r.ours.job, &r.ours.status}
	for i := range theirs {
		read, write, err := os.Pipe()
		if err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
		r.open = append(r.open, read, write)
		if *ours[i], theirs[i] = read, write; i == 3 || i == 4 {
			*ours[i], theirs[i] = write, read
		}
	}
	r.command = &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{initName}, Env: []string{"GOMAXPROCS=1", "GOGC=off"}, Dir: "/",
		Stdout: theirs[0], Stderr: theirs[1], ExtraFiles: theirs[2:],
		SysProcAttr: &syscall.SysProcAttr{
			Cloneflags: namespaces, Setsid: true,
			UidMappings: user.uids, GidMappings: user.gids, GidMappingsEnableSetgroups: user.second,
		},
	}
	if r.group != nil {
		r.command.SysProcAttr.UseCgroupFD, r.command.SysProcAttr.CgroupFD = true, r.group.fd()
	}
	err := r.command.Start()
	for _, f := range theirs {
		_ = f.Close() // the other side of a pipe that was never written here
	}
	if err != nil {
		r.command = nil
		return unavailable("no new namespaces (user, mount, process, network): %w; this kernel or container forbids them", err)
	}
	return nil
}

// finish tells the first process its job, waits for the program's end and collects what it wrote.
func (r *running) finish(ctx context.Context, j job) (Result, []Layer, error) {
	prepared := time.AfterFunc(setupTime, func() { r.end(TimedOut) })
	defer prepared.Stop()
	stop := context.AfterFunc(ctx, func() { r.end(Cancelled) })
	defer stop()
	r.readers.Go(func() { r.stdout = r.collect(r.ours.stdout) })
	r.readers.Go(func() { r.stderr = r.collect(r.ours.stderr) })
	r.readers.Go(func() { r.talk() })
	text, err := json.Marshal(j)
	if err != nil {
		return Result{}, nil, fmt.Errorf("sandbox: %w", err)
	}
	_, sendErr := r.ours.job.Write(text) // it stays open: its end tells the first process that we are gone
	layers, err := readReports(r.ours.status)
	begin := time.Now()
	if !prepared.Stop() && err == nil {
		err = fmt.Errorf("the preparation took over %v", setupTime)
	}
	if err == nil && sendErr != nil {
		err = sendErr
	}
	if err != nil {
		r.end(Cancelled)
	}
	limit := time.AfterFunc(r.limits.Wall, func() { r.end(TimedOut) })
	waitErr := r.command.Wait()
	limit.Stop()
	wall := time.Since(begin)
	_ = r.ours.replies.Close() // nobody reads it any more
	r.readers.Wait()
	switch {
	case err != nil && ctx.Err() != nil:
		return Result{}, layers, ctx.Err()
	case err != nil:
		return Result{}, layers, unavailable("%w", err)
	}
	var exit *exec.ExitError
	if waitErr != nil && !errors.As(waitErr, &exit) {
		return Result{}, layers, fmt.Errorf("sandbox: %w", waitErr)
	}
	return r.result(wall), layers, nil
}

// result says how the program ended.
func (r *running) result(wall time.Duration) Result {
	state := r.command.ProcessState
	result := Result{Stdout: r.stdout, Stderr: r.stderr, CPU: state.UserTime() + state.SystemTime(), Wall: wall}
	result.Ending = Ending(r.ending.Load())
	if result.Ending != Exited {
		return result
	}
	// The kernel charges the limit by ticks, and reports the time exactly: the two differ by some percent. Nobody inside can
	// send a SIGKILL to the first process of a namespace.
	status, _ := state.Sys().(syscall.WaitStatus)
	switch {
	case result.CPU > r.limits.CPU+r.limits.CPU/10, status.Signaled() && status.Signal() == syscall.SIGKILL && result.CPU > r.limits.CPU*8/10:
		result.Ending = TimedOut
	case status.Signaled():
		result.Ending, result.Status = Killed, int(status.Signal())
	default:
		result.Status = status.ExitStatus()
	}
	return result
}

// end kills the program, and by that everything in its namespace.
func (r *running) end(why Ending) {
	r.kill.Do(func() {
		r.ending.Store(uint32(why))
		_ = r.command.Process.Kill() // it may have ended by itself
	})
}

// release closes the files and removes the control group; it kills what a failure left.
func (r *running) release() {
	if r.command != nil && r.command.ProcessState == nil {
		r.end(Cancelled)
		_ = r.command.Wait() // the failure before it says more
	}
	for _, f := range r.open {
		_ = f.Close() // pipes
	}
	r.group.remove()
}

// collect reads a pipe to its end, and kills the program where it writes beyond the limit.
func (r *running) collect(pipe *os.File) []byte {
	var text bytes.Buffer
	n, err := io.Copy(&text, io.LimitReader(pipe, r.limits.Output))
	if err == nil && n == r.limits.Output {
		if extra, _ := pipe.Read(make([]byte, 1)); extra > 0 {
			r.end(TooMuch)
		}
	}
	return text.Bytes()
}

// talk serves the channel. A reply that the program does not read is given up when the program ends.
func (r *running) talk() {
	var line []byte
	block := make([]byte, 64<<10)
	for left := r.limits.Output; ; {
		n, err := r.ours.channel.Read(block)
		if left -= int64(n); left < 0 {
			r.end(TooMuch)
			return
		}
		for rest := block[:n]; len(rest) > 0; {
			at := bytes.IndexByte(rest, '\n')
			if at < 0 {
				line = append(line, rest...)
				break
			}
			line = append(line, rest[:at]...)
			if r.serve != nil {
				if reply := r.serve(line); reply != nil {
					if _, err := r.ours.replies.Write(reply); err != nil {
						return // the program is gone, or has closed its side
					}
				}
			}
			line, rest = line[:0], rest[at+1:]
		}
		if err != nil {
			return
		}
	}
}

// readReports reads what the first process says until it has become the program.
func readReports(status io.Reader) ([]Layer, error) {
	decoder := json.NewDecoder(status)
	var layers []Layer
	for {
		var one report
		switch err := decoder.Decode(&one); {
		case errors.Is(err, io.EOF) && layers == nil:
			return nil, errors.New("the first process of the sandbox died before it was ready (if this is a test, its TestMain must call sandbox.Init)")
		case errors.Is(err, io.EOF):
			return layers, nil
		case err != nil:
			return nil, fmt.Errorf("the first process of the sandbox: %w", err)
		case one.Error != "":
			return layers, errors.New(one.Error)
		}
		layers = one.Layers
	}
}
