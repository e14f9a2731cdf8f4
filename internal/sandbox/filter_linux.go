package sandbox

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// rule allows one system call: always, or only where an argument has one of some values under a mask.
type rule struct {
	number   uint32
	argument int      // which argument is looked at, from 0
	mask     uint32   // of its lower half
	values   []uint32 // nil allows every call
}

// installFilter puts this thread, and so the program, behind the filter. It cannot be taken off.
func installFilter() error {
	program := filterProgram(filterTable)
	header := &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, address(header), 0, 0)
	runtime.KeepAlive(header)
	return err
}
