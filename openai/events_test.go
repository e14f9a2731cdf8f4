package openai

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func readEvents(r io.Reader, limit int) (events []Event, err error) {
	reader := NewEventReader(r, limit)
	for {
		event, err := reader.Next()
		if err == io.EOF {
			return events, nil
		}
		if err != nil {
			return events, err
		}
		events = append(events, event)
	}
}

func TestEvents(t *testing.T) {
	event := func(kind, data string) Event { return Event{kind, []byte(data)} }
	for text, want := range map[string][]Event{
		"data: a\n\ndata:b\n\n":                        {event("", "a"), event("", "b")},
		"data: a\r\n\r\ndata: b\r\n\r\n":               {event("", "a"), event("", "b")},
		"data: a\r\rdata: b\r\r":                       {event("", "a"), event("", "b")},
		": ping\n\ndata: a\n: ping\ndata: b\n\n":       {event("", "a\nb")},
		"event: error\ndata: {}\nid: 7\nretry: 10\n\n": {event("error", "{}")},
		"event: lost\n\ndata: a\n\n":                   {event("", "a")},
		"data\n\n":                                     {event("", "")},
		"data:  two spaces\n\n":                        {event("", " two spaces")},
		"\xef\xbb\xbfdata: a\n\n":                      {event("", "a")},
		"data: a":                                      {event("", "a")},
		"data: a\n":                                    {event("", "a")},
		"\n\n\n":                                       nil,
		"":                                             nil,
		"datax: a\n\ndata: x:y:z\n\n":                  {event("", "x:y:z")},
		"data: [DONE]\r\n":                             {event("", "[DONE]")},
		"data: é\xff\n\n":                              {event("", "é\xff")},
		"data: 1\n\n\n\r\n\rdata: 2\r\n\n: end without x": {event("", "1"), event("", "2")},
	} {
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text)),
			"with its end": iotest.DataErrReader(strings.NewReader(text))} {
			if got, err := readEvents(r, 100); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%q %s: got %q, %v; want %q", text, name, got, err, want)
			}
		}
	}
	for _, text := range []string{"data: " + strings.Repeat("x", 100), strings.Repeat("data: x\n", 20), strings.Repeat("y", 101), strings.Repeat(":\n", 200)} {
		if got, err := readEvents(strings.NewReader(text), 100); err == nil || !strings.Contains(err.Error(), "more than 100 bytes") {
			t.Errorf("%d bytes without an end: got %q, %v", len(text), got, err)
		}
	}
	broken := io.MultiReader(strings.NewReader("data: a\n\ndata: b"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if got, err := readEvents(broken, 100); !errors.Is(err, io.ErrUnexpectedEOF) || len(got) != 1 {
		t.Errorf("a broken stream: %q, %v", got, err)
	}
}

// An event is there as soon as its blank line is, however lines end: a reader must not wait for what follows.
func TestEventsAreNotHeldBack(t *testing.T) {
	for _, end := range []string{"\n", "\r\n", "\r"} {
		r, w := io.Pipe()
		go func() { _, _ = io.WriteString(w, "data: a"+end+end) }() // and then silence
		reader := NewEventReader(r, 100)
		if event, err := reader.Next(); err != nil || string(event.Data) != "a" {
			t.Errorf("%q: %q, %v", end, event.Data, err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// slowEvents is the definition, on the whole text.
func slowEvents(text string) (events []Event) {
	text = strings.TrimPrefix(text, "\xef\xbb\xbf")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	var kind string
	var data []string
	for _, line := range append(strings.Split(text, "\n"), "") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if data != nil {
				events = append(events, Event{kind, []byte(strings.Join(data, "\n"))})
			}
			kind, data = "", nil
		case name == "data":
			data = append(data, value)
		case name == "event":
			kind = value
		}
	}
	return events
}

func FuzzEvents(f *testing.F) {
	for _, seed := range []string{"data: a\n\n", "event: e\r\ndata: a\r\n\r\n", ": c\rdata\r\r", "\xef\xbb\xbfdata: [DONE]", "data:a\ndata:\n\n\n\rdata: b\r\n\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want := slowEvents(text)
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text))} {
			got, err := readEvents(r, 1<<20)
			if err != nil || len(got) != len(want) {
				t.Fatalf("%q %s: %d events, %v; want %d", text, name, len(got), err, len(want))
			}
			for i := range got {
				if got[i].Type != want[i].Type || string(got[i].Data) != string(want[i].Data) {
					t.Fatalf("%q %s: event %d is %q, want %q", text, name, i, got[i], want[i])
				}
			}
		}
		small, err := readEvents(strings.NewReader(text), 16)
		if err == nil && len(small) != len(want) {
			t.Fatalf("%q: %d events within 16 bytes, want %d", text, len(small), len(want))
		}
	})
}

// Whatever a server sends as a stream is a reply or an error, and joining it again is the same.
func FuzzStream(f *testing.F) {
	for _, seed := range []string{
		"data: " + strings.Join(chunks, "\n\ndata: ") + "\n\ndata: [DONE]\n\n",
		`data: {"choices":[{"index":3,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}],"content":[{"type":"text","text":"a"}]}}]}` + "\n\n",
		"event: error\ndata: {}\n\n", `data: {"error":"x"}` + "\n\n", "data: null\n\n", `data: {"choices":[null]}` + "\n\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		read := func(r io.Reader) (*ChatResponse, error) {
			a := &answer{ctx: t.Context(), scrub: func(s string) string { return s }, body: &patient{r: r, left: 1 << 20, limit: 1 << 20}}
			var joined chatJoiner
			err := a.events(true, func(data []byte) (bool, error) {
				var chunk ChatChunk
				if err := a.decode(data, &chunk); err != nil {
					return false, err
				}
				return true, joined.add(&chunk)
			})
			return joined.response(), err
		}
		whole, err := read(strings.NewReader(text))
		cut, errCut := read(iotest.OneByteReader(strings.NewReader(text)))
		if (err == nil) != (errCut == nil) || !reflect.DeepEqual(whole, cut) {
			t.Fatalf("%q: %+v, %v; byte by byte %+v, %v", text, whole, err, cut, errCut)
		}
		for i := range whole.Choices {
			if whole.Choices[i].Index != i {
				t.Fatalf("%q: choice %d has index %d", text, i, whole.Choices[i].Index)
			}
		}
	})
}
