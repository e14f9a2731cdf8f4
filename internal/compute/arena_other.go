//go:build !linux

package compute

// largePages does nothing: the system decides.
func largePages([]byte) {}
