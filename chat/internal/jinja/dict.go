package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Dict is an ordered mapping: Python's dict.
type Dict struct {
	keys   []Value
	values []Value
	index  map[any]int // by hash key; nil while the dict is small
}

// smallDict is the most entries that are searched one after another.
const smallDict = 8

// NewDict returns an empty mapping.
func NewDict() *Dict { return &Dict{} }

// Len returns the number of entries.
func (d *Dict) Len() int { return len(d.keys) }

// Set gives the entry of a text key a value; a new key goes last.
func (d *Dict) Set(name string, value Value) { d.put(Str(name), Str(name), value) }

// Get returns the value of a text key, and false if there is none.
func (d *Dict) Get(name string) (Value, bool) {
	i := d.find(Str(name))
	if i < 0 {
		return nil, false
	}
	return d.values[i], true
}

// Copy returns a mapping of the same entries that can be changed apart from d.
func (d *Dict) Copy() *Dict {
	c := &Dict{}
	for i, key := range d.keys {
		hash, err := hashKey(key)
		if err == nil { // every key in a dict has been hashed before
			c.put(hash, key, d.values[i])
		}
	}
	return c
}

// find returns the position of the entry with the hash key, or -1.
func (d *Dict) find(hash any) int {
	if d.index != nil {
		if i, ok := d.index[hash]; ok {
			return i
		}
		return -1
	}
	for i, key := range d.keys {
		if h, err := hashKey(key); err == nil && h == hash {
			return i
		}
	}
	return -1
}

func (d *Dict) put(hash any, key, value Value) {
	if i := d.find(hash); i >= 0 {
		d.values[i] = value
		return
	}
	d.keys = append(d.keys, key)
	d.values = append(d.values, value)
	switch {
	case d.index != nil:
		d.index[hash] = len(d.keys) - 1
	case len(d.keys) > smallDict:
		d.index = make(map[any]int, 2*len(d.keys))
		for i, k := range d.keys {
			if h, err := hashKey(k); err == nil {
				d.index[h] = i
			}
		}
	}
}

// set is Python's d[key] = value.
func (d *Dict) set(key, value Value) error {
	hash, err := hashKey(key)
	if err != nil {
		return err
	}
	d.put(hash, key, value)
	return nil
}

// get is Python's d[key]: found is false where that raises KeyError.
func (d *Dict) get(key Value) (value Value, found bool, err error) {
	hash, err := hashKey(key)
	if err != nil {
		return nil, false, err
	}
	i := d.find(hash)
	if i < 0 {
		return nil, false, nil
	}
	return d.values[i], true, nil
}

// Keys of numbers and of tuples, as they hash: 1, 1.0 and True are one key.
type (
	bigKey       string
	tupleKey     string
	undefinedKey struct{}
	noneKey      struct{}
)

// hashKey returns a comparable form of a key that is the same for keys that are equal in Python.
func hashKey(v Value) (any, error) {
	switch v := v.(type) {
	case nil:
		return noneKey{}, nil
	case Str:
		return v, nil
	case Markup:
		return Str(v), nil
	case Bool:
		if v {
			return Int(1), nil
		}
		return Int(0), nil
	case Int:
		return v, nil
	case *big.Int:
		return bigKey(v.Text(62)), nil
	case Float:
		if f := float64(v); f == math.Trunc(f) && !math.IsInf(f, 0) {
			if math.Abs(f) < 1<<62 {
				return Int(f), nil
			}
			whole, _ := big.NewFloat(f).Int(nil)
			return bigKey(whole.Text(62)), nil
		}
		return v, nil
	case *Tuple:
		return hashTuple(v, 0)
	case *List, *Dict:
		return nil, typeError("unhashable type: %s", quote(typeName(v)))
	case *dictView:
		if v.kind != "dict_values" {
			return nil, typeError("unhashable type: %s", quote(v.kind))
		}
	case *undefinedValue:
		return undefinedKey{}, nil
	}
	return v, nil // functions and the like are pointers
}

// maxTupleDepth bounds the nesting of tuples that are used as keys.
const maxTupleDepth = 16

// hashTuple writes the keys of a tuple's items one after another, each with its length.
func hashTuple(t *Tuple, depth int) (any, error) {
	if depth > maxTupleDepth || len(t.items) > 1000 {
		return nil, limitError("a tuple as a key: too deep or too long")
	}
	var text strings.Builder
	for _, item := range t.items {
		var part string
		if inner, ok := item.(*Tuple); ok {
			hash, err := hashTuple(inner, depth+1)
			if err != nil {
				return nil, err
			}
			part = "t" + string(hash.(tupleKey))
		} else {
			hash, err := hashKey(item)
			if err != nil {
				return nil, err
			}
			switch hash := hash.(type) {
			case Str:
				part = "s" + string(hash)
			case Int:
				part = "i" + strconv.FormatInt(int64(hash), 10)
			case Float:
				part = "f" + formatFloat(float64(hash))
			case bigKey:
				part = "b" + string(hash)
			case noneKey:
				part = "n"
			default:
				return nil, typeError("a %s in a tuple as a key", typeName(item))
			}
		}
		if text.Len()+len(part) > 1<<16 {
			return nil, limitError("a tuple as a key: too long")
		}
		text.WriteString(strconv.Itoa(len(part)) + ":" + part)
	}
	return tupleKey(text.String()), nil
}

// remove takes the entry of a text key away.
func (d *Dict) remove(name string) {
	i := d.find(Str(name))
	if i < 0 {
		return
	}
	d.keys = append(d.keys[:i:i], d.keys[i+1:]...)
	d.values = append(d.values[:i:i], d.values[i+1:]...)
	if d.index != nil {
		d.index = make(map[any]int, len(d.keys))
		for j, key := range d.keys {
			if hash, err := hashKey(key); err == nil {
				d.index[hash] = j
			}
		}
	}
}
