//go:build unix

package weights

import (
	"errors"
	"fmt"
	"math"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapFile maps a whole regular file for reading. release unmaps it.
func mapFile(path string) (bytes []byte, release func() error, err error) {
	// Without O_NONBLOCK the opening of a pipe waits for its writer, were it put
	// in place of the file after the caller has looked.
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, errors.New("not a regular file")
	}
	size := info.Size()
	if size == 0 {
		return nil, func() error { return nil }, nil
	}
	if size > math.MaxInt {
		return nil, nil, fmt.Errorf("file of %d bytes cannot be mapped", size)
	}
	bytes, err = unix.Mmap(int(file.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("map %d bytes: %w", size, err)
	}
	return bytes, func() error { return unix.Munmap(bytes) }, nil
}

// Expect tells the system that all of data, bytes of a mapped file, is about to be read.
func Expect(data []byte) {
	if pages := wholePages(data); len(pages) > 0 {
		populate(pages)
	}
}

// Forget lets the system take back the memory that holds the whole pages of data, a tensor's bytes in a mapped file. The data stays valid: it is read from
// the file again when it is next looked at.
func Forget(data []byte) {
	if pages := wholePages(data); len(pages) > 0 {
		_ = unix.Madvise(pages, unix.MADV_DONTNEED) // advice: nothing is lost if it is not taken
	}
}

// wholePages is the part of data that lies in pages of its own.
func wholePages(data []byte) []byte {
	page := os.Getpagesize()
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(data)))) & (page - 1)
	if skip >= len(data) {
		return nil
	}
	return data[skip : skip+(len(data)-skip)/page*page]
}
