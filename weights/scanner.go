package weights

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// scanner reads the small part of JSON that headers and indexes are made of,
// in one pass. encoding/json is not enough: it takes the last of two equal
// names in silence, and needs ten times as long for a hostile header.
type scanner struct {
	text []byte
	pos  int
}

const (
	maxSkipDepth = 16   // nesting of a value that is skipped
	maxKeyBytes  = 1024 // of a name, so that an error can show it
)

// next returns the next byte that is not white space without taking it, 0 at
// the end.
func (s *scanner) next() byte {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) expect(want byte) error {
	got := s.next()
	if got == want {
		s.pos++
		return nil
	}
	if s.pos >= len(s.text) {
		return fmt.Errorf("byte %d: JSON ends where %q is wanted", s.pos, want)
	}
	return fmt.Errorf("byte %d: got %q, want %q", s.pos, got, want)
}

// end says whether nothing but white space is left.
func (s *scanner) end() error {
	if s.next(); s.pos < len(s.text) {
		return fmt.Errorf("byte %d: %q after the JSON object", s.pos, s.text[s.pos])
	}
	return nil
}

// object reads {"key": value, ...} and calls value for each key; value must
// read exactly the key's value. Equal keys are the callback's affair. The key
// is not the callback's to keep.
func (s *scanner) object(value func(key []byte) error) error {
	return s.list('{', '}', func() error {
		key, err := s.text1()
		if err != nil {
			return err
		}
		if len(key) > maxKeyBytes {
			return fmt.Errorf("byte %d: name of %d bytes, want at most %d", s.pos, len(key), maxKeyBytes)
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		return value(key)
	})
}

// list reads open item , item , ... close.
func (s *scanner) list(open, close byte, item func() error) error {
	if err := s.expect(open); err != nil {
		return err
	}
	if s.next() == close {
		s.pos++
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		if s.next() == close {
			s.pos++
			return nil
		}
		if err := s.expect(','); err != nil {
			return err
		}
	}
}

// text1 reads one string. The bytes may be a part of the scanned text.
func (s *scanner) text1() ([]byte, error) {
	if err := s.expect('"'); err != nil {
		return nil, err
	}
	begin := s.pos
	for {
		offset := bytes.IndexByte(s.text[s.pos:], '"')
		if offset < 0 {
			return nil, fmt.Errorf("byte %d: string does not end", begin)
		}
		s.pos += offset + 1
		// The quote ends the string unless an odd count of backslashes precedes it.
		backslashes := 0
		for s.text[s.pos-2-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return unquote(s.text[begin-1:s.pos], begin)
		}
	}
}

// unquote turns a JSON string with its quotes into text.
func unquote(raw []byte, place int) ([]byte, error) {
	isPlain := true
	for _, c := range raw {
		if c < ' ' {
			return nil, fmt.Errorf("byte %d: control character in a string", place)
		}
		isPlain = isPlain && c < utf8.RuneSelf && c != '\\'
	}
	if isPlain {
		return raw[1 : len(raw)-1], nil
	}
	if !utf8.Valid(raw) {
		return nil, fmt.Errorf("byte %d: string is not UTF-8", place)
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, fmt.Errorf("byte %d: %w", place, err)
	}
	return []byte(text), nil
}

// texts reads an object of at most limit strings.
func (s *scanner) texts(limit int) (map[string]string, error) {
	texts := make(map[string]string)
	err := s.object(func(key []byte) error {
		if len(texts) == limit {
			return fmt.Errorf("byte %d: more than %d texts", s.pos, limit)
		}
		if _, ok := texts[string(key)]; ok {
			return fmt.Errorf("name %q: appears twice", key)
		}
		name := string(key)
		value, err := s.text1()
		texts[name] = string(value)
		return err
	})
	return texts, err
}

// integers appends an array of at most limit integers, each from 0 to the range
// of int, to numbers, which is empty.
func (s *scanner) integers(numbers []int, limit int) ([]int, error) {
	err := s.list('[', ']', func() error {
		if len(numbers) == limit {
			return fmt.Errorf("byte %d: more than %d numbers", s.pos, limit)
		}
		n, err := s.integer()
		numbers = append(numbers, n)
		return err
	})
	return numbers, err
}

func (s *scanner) integer() (int, error) {
	s.next()
	begin, n := s.pos, 0
	for ; s.pos < len(s.text) && '0' <= s.text[s.pos] && s.text[s.pos] <= '9'; s.pos++ {
		digit := int(s.text[s.pos] - '0')
		if n > (math.MaxInt-digit)/10 {
			return 0, fmt.Errorf("byte %d: number beyond %d", begin, math.MaxInt)
		}
		n = n*10 + digit
	}
	if s.pos == begin || (s.pos > begin+1 && s.text[begin] == '0') {
		return 0, fmt.Errorf("byte %d: want an integer without sign, point and leading zeros", begin)
	}
	return n, nil
}

// skip reads any value and forgets it.
func (s *scanner) skip(depth int) error {
	if depth > maxSkipDepth {
		return errors.New("nested too deeply")
	}
	switch s.next() {
	case '{':
		return s.object(func([]byte) error { return s.skip(depth + 1) })
	case '[':
		return s.list('[', ']', func() error { return s.skip(depth + 1) })
	case '"':
		_, err := s.text1()
		return err
	}
	begin := s.pos
	for s.pos < len(s.text) && bytes.IndexByte([]byte(" \t\r\n,]}"), s.text[s.pos]) < 0 {
		s.pos++
	}
	if !json.Valid(s.text[begin:s.pos]) {
		return fmt.Errorf("byte %d: not a JSON value", begin)
	}
	return nil
}
