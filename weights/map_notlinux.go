//go:build unix && !linux

package weights

// populate does nothing: pages are mapped one by one.
func populate([]byte) {}

// adviseLarge does nothing: the system decides.
func adviseLarge([]byte) {}
