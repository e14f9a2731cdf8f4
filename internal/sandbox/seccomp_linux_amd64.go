package sandbox

import "golang.org/x/sys/unix"

const filterArch = unix.AUDIT_ARCH_X86_64

// filterTable holds the old calls of this architecture, too, which the C library still makes. clone3 is not in it: its
// flags lie in memory, where a filter cannot look, and the C library then uses clone.
var filterTable = rulesOf(plainCalls, []uint32{
	unix.SYS_OPEN, unix.SYS_STAT, unix.SYS_LSTAT, unix.SYS_NEWFSTATAT, unix.SYS_ACCESS, unix.SYS_READLINK, unix.SYS_MKDIR,
	unix.SYS_RMDIR, unix.SYS_UNLINK, unix.SYS_RENAME, unix.SYS_RENAMEAT, unix.SYS_LINK, unix.SYS_SYMLINK, unix.SYS_CHMOD,
	unix.SYS_DUP2, unix.SYS_PIPE, unix.SYS_SELECT, unix.SYS_POLL, unix.SYS_EPOLL_CREATE, unix.SYS_EPOLL_WAIT, unix.SYS_EVENTFD,
	unix.SYS_ALARM, unix.SYS_PAUSE, unix.SYS_GETPGRP, unix.SYS_TIME, unix.SYS_ARCH_PRCTL, unix.SYS_GETRLIMIT, unix.SYS_SETRLIMIT,
	unix.SYS_GETDENTS, unix.SYS_UTIME, unix.SYS_UTIMES,
})
