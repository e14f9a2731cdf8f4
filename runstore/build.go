package runstore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
)

// ThisBuild names the machine code of this process: the first 16 hexadecimal
// digits of its executable's sha256. Equal builds give equal bits on the same
// instruction set, which a version number does not promise.
func ThisBuild() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("runstore: this build: %w", err)
	}
	digest, _, err := digestFile(path)
	if err != nil {
		return "", fmt.Errorf("runstore: this build: %w", err)
	}
	return digest[:16], nil
}

// CheckExact returns an [*InexactError] when the run was made by another build
// or on another instruction set than the given ones.
func (m Manifest) CheckExact(build, level string) error {
	if m.Build != build {
		return &InexactError{What: "build", Got: build, Want: m.Build}
	}
	if m.Level != level {
		return &InexactError{What: "level", Got: level, Want: m.Level}
	}
	return nil
}

// digestFile returns the sha256 of a file in hexadecimal, and its length.
func digestFile(path string) (digest string, length int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer file.Close()
	return digestReader(file)
}

func digestReader(reader io.Reader) (digest string, length int64, err error) {
	hash := sha256.New()
	length, err = io.Copy(hash, reader)
	return hex.EncodeToString(hash.Sum(nil)), length, err
}
