package jinja

import (
	"math/big"
)

// Value is a Python value: nil (None), Bool, Int or *big.Int, Float, Str or Markup, *List, *Tuple, *Dict, and the things
// that only a template makes.
type Value any

// Bool is Python's bool, a kind of integer.
type Bool bool

// Int is an integer that fits 64 bits; a larger one is a *big.Int.
type Int int64

// Float is Python's float.
type Float float64

// Str is a text, valid UTF-8; positions and lengths count code points.
type Str string

// Markup is a text that is marked as safe HTML: text that is joined to it is escaped.
type Markup string

// List is a sequence. The sandbox refuses every method that would change one.
type List struct{ items []Value }

// Tuple is a fixed sequence.
type Tuple struct {
	items []Value
	group bool // what groupby yields: a pair with names
}

// namespaceValue is an object whose attributes may be set.
type namespaceValue struct{ attributes *Dict }

// undefinedValue is what an unknown name yields: it prints as nothing, and most else that is done with it raises.
type undefinedValue struct {
	message string
	kind    string // of the error; UndefinedError
}

// rangeValue is Python's range.
type rangeValue struct{ start, stop, step, length int64 }

// dictView is what keys, values and items of a dict return.
type dictView struct {
	dict *Dict
	kind string // dict_keys, dict_values or dict_items
}

// function is a function of the environment, or a method with its object.
type function struct {
	name   string
	method bool
	call   func(m *machine, a arguments) (Value, error)
}

// NewList returns a list of items, which it keeps.
func NewList(items []Value) *List { return &List{items} }

func newUndefined(name string) *undefinedValue {
	return &undefinedValue{message: quote(name) + " is undefined"}
}

func (u *undefinedValue) raise() error {
	if u.kind != "" {
		return raise(u.kind, "%s", u.message)
	}
	return raise("UndefinedError", "%s", u.message)
}

// undefinedElement is the result of a lookup that found nothing.
func undefinedElement(of, name Value) *undefinedValue {
	key, ok := textOf(name)
	if !ok {
		return &undefinedValue{message: objectName(of) + " has no element " + shortRepr(name)}
	}
	return &undefinedValue{message: quote(objectName(of)) + " has no attribute " + quote(key)}
}

// objectName is how an error of a lookup names the object.
func objectName(v Value) string {
	if v == nil {
		return "None"
	}
	switch v.(type) {
	case *namespaceValue:
		return "jinja2.utils.Namespace object"
	case *loopValue:
		return "jinja2.runtime.LoopContext object"
	case *macroValue:
		return "jinja2.runtime.Macro object"
	}
	return typeName(v) + " object"
}

// textOf returns the text of a Str or a Markup.
func textOf(v Value) (string, bool) {
	switch v := v.(type) {
	case Str:
		return string(v), true
	case Markup:
		return string(v), true
	}
	return "", false
}

// like returns text as the kind of text that of is.
func like(of Value, text string) Value {
	if _, ok := of.(Markup); ok {
		return Markup(text)
	}
	return Str(text)
}

// typeName is the name of the value's Python type.
func typeName(v Value) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case Bool:
		return "bool"
	case Int, *big.Int:
		return "int"
	case Float:
		return "float"
	case Str:
		return "str"
	case Markup:
		return "Markup"
	case *List:
		return "list"
	case *Tuple:
		return "tuple"
	case *Dict:
		return "dict"
	case *undefinedValue:
		return "Undefined"
	case *rangeValue:
		return "range"
	case *dictView:
		return v.kind
	case *generator:
		return v.kind
	case *namespaceValue:
		return "Namespace"
	case *loopValue:
		return "LoopContext"
	case *macroValue:
		return "Macro"
	case *cyclerValue:
		return "Cycler"
	case *joinerValue:
		return "Joiner"
	case *function:
		if v.method {
			return "builtin_function_or_method"
		}
		return "function"
	}
	return "object"
}

// truth is Python's bool(v).
func (m *machine) truth(v Value) (bool, error) {
	switch v := v.(type) {
	case nil:
		return false, nil
	case Bool:
		return bool(v), nil
	case Int:
		return v != 0, nil
	case Float:
		return v != 0, nil
	case *undefinedValue:
		return false, nil
	case *big.Int, *generator, *namespaceValue, *macroValue, *function, *cyclerValue, *joinerValue:
		return true, nil
	}
	n, err := m.length(v)
	return n != 0, err
}

// length is Python's len(v).
func (m *machine) length(v Value) (int, error) {
	switch v := v.(type) {
	case Str:
		return m.countRunes(string(v))
	case Markup:
		return m.countRunes(string(v))
	case *List:
		return len(v.items), nil
	case *Tuple:
		return len(v.items), nil
	case *Dict:
		return len(v.keys), nil
	case *dictView:
		return len(v.dict.keys), nil
	case *rangeValue:
		return int(v.length), nil
	case *undefinedValue:
		return 0, nil
	case *loopValue:
		return v.count(m)
	}
	return 0, typeError("object of type %s has no len()", quote(typeName(v)))
}

// same is Python's `is`.
func same(a, b Value) bool {
	switch a := a.(type) {
	case *big.Int:
		return false
	case Float:
		other, ok := b.(Float)
		return ok && a == other
	}
	if _, ok := b.(*big.Int); ok {
		return false
	}
	return a == b
}
