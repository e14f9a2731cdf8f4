package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The first process's files beyond the standard ones.
const (
	channelFile = 3
	replyFile   = 4
	jobFile     = 5
	statusFile  = 6
)

// Init is the first process of a sandbox: it shuts itself in and becomes the program. It returns, with an exit status,
// only where that failed.
func Init() int {
	runtime.LockOSThread() // privileges, limits and filters belong to a thread; the program is born from this one
	status := os.NewFile(statusFile, "status")
	jobs := os.NewFile(jobFile, "job")
	if status == nil || jobs == nil {
		return 1
	}
	say := json.NewEncoder(status)
	var j job
	if err := json.NewDecoder(jobs).Decode(&j); err != nil {
		return 1 // whoever should have sent it is gone
	}
	layers, err := shutIn(&j)
	if err == nil {
		if err = say.Encode(report{Layers: layers}); err == nil {
			err = become(&j)
		}
	}
	_ = say.Encode(report{Error: err.Error()}) // if that fails too, the silence is read as a failure
	return 1
}

// shutIn takes from this process everything but the system calls that the program itself needs.
func shutIn(j *job) ([]Layer, error) {
	if os.Getpid() != 1 {
		return nil, errors.New("no process namespace: the first process is not number 1")
	}
	if err := buildRoot(j); err != nil {
		return nil, fmt.Errorf("read-only root: %w", err)
	}
	if err := setFiles(); err != nil {
		return nil, fmt.Errorf("files: %w", err)
	}
	if err := dropPrivileges(j.SecondUser); err != nil {
		return nil, fmt.Errorf("privileges: %w", err)
	}
	if err := setLimits(j); err != nil {
		return nil, fmt.Errorf("limits: %w", err)
	}
	landlock, err := restrictFiles()
	if err != nil {
		return nil, fmt.Errorf("landlock: %w", err)
	}
	if err := dieWithParent(); err != nil {
		return nil, err
	}
	user := "an ordinary user's own id, which owns nothing that is visible inside"
	if j.SecondUser {
		user = "an id that owns nothing"
	}
	return []Layer{
		{Name: "namespaces", Required: true, Active: true, Detail: "user, mount, process, network, IPC, UTS, cgroup"},
		{Name: "read-only root", Required: true, Active: true, Detail: "the interpreter and its standard library; no /proc, no /sys"},
		{Name: "no privileges", Required: true, Active: true, Detail: "no capability, none to be gained; runs as " + user},
		{Name: "limits", Required: true, Active: true, Detail: "memory, processor time, threads, file size, open files"},
		{Name: "system call filter", Required: true, Active: true, Detail: fmt.Sprintf("%d calls allowed, by seccomp", len(filterTable))},
		{Name: "Landlock", Active: landlock > 0, Detail: landlockDetail(landlock)},
	}, nil
}

// become turns this process into the program. The filter comes last: it forbids what the steps before it need. From the
// first of the final limits on, nothing may allocate, block or call into the scheduler: the Go runtime needs memory and
// threads beyond them, so these are raw calls on objects that were made before.
func become(j *job) error {
	path, err := syscall.BytePtrFromString(j.Command[0])
	if err != nil {
		return err
	}
	arguments, err := syscall.SlicePtrFromStrings(j.Command)
	if err != nil {
		return err
	}
	environment, err := syscall.SlicePtrFromStrings([]string{"HOME=" + scratchFolder, "TMPDIR=" + scratchFolder, "LANG=C.UTF-8",
		"PYTHONHASHSEED=0", "LD_LIBRARY_PATH=" + libraryFolder, "PATH=/"})
	if err != nil {
		return err
	}
	program := filterProgram(filterTable)
	filter := &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	threads := &unix.Rlimit{Cur: uint64(j.Threads), Max: uint64(j.Threads)}
	memory := &unix.Rlimit{Cur: uint64(j.Memory), Max: uint64(j.Memory)}
	steps := [...]struct {
		name             string
		call, a1, a2, a3 uintptr
	}{
		{"limit of threads", unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NPROC, address(threads)},
		{"limit of memory", unix.SYS_PRLIMIT64, 0, unix.RLIMIT_AS, address(memory)},
		{"system call filter", unix.SYS_PRCTL, unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, address(filter)},
		{"start of the interpreter", unix.SYS_EXECVE, address(path), address(&arguments[0]), address(&environment[0])},
	}
	for i := range steps {
		s := &steps[i]
		if _, _, e := unix.RawSyscall6(s.call, s.a1, s.a2, s.a3, 0, 0, 0); e != 0 {
			return fmt.Errorf("%s: %w", s.name, e)
		}
	}
	runtime.KeepAlive([]any{path, arguments, environment, program, filter, threads, memory})
	return errors.New("the interpreter did not start")
}

// setFiles puts the input in place and marks everything beyond the program's files to close when it starts.
func setFiles() error {
	input, err := unix.Open(inputFile, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Dup3(input, 0, 0); err != nil {
		return err
	}
	return unix.CloseRange(replyFile+1, 1<<31-1, unix.CLOSE_RANGE_CLOEXEC)
}

// dropPrivileges leaves no capability in any set, none that a program could gain, and, where there is one, the second user.
func dropPrivileges(second bool) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	for capability := uintptr(0); capability < 64; capability++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0); err != nil {
			if errors.Is(err, unix.EINVAL) && capability > unix.CAP_SETPCAP {
				break // beyond the last capability of this kernel
			}
			return fmt.Errorf("capability %d: %w", capability, err)
		}
	}
	// Secure bits: no root by user id, no capabilities kept over a change of user, no ambient ones; all locked.
	const secure = 0x01 | 0x02 | 0x04 | 0x08 | 0x20 | 0x40 | 0x80
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, secure, 0, 0, 0); err != nil {
		return fmt.Errorf("secure bits: %w", err)
	}
	if second {
		if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); e != 0 {
			return fmt.Errorf("groups: %w", e)
		}
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESGID, 1, 1, 1); e != 0 {
			return fmt.Errorf("group id: %w", e)
		}
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, 1, 1, 1); e != 0 {
			return fmt.Errorf("user id: %w", e)
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none, left [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	if err := unix.Capget(&header, &left[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	if left != none {
		return fmt.Errorf("capabilities are left: %v", left)
	}
	return nil
}

// setLimits sets the resource limits but those of memory and threads, which this process needs more of.
func setLimits(j *job) error {
	seconds := uint64((j.CPU + time.Second - 1) / time.Second)
	const openFiles, softStack = 64, 8 << 20
	list := []struct {
		name       string
		resource   int
		soft, hard uint64
	}{
		{"core", unix.RLIMIT_CORE, 0, 0},
		{"file size", unix.RLIMIT_FSIZE, uint64(j.Disk), uint64(j.Disk)},
		{"open files", unix.RLIMIT_NOFILE, openFiles, openFiles},
		{"locked memory", unix.RLIMIT_MEMLOCK, 0, 0},
		{"message queues", unix.RLIMIT_MSGQUEUE, 0, 0},
		{"pending signals", unix.RLIMIT_SIGPENDING, 256, 256},
		// The soft limit of the stack is also the default stack of a thread; deep recursion raises it itself.
		{"stack", unix.RLIMIT_STACK, softStack, uint64(max(j.Memory/2, softStack))},
		{"processor time", unix.RLIMIT_CPU, seconds, seconds},
	}
	for _, l := range list {
		if err := unix.Prlimit(0, l.resource, &unix.Rlimit{Cur: l.soft, Max: l.hard}, nil); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	return nil
}

// dieWithParent asks to be killed when the thread that started us ends, and makes sure that it has not ended before.
func dieWithParent() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("parent's death: %w", err)
	}
	poll := []unix.PollFd{{Fd: jobFile, Events: unix.POLLIN}}
	if _, err := unix.Poll(poll, 0); err != nil {
		return fmt.Errorf("parent's death: %w", err)
	}
	if poll[0].Revents&unix.POLLHUP != 0 {
		return errors.New("the parent is gone")
	}
	return nil
}

// address is where p points, for system calls that golang.org/x/sys has no function for. The object is on the heap, which
// does not move; the caller keeps it alive.
func address(p any) uintptr { return reflect.ValueOf(p).Pointer() }
