package page

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
)

// stepAt reads the step of the first whole line that begins at or behind an offset, and where it begins; io.EOF if there is none.
func stepAt(f *os.File, size, offset int64) (step int, begins int64, err error) {
	reader := bufio.NewReaderSize(io.NewSectionReader(f, offset, size-offset), 16<<10)
	begins = offset
	if offset > 0 { // the rest of a line that began before
		rest, err := readLine(reader, maxLine)
		if err != nil {
			return 0, 0, err
		}
		begins += int64(len(rest))
	}
	line, err := readLine(reader, maxLine)
	if err != nil {
		return 0, 0, err
	}
	var head struct {
		Step int `json:"step"`
	}
	return head.Step, begins, json.Unmarshal(line, &head)
}

// seekStep finds where the lines of a step begin, by halving: steps ascend in the file. It returns the offset of the first line of a step of
// at least that number, size if there is none.
func seekStep(f *os.File, size int64, step int) (int64, error) {
	if first, _, err := stepAt(f, size, 0); err != nil || first >= step {
		if errors.Is(err, io.EOF) {
			return size, nil
		}
		return 0, err
	}
	low, high, found := int64(0), size, size // the line sought begins behind low, and at or before found
	for high-low > 1 {
		middle := low + (high-low)/2
		at, begins, err := stepAt(f, size, middle)
		switch {
		case errors.Is(err, io.EOF):
			high = middle
		case err != nil:
			return 0, err
		case at >= step:
			high, found = middle, min(found, begins)
		default:
			low = middle
		}
	}
	return found, nil
}

// span returns the first and the last step that samples were kept of.
func stepSpan(f *os.File, size int64) (first, last int, err error) {
	if first, _, err = stepAt(f, size, 0); err != nil {
		return 0, 0, err
	}
	// A line is at most maxLine long: the last whole one begins within two of them from the end.
	for back := int64(64 << 10); ; back *= 8 {
		from := max(0, size-back)
		last = -1
		err = eachLineFrom(f, size, from, func(_ int64, line []byte) error {
			var head struct {
				Step int `json:"step"`
			}
			if err := json.Unmarshal(line, &head); err != nil {
				return err
			}
			last = head.Step
			return nil
		})
		if last >= 0 || from == 0 || err != nil {
			return first, last, err
		}
	}
}

var errEnough = errors.New("enough has been read")

// eachLineFrom calls yield with each whole line that begins behind an offset, or at it if it is 0 or follows a line's end.
func eachLineFrom(f *os.File, size, offset int64, yield func(begins int64, line []byte) error) error {
	from := max(0, offset-1)
	reader := bufio.NewReaderSize(io.NewSectionReader(f, from, size-from), 256<<10)
	if offset > 0 {
		rest, err := readLine(reader, maxLine)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		from += int64(len(rest))
	}
	for {
		line, err := readLine(reader, maxLine)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = yield(from, line[:len(line)-1])
		}
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
		from += int64(len(line))
	}
}
