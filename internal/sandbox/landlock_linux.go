package sandbox

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// restrictFiles lays Landlock over the mounts: files may be read and executed anywhere, written below the scratch folder
// only; no TCP port, and no signal or abstract socket leaves, where the version knows of them. It returns the version of
// Landlock, 0 where the kernel has none.
//
// Source: Documentation/userspace-api/landlock.rst of Linux.
func restrictFiles() (version int, err error) {
	n, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if e != 0 {
		return 0, nil // not built in, or not enabled
	}
	version = int(n)
	const read = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	const plain = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SYM
	const special = unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO |
		unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK
	handled, write, size := uint64(read|plain|special), uint64(read|plain), uintptr(8)
	rules := &unix.LandlockRulesetAttr{}
	if version >= 2 {
		handled |= unix.LANDLOCK_ACCESS_FS_REFER
		write |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		handled |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
		write |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 4 {
		rules.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
		size = 16
	}
	if version >= 6 {
		rules.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
		size = 24
	}
	rules.Handled_access_fs = handled
	fd, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, address(rules), size, 0)
	runtime.KeepAlive(rules)
	if e != 0 {
		return 0, fmt.Errorf("rule set: %w", e)
	}
	defer func() { _ = unix.Close(int(fd)) }() // it closes when the program starts, too
	for _, rule := range [...]struct {
		path   string
		access uint64
	}{{"/", read}, {scratchFolder, write}, {"/dev/null", unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE}} {
		if err := allowBeneath(fd, rule.path, rule.access); err != nil {
			return 0, fmt.Errorf("%s: %w", rule.path, err)
		}
	}
	if _, _, e := unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); e != 0 {
		return 0, fmt.Errorf("restrict: %w", e)
	}
	return version, nil
}

func allowBeneath(rules uintptr, path string, access uint64) error {
	parent, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(parent) }() // it closes when the program starts, too
	beneath := &unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(parent)}
	_, _, e := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, rules, unix.LANDLOCK_RULE_PATH_BENEATH, address(beneath), 0, 0, 0)
	runtime.KeepAlive(beneath)
	if e != 0 {
		return e
	}
	return nil
}

func landlockDetail(version int) string {
	if version == 0 {
		return "this kernel has none"
	}
	return fmt.Sprintf("version %d", version)
}
