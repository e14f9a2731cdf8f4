//go:build linux && (amd64 || arm64)

package sandbox

import "golang.org/x/sys/unix"

// Where the filter's input holds what it looks at: struct seccomp_data of linux/seccomp.h, on a little-endian machine.
const (
	numberOffset   = 0
	archOffset     = 4
	argumentOffset = 16
)

// threadOnly are the flags of clone by which a new thread differs from a new process, or from one in other namespaces.
const threadOnly = unix.CLONE_THREAD | unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_PTRACE | unix.CLONE_PARENT | unix.CLONE_VFORK

// anonymousMemoryName is the option of prctl by which the C library names its memory (PR_SET_VMA).
const anonymousMemoryName = 0x53564d41

// The requests of ioctl that set a descriptor's flags: FIONBIO, FIOCLEX and FIONCLEX of asm-generic/ioctls.h.
const nonBlocking, closeOnExec, keepOnExec = 0x5421, 0x5451, 0x5450

// guardedCalls are allowed with some arguments only.
var guardedCalls = []rule{
	{unix.SYS_CLONE, 0, threadOnly, []uint32{unix.CLONE_THREAD}},
	{unix.SYS_PRCTL, 0, ^uint32(0), []uint32{unix.PR_SET_NAME, unix.PR_GET_NAME, anonymousMemoryName}},
	{unix.SYS_IOCTL, 1, ^uint32(0), []uint32{unix.TCGETS, unix.TIOCGWINSZ, unix.TIOCINQ, nonBlocking, closeOnExec, keepOnExec}},
}

// plainCalls are what a Python program with threads, files and clocks needs. What is not here does not exist inside:
// no sockets, no new processes, no mounts, no tracing, no keys, no io_uring, no memory outside the address space.
var plainCalls = []uint32{
	unix.SYS_READ, unix.SYS_WRITE, unix.SYS_READV, unix.SYS_WRITEV, unix.SYS_PREAD64, unix.SYS_PWRITE64, unix.SYS_PREADV,
	unix.SYS_PWRITEV, unix.SYS_CLOSE, unix.SYS_CLOSE_RANGE, unix.SYS_OPENAT, unix.SYS_FSTAT, unix.SYS_STATX, unix.SYS_STATFS,
	unix.SYS_FSTATFS, unix.SYS_LSEEK, unix.SYS_FCNTL, unix.SYS_DUP, unix.SYS_DUP3, unix.SYS_PIPE2, unix.SYS_FACCESSAT,
	unix.SYS_FACCESSAT2, unix.SYS_GETCWD, unix.SYS_CHDIR, unix.SYS_FCHDIR, unix.SYS_GETDENTS64, unix.SYS_READLINKAT,
	unix.SYS_MKDIRAT, unix.SYS_UNLINKAT, unix.SYS_RENAMEAT2, unix.SYS_LINKAT, unix.SYS_SYMLINKAT, unix.SYS_FCHMOD,
	unix.SYS_FCHMODAT, unix.SYS_UTIMENSAT, unix.SYS_TRUNCATE, unix.SYS_FTRUNCATE, unix.SYS_FALLOCATE, unix.SYS_FSYNC,
	unix.SYS_FDATASYNC, unix.SYS_FLOCK, unix.SYS_UMASK, unix.SYS_FADVISE64,

	unix.SYS_MMAP, unix.SYS_MPROTECT, unix.SYS_MUNMAP, unix.SYS_MREMAP, unix.SYS_BRK, unix.SYS_MADVISE, unix.SYS_MSYNC,

	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK, unix.SYS_RT_SIGTIMEDWAIT,
	unix.SYS_RT_SIGSUSPEND, unix.SYS_RT_SIGPENDING, unix.SYS_KILL, unix.SYS_TKILL, unix.SYS_TGKILL, unix.SYS_SETITIMER,
	unix.SYS_GETITIMER, unix.SYS_RESTART_SYSCALL,

	unix.SYS_FUTEX, unix.SYS_SET_ROBUST_LIST, unix.SYS_GET_ROBUST_LIST, unix.SYS_SET_TID_ADDRESS, unix.SYS_RSEQ,
	unix.SYS_MEMBARRIER, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_SCHED_GETSCHEDULER,
	unix.SYS_SCHED_GETPARAM, unix.SYS_SCHED_GET_PRIORITY_MAX, unix.SYS_SCHED_GET_PRIORITY_MIN, unix.SYS_GETCPU,
	unix.SYS_EXIT, unix.SYS_EXIT_GROUP, unix.SYS_EXECVE, unix.SYS_WAIT4, unix.SYS_WAITID,

	unix.SYS_PSELECT6, unix.SYS_PPOLL, unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EVENTFD2,

	unix.SYS_GETPID, unix.SYS_GETPPID, unix.SYS_GETTID, unix.SYS_GETUID, unix.SYS_GETEUID, unix.SYS_GETGID, unix.SYS_GETEGID,
	unix.SYS_GETRESUID, unix.SYS_GETRESGID, unix.SYS_GETGROUPS, unix.SYS_GETPGID, unix.SYS_GETSID, unix.SYS_UNAME,
	unix.SYS_SYSINFO, unix.SYS_TIMES, unix.SYS_GETRUSAGE, unix.SYS_PRLIMIT64, unix.SYS_GETPRIORITY,
	unix.SYS_CLOCK_GETTIME, unix.SYS_CLOCK_GETRES, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_NANOSLEEP, unix.SYS_GETTIMEOFDAY,
	unix.SYS_GETRANDOM,
}

func rulesOf(calls ...[]uint32) []rule {
	list := append([]rule(nil), guardedCalls...)
	for _, numbers := range calls {
		for _, number := range numbers {
			list = append(list, rule{number: number})
		}
	}
	return list
}

// filterProgram assembles the filter: another architecture's calls kill the process, calls beyond the table do not exist
// (ENOSYS, on which the C library and Python fall back), and guarded ones with other arguments are not permitted.
func filterProgram(rules []rule) []unix.SockFilter {
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	jump := func(kind uint16, value uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | kind | unix.BPF_K, Jt: yes, Jf: no, K: value}
	}
	answer := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	refuse := func(e unix.Errno) unix.SockFilter { return answer(unix.SECCOMP_RET_ERRNO | uint32(e)) }

	program := []unix.SockFilter{
		load(archOffset), jump(unix.BPF_JEQ, filterArch, 1, 0), answer(unix.SECCOMP_RET_KILL_PROCESS),
		load(numberOffset), jump(unix.BPF_JGE, 0x40000000, 0, 1), answer(unix.SECCOMP_RET_KILL_PROCESS), // x32
	}
	for _, r := range rules {
		if r.values == nil {
			program = append(program, jump(unix.BPF_JEQ, r.number, 0, 1), answer(unix.SECCOMP_RET_ALLOW))
			continue
		}
		program = append(program, jump(unix.BPF_JEQ, r.number, 0, uint8(3+2*len(r.values))),
			load(argumentOffset+8*uint32(r.argument)),
			unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: r.mask})
		for _, value := range r.values {
			program = append(program, jump(unix.BPF_JEQ, value, 0, 1), answer(unix.SECCOMP_RET_ALLOW))
		}
		program = append(program, refuse(unix.EPERM))
	}
	return append(program, refuse(unix.ENOSYS))
}
