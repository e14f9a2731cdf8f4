//go:build unix

package model

import (
	"io/fs"
	"os"
	"syscall"
)

// isOwn reports whether a file belongs to the user, and nobody else may change it.
func isOwn(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Getuid() && info.Mode().Perm()&0o022 == 0
}
