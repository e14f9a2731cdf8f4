package hub

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"
)

// Source is a file on a server. A zero Size is not known; a hash that is "" is
// not compared. The hash of a git object is what the hub knows of a small file:
// the SHA-1 of "blob SIZE\0" and the content; it needs Size.
type Source struct {
	URL    string
	SHA256 string // 64 hexadecimal digits
	GitSHA string // 40 hexadecimal digits
	Size   int64  // bytes
}

func (s *Source) check() error {
	for _, h := range []struct {
		text   string
		digits int
	}{{s.SHA256, 2 * sha256.Size}, {s.GitSHA, 2 * sha1.Size}} {
		if h.text != "" && !isHex(h.text, h.digits) {
			return fmt.Errorf("hash %.80q: want %d hexadecimal digits", h.text, h.digits)
		}
	}
	if s.Size < 0 || s.GitSHA != "" && s.SHA256 == "" && s.Size == 0 && s.GitSHA != emptyGitSHA {
		return fmt.Errorf("size %d: want that of the file", s.Size)
	}
	return nil
}

// emptyGitSHA is git's hash of an empty file.
const emptyGitSHA = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"

func isHex(text string, digits int) bool {
	if len(text) != digits {
		return false
	}
	_, err := hex.DecodeString(text)
	return err == nil
}

// hash returns the hash to compare with, nil if there is none.
func (s *Source) hash() hash.Hash {
	switch {
	case s.SHA256 != "":
		return sha256.New()
	case s.GitSHA != "":
		h := sha1.New()
		fmt.Fprintf(h, "blob %d\x00", s.Size)
		return h
	}
	return nil
}

// want is the hash that the whole file must have.
func (s *Source) want() string {
	if s.SHA256 != "" {
		return strings.ToLower(s.SHA256)
	}
	return strings.ToLower(s.GitSHA)
}

// isAt says whether the file is at path already, by its hash.
func (s *Source) isAt(path string) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		return false, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false, errors.Join(err, notRegular(info))
	}
	h := s.hash()
	if h == nil || s.Size != 0 && info.Size() != s.Size {
		return false, nil
	}
	if _, err := io.Copy(h, file); err != nil {
		return false, err
	}
	return hex.EncodeToString(h.Sum(nil)) == s.want(), nil
}

func notRegular(info os.FileInfo) error {
	if info != nil && !info.Mode().IsRegular() {
		return errors.New("there is something that is not a file")
	}
	return nil
}
