package grammar

import (
	"fmt"
	"math/bits"
)

func (s *schemaCompiler) array(v *value, path string) (expression, error) {
	low, err := count(v, path, "minItems", 0)
	if err != nil {
		return expression{}, err
	}
	high, err := count(v, path, "maxItems", -1)
	if err != nil {
		return expression{}, err
	}
	var list []expression
	if prefix, ok := v.get("prefixItems"); ok {
		for i := range prefix.items {
			e, err := s.of(&prefix.items[i], fmt.Sprintf("%s/prefixItems/%d", path, i))
			if err != nil {
				return expression{}, err
			}
			list = append(list, s.share(e))
		}
	}
	if e, ok, err := s.unique(v, path, low, high, len(list)); ok || err != nil {
		return e, err
	}
	item := to(anyValue)
	if items, ok := v.get("items"); ok {
		e, err := s.of(items, path+"/items")
		if err != nil {
			return expression{}, err
		}
		item = s.share(e)
		if items.kind == "boolean" && items.text == "false" && (high < 0 || high > len(list)) {
			high = len(list)
		}
	}
	if high >= 0 && high < low {
		return expression{}, fmt.Errorf("%s: at least %d items and at most %d: no array has both", path, low, high)
	}
	return all(literal("["), blank, items(list, item, low, high), literal("]")), nil
}

// items lists what stands in an array of low to high items (-1: no bound): those of list first, then item.
func items(list []expression, item expression, low, high int) expression {
	if high == 0 {
		return expression{}
	}
	comma := all(literal(","), blank)
	named := max(len(list), 1) // those that stand here one by one
	most := -1
	if high > 0 {
		named = min(named, high)
		most = high - named
	}
	rest := times(all(comma, item), max(0, low-named), most)
	for i := named - 1; i >= 0; i-- {
		e := item
		if i < len(list) {
			e = list[i]
		}
		if i > 0 {
			e = all(comma, e)
		}
		if rest = all(e, rest); i >= low {
			rest = optional(rest)
		}
	}
	return all(rest, blank)
}

// mostUnique is the most values of which an array may hold each once.
const mostUnique = 8

// unique returns the arrays of which no two items are the same, if the schema says so and it is not so anyway. A grammar can only count: the items
// must be values from a short list.
func (s *schemaCompiler) unique(v *value, path string, low, high, named int) (e expression, ok bool, err error) {
	u, has := v.get("uniqueItems")
	switch {
	case !has || u.kind == "boolean" && u.text == "false":
		return e, false, nil
	case u.kind != "boolean":
		return e, false, fmt.Errorf("%s/uniqueItems: got a %s, want true or false", path, u.kind)
	case high >= 0 && high < 2:
		return e, false, nil
	}
	item, has := v.get("items")
	var values []value
	if has {
		values, has = s.constants(item, 0)
	}
	if !has || named > 0 || len(values) > mostUnique {
		return e, false, fmt.Errorf("%s/uniqueItems: supported where items are an enum, const, boolean or null of at most %d values, or at most one", path, mostUnique)
	}
	if high < 0 || high > len(values) {
		high = len(values)
	}
	// rest[used] is what may follow once the values of the set are used.
	rest := make([]expression, 1<<len(values))
	for used := len(rest) - 1; used >= 0; used-- {
		n := bits.OnesCount(uint(used))
		var list []expression
		if n >= low {
			list = append(list, blank)
		}
		for i := range values {
			if used>>i&1 == 1 || n >= high {
				continue
			}
			one := all(literalOf(&values[i]), rest[used|1<<i])
			if n > 0 {
				one = all(literal(","), blank, one)
			}
			list = append(list, one)
		}
		rest[used] = s.share(either(list...))
	}
	return all(literal("["), blank, rest[0], literal("]")), true, nil
}
