package model

import "testing"

// FuzzImportance reads importance matrices that no tool wrote.
func FuzzImportance(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x01\x00\x00\x00a\x02\x00\x00\x00\x02\x00\x00\x00\x00\x00\x80\x3f\x00\x00\x00\x40"))
	f.Add([]byte("\xff\xff\xff\x7f\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := parseImportance(data)
		if err != nil {
			return
		}
		total := 0
		for name, values := range found {
			total += len(name) + 4*len(values)
		}
		if total > len(data) {
			t.Errorf("%d bytes of names and values from %d", total, len(data))
		}
		if err := found.check(); err != nil {
			t.Error(err)
		}
	})
}
