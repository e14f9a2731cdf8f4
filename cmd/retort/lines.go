package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// maxLine is the most bytes of one line that a command reads.
const maxLine = 64 << 20

// eachLine answers JSON lines until the input ends: answer appends the answer to
// one line, with its line break, to dst. An empty line is passed over; a wrong
// one ends the work with its number, and the answers before it are out. Whoever
// writes one line and waits for the answer gets it. answer may not keep line.
func eachLine(ctx context.Context, command string, std streams, answer func(dst, line []byte) ([]byte, error)) error {
	out := bufio.NewWriterSize(std.out, 1<<16)
	var reply []byte
	err := readLines(ctx, bufio.NewReaderSize(flushingReader{std.in, out}, 1<<16), func(line []byte) error {
		var err error
		if reply, err = answer(reply[:0], line); err == nil {
			_, err = out.Write(reply)
		}
		return err
	})
	if err != nil {
		err = inputFault(fmt.Errorf("%s: %w", command, err))
	}
	if flushed := out.Flush(); err == nil && flushed != nil { // a writer that failed says so again
		err = fmt.Errorf("%s: %w", command, flushed)
	}
	return err
}

// flushingReader lets out go before it waits for in.
type flushingReader struct {
	in  io.Reader
	out *bufio.Writer
}

func (r flushingReader) Read(p []byte) (int, error) {
	if err := r.out.Flush(); err != nil {
		return 0, err
	}
	return r.in.Read(p)
}

// readLines calls yield with each line that is not empty, without the space around it, until the input or ctx ends; an
// error gets the line's number, counted from 1. yield may not keep the line.
func readLines(ctx context.Context, in *bufio.Reader, yield func(line []byte) error) error {
	var line []byte
	for number := 1; ; number++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		line = line[:0]
		var err error
		for more := true; more; more = errors.Is(err, bufio.ErrBufferFull) {
			var piece []byte
			if piece, err = in.ReadSlice('\n'); len(line)+len(piece) > maxLine {
				return fmt.Errorf("line %d: more than %d bytes without a line's end, want JSON lines", number, maxLine)
			}
			line = append(line, piece...)
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("line %d: %w", number, err)
		}
		if text := bytes.TrimSpace(line); len(text) > 0 {
			if err := yield(text); err != nil {
				return fmt.Errorf("line %d: %w", number, err)
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}
