package openai

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// Event is one event of a text/event-stream.
type Event struct {
	Type string // "" stands for message
	Data []byte // the data lines, joined by line ends; the caller's own
}

// EventReader reads server-sent events (WHATWG HTML, 9.2). Lines end with LF, CR or CRLF, comments are passed over, and what
// is read does not depend on how the bytes were cut. It differs in one thing: the last event needs no blank line, since
// servers forget it.
type EventReader struct {
	r       *bufio.Reader
	limit   int
	skipLF  bool // the last line ended with CR
	started bool
}

// NewEventReader reads events of at most limit bytes each, comments included.
func NewEventReader(r io.Reader, limit int) *EventReader {
	return &EventReader{r: bufio.NewReader(r), limit: limit}
}

// Next returns the next event that has data, io.EOF after the last one, or what the reader says.
func (e *EventReader) Next() (Event, error) {
	event := Event{Data: []byte{}}
	hasData, size := false, 0
	for {
		line, err := e.line(e.limit - size)
		if err != nil && err != io.EOF {
			return Event{}, err
		}
		size += len(line) + 1
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "data":
			if hasData {
				event.Data = append(event.Data, '\n')
			}
			event.Data, hasData = append(event.Data, value...), true
		case "event":
			event.Type = string(value)
		}
		if len(line) > 0 && err == nil {
			continue
		}
		if hasData {
			return event, nil // the end of the stream is found again by the next call
		}
		if err != nil {
			return Event{}, err
		}
		event, size = Event{Data: []byte{}}, 0
	}
}

// line returns a line without its end; with io.EOF, what stands behind the last end.
func (e *EventReader) line(limit int) ([]byte, error) {
	var line []byte
	for {
		b, err := e.r.ReadByte()
		if err != nil {
			return e.whole(line), err
		}
		if e.skipLF {
			// A CR ends its line at once. Waiting for the LF that may follow would hold an event back.
			e.skipLF = false
			if b == '\n' {
				continue
			}
		}
		switch b {
		case '\r':
			e.skipLF = true
			fallthrough
		case '\n':
			return e.whole(line), nil
		}
		if len(line) >= limit {
			return nil, fmt.Errorf("openai: an event of the stream has more than %d bytes", e.limit)
		}
		line = append(line, b)
	}
}

// whole returns a line, the first without the byte order mark.
func (e *EventReader) whole(line []byte) []byte {
	if !e.started {
		e.started = true
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	return line
}
