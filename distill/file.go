package distill

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"

	"github.com/retort-ml/retort/model"
)

// ModelHash names a teacher: the sha256, in hexadecimal, of its config, of its
// tensors' names and of their weights as little-endian float32.
func ModelHash(m *model.Model) (string, error) {
	hash := sha256.New()
	config, err := json.Marshal(m.Config())
	if err != nil {
		return "", fmt.Errorf("distill: %w", err)
	}
	hash.Write(config)
	buffer := make([]byte, 0, 1<<16)
	for _, p := range m.Parameters() {
		fmt.Fprintf(hash, "\n%s %v\n", p.Name, p.Shape)
		for _, w := range p.Data {
			bits := math.Float32bits(w)
			buffer = append(buffer, byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24))
			if len(buffer) == cap(buffer) {
				hash.Write(buffer)
				buffer = buffer[:0]
			}
		}
		hash.Write(buffer)
		buffer = buffer[:0]
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// writeWhole writes a file that is there whole or not at all, also when the
// machine stops: the text goes to a file beside it, which is synced and then
// takes its name. The rest of an earlier attempt is overwritten.
func writeWhole(path string, text []byte) error {
	temporary := path + ".tmp"
	f, err := os.Create(temporary)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes the names in a folder last. Windows has no such call.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// eachLine calls yield with each line that is not empty until it returns an
// error, which gets the name and the number of the line, counted from 1. The
// line is not yield's to keep.
func eachLine(r io.Reader, name string, yield func(line []byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	number := 0
	for lines.Scan() {
		number++
		if line := bytes.TrimSpace(lines.Bytes()); len(line) > 0 {
			if err := yield(line); err != nil {
				return fmt.Errorf("%s:%d: %w", name, number, err)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", name, number+1, err)
	}
	return nil
}
