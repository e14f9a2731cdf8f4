//go:build !unix

package weights

import "os"

// mapFile reads a whole file; there is nothing to release.
func mapFile(path string) (bytes []byte, release func() error, err error) {
	bytes, err = os.ReadFile(path)
	return bytes, func() error { return nil }, err
}

// Expect does nothing: the file was read, not mapped.
func Expect([]byte) {}

// Forget does nothing: the file was read, not mapped.
func Forget([]byte) {}

// adviseLarge does nothing: the file was read, not mapped.
func adviseLarge([]byte) {}
