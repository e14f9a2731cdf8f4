package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// eachLine answers JSON lines until the input ends: answer appends the answer to
// one line, with its line break, to dst. An empty line is passed over; a wrong
// one ends the work with its number, and the answers before it are out. Whoever
// writes one line and waits for the answer gets it.
func eachLine(ctx context.Context, command string, std streams, answer func(dst, line []byte) ([]byte, error)) error {
	in, out := bufio.NewReaderSize(std.in, 1<<16), bufio.NewWriterSize(std.out, 1<<16)
	var reply []byte
	for number := 1; ; number++ {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, out.Flush())
		}
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return fmt.Errorf("%s: %w", command, err)
			}
		}
		line, readErr := in.ReadBytes('\n')
		if readErr != nil && readErr != io.EOF {
			return errors.Join(fmt.Errorf("%s: line %d: %w", command, number, readErr), out.Flush())
		}
		if len(bytes.TrimSpace(line)) > 0 {
			var err error
			if reply, err = answer(reply[:0], line); err != nil {
				return errors.Join(fmt.Errorf("%s: line %d: %w", command, number, err), out.Flush())
			}
			if _, err := out.Write(reply); err != nil {
				return fmt.Errorf("%s: %w", command, err)
			}
		}
		if readErr == io.EOF {
			return out.Flush()
		}
	}
}
