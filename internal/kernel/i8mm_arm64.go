//go:build arm64 && !windows && !purego

package kernel

// systemHasI8MM: golang.org/x/sys/cpu asks these systems itself.
func systemHasI8MM() bool { return false }
