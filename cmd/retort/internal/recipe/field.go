package recipe

import (
	"encoding"
	"reflect"
	"strings"
	"unicode"
)

// field is one key of a struct.
type field struct {
	key   string
	help  string
	index []int // for reflect.Value.FieldByIndex
}

// fieldsOf lists the keys of a struct type in the order of its fields.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("recipe")
		if tag == "-" {
			continue
		}
		if f.Anonymous && f.Type.Kind() == reflect.Struct && tag == "" {
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				fields = append(fields, inner)
			}
			continue
		}
		if !f.IsExported() || !settable(f.Type) {
			continue
		}
		key := tag
		if key == "" {
			key = snakeCase(f.Name)
		}
		fields = append(fields, field{key, f.Tag.Get("help"), []int{i}})
	}
	return fields
}

func findField(t reflect.Type, key string) (field, bool) {
	for _, f := range fieldsOf(t) {
		if f.key == key {
			return f, true
		}
	}
	return field{}, false
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for _, f := range fieldsOf(t) {
		keys = append(keys, f.key)
	}
	return keys
}

// settable says whether a recipe can hold a value of the type.
func settable(t reflect.Type) bool {
	if writesText(t) {
		return true
	}
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	case reflect.Slice:
		return settable(t.Elem())
	case reflect.Struct:
		return len(fieldsOf(t)) > 0
	}
	return false
}

var (
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
)

// writesText says whether the type has its own form as text, both ways.
func writesText(t reflect.Type) bool {
	return t.Implements(textMarshaler) && reflect.PointerTo(t).Implements(textUnmarshaler)
}

// isSection says whether a type has keys of its own.
func isSection(t reflect.Type) bool { return t.Kind() == reflect.Struct && !writesText(t) }

// snakeCase turns a Go name into a key: a word begins at an upper-case letter
// that follows a lower-case one or a digit, or that ends a run of capitals.
func snakeCase(name string) string {
	runes := []rune(name)
	var b strings.Builder
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 {
			afterSmall := !unicode.IsUpper(runes[i-1])
			endsCapitals := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if afterSmall || endsCapitals {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
