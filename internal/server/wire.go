package server

import (
	"fmt"
	"net/http"
	"time"
)

// patience is how long a client may take to read what is written to it.
const patience = time.Minute

// line is the connection to a client, on which a reply is begun once.
type line struct {
	w       http.ResponseWriter
	control *http.ResponseController
	began   time.Time
	last    time.Time // when something was sent
	until   time.Time // the deadline of writes
	started bool
	kind    string // content type
}

func newLine(w http.ResponseWriter, kind string) line {
	return line{w: w, control: http.NewResponseController(w), began: time.Now(), last: time.Now(), kind: kind}
}

// start sends the headers.
func (l *line) start() {
	if l.started {
		return
	}
	l.started = true
	h := l.w.Header()
	h.Set("Content-Type", l.kind)
	h.Set("X-Accel-Buffering", "no") // proxies hold streams back otherwise
	l.w.WriteHeader(http.StatusOK)
}

// write sends text, headers first.
func (l *line) write(text []byte) error {
	l.start()
	l.extend()
	if _, err := l.w.Write(text); err != nil {
		return fmt.Errorf("the client reads no more: %w", err)
	}
	return nil
}

// flush makes what was written leave.
func (l *line) flush() error {
	if !l.started {
		return nil
	}
	l.last = time.Now()
	return l.control.Flush()
}

// extend gives the client time to read. It costs a call to the kernel's timers, and so is not done for each token.
func (l *line) extend() {
	now := time.Now()
	if l.until.Sub(now) > patience/2 {
		return
	}
	l.until = now.Add(patience)
	_ = l.control.SetWriteDeadline(l.until) // a writer without deadlines has no slow clients
}

// done ends the reply; the connection may serve another one.
func (l *line) done() {
	if l.started {
		_ = l.control.Flush() // the handler returns now, and would do it anyway
		_ = l.control.SetWriteDeadline(time.Time{})
	}
}

// stream is a reply of server-sent events.
type stream struct {
	line
	ping    time.Duration
	dialect dialect
}

func (s *Server) newStream(w http.ResponseWriter, d dialect) stream {
	return stream{newLine(w, "text/event-stream"), s.options.Ping, d}
}

// fail sends a fault within the stream, or leaves it to the status if nothing was sent.
func (s *stream) fail(err error) error {
	if !s.started {
		return err
	}
	name := ""
	if s.dialect == dialectAnthropic {
		name = "error"
	}
	if s.event(name, asFault(err).body(s.dialect)) == nil {
		s.done()
	}
	return nil
}

// event sends one event. name may be "".
func (s *stream) event(name string, v any) error {
	text, err := encode(v)
	if err != nil {
		return err
	}
	if name != "" {
		text = append([]byte("event: "+name+"\ndata: "), text...)
	} else {
		text = append([]byte("data: "), text...)
	}
	return s.write(append(text, '\n', '\n'))
}

// comment sends a line that clients pass over.
func (s *stream) comment(text string) error {
	if err := s.write([]byte(": " + text + "\n\n")); err != nil {
		return err
	}
	return s.flush()
}

func (s *stream) waiting(place int) error { return s.comment(fmt.Sprintf("queue %d", place)) }

func (s *stream) tick() error {
	if time.Since(s.last) < s.ping {
		return nil
	}
	return s.comment("ping")
}

// whole is a reply of one JSON value, before which spaces are sent when it takes long: some clients give up on a server that sends nothing for 300 s.
type whole struct {
	line
	ping, after time.Duration
	dialect     dialect
}

func (s *Server) newWhole(w http.ResponseWriter, d dialect) whole {
	return whole{newLine(w, "application/json"), s.options.Ping, s.options.PadAfter, d}
}

func (o *whole) waiting(int) error { return o.tick() }

func (o *whole) tick() error {
	silence := o.ping
	if !o.started {
		silence = o.after
	}
	if time.Since(o.last) < silence {
		return nil
	}
	if err := o.write([]byte(" ")); err != nil {
		return err
	}
	return o.flush()
}

func (o *whole) flush() error { return o.line.flush() }

// reply sends the value.
func (o *whole) reply(v any) error {
	text, err := encode(v)
	if err != nil {
		return err
	}
	if err := o.write(append(text, '\n')); err != nil {
		return err
	}
	o.done()
	return nil
}

// fail sends a fault, under the status that went out already if one has.
func (o *whole) fail(err error) error {
	if !o.started {
		return err
	}
	return o.reply(asFault(err).body(o.dialect))
}

// sinceLast is how long nothing was sent.
func sinceLast(l *line) time.Duration { return time.Since(l.last) }
