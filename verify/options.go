package verify

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// The values of the options that are more than a switch. The zero value of each option is the first.
const (
	DecimalsExact   = ""        // a decimal is the number that it writes; it may end a visibly recurring fraction
	DecimalsRounded = "rounded" // a decimal of three or more digits also stands for what rounds to it
	DecimalsLoose   = "loose"   // numbers within 2 % or 0.001 are the same

	PercentHundredth = ""       // 10 % is 0.1
	PercentEither    = "either" // 10 % is 0.1 and is 10

	ListsUnordered = ""        // 1, 2 is 2, 1
	ListsOrdered   = "ordered" // it is not

	UnitsLenient   = ""         // a unit on one side only says nothing; two units must agree
	UnitsStrict    = "strict"   // a unit on one side only is wrong
	FractionsAny   = ""         // 26/36 is 13/18
	FractionsLow   = "reduced"  // the answer's fractions must be in lowest terms
	BasesDigits    = ""         // 11011 base 2 is not 27; a base on one side only says nothing
	BasesValue     = "value"    // it is
	DegreesPlain   = ""         // 135° is 135
	DegreesAngle   = "radian"   // 135° is 3π/4, too
	NamesExact     = ""         // f(x) is not f(y), y = 2 is not x = 2
	NamesAny       = "any"      // they are
	MatrixStrict   = ""         // a column is not a list
	MatrixList     = "list"     // it is
	BoxesAdjoin    = ""         // boxes joined by a comma or a conjunction are one list; else the last counts
	BoxesJoin      = "join"     // boxes are joined over any signs that are no words
	BoxesLast      = "last"     // only the last box counts
	TextExact      = ""         // words are compared as they are, without case
	TextSynonyms   = "synonyms" // Feb is February, 4 o'clock is 4
	SpacesTimes    = ""         // 1 2 is nothing
	SpacesList     = "list"     // 1 2 is a list, in order
	SetsEither     = ""         // x < 2 is (-∞, 2)
	SetsStrict     = "strict"   // an inequality is no interval
	ThoughtsClosed = ""         // no answer in <think> without its end; in channels without a final one, a box counts
	ThoughtsStrict = "strict"   // no answer without the end of the thought or a final channel
	SearchAll      = ""         // the answer may stand anywhere in the text
	SearchLatex    = "latex"    // only in LaTeX, where $...$ ends with its line
)

// Options are the conventions of a check. The zero value is the default; each field's values are the constants above.
type Options struct {
	Choice    bool   // the answer is a letter of a multiple choice
	Decimals  string // exact, rounded, loose
	Precision int    // with a value above 0, numbers that differ by less than 10^-Precision are the same
	Percent   string // hundredth, either
	Lists     string // unordered, ordered
	Units     string // lenient, strict
	Fractions string // any, reduced
	Bases     string // digits, value
	Degrees   string // plain, radian
	Names     string // exact, any
	Matrices  string // strict, list
	Boxes     string // adjoin, join, last
	Text      string // exact, synonyms
	Spaces    string // times, list
	Sets      string // either, strict
	Search    string // all, latex
	Thoughts  string // closed, strict
}

// fields maps each option's name to its field and its values beside the default, whose own name comes first.
func (o *Options) fields() map[string]struct {
	field  *string
	values []string
} {
	type entry = struct {
		field  *string
		values []string
	}
	return map[string]entry{
		"decimals": {&o.Decimals, []string{"exact", DecimalsRounded, DecimalsLoose}}, "percent": {&o.Percent, []string{"hundredth", PercentEither}},
		"lists": {&o.Lists, []string{"unordered", ListsOrdered}}, "units": {&o.Units, []string{"lenient", UnitsStrict}},
		"fractions": {&o.Fractions, []string{"any", FractionsLow}}, "bases": {&o.Bases, []string{"digits", BasesValue}},
		"degrees": {&o.Degrees, []string{"plain", DegreesAngle}}, "names": {&o.Names, []string{"exact", NamesAny}},
		"matrices": {&o.Matrices, []string{"strict", MatrixList}}, "boxes": {&o.Boxes, []string{"adjoin", BoxesJoin, BoxesLast}},
		"text": {&o.Text, []string{"exact", TextSynonyms}}, "spaces": {&o.Spaces, []string{"times", SpacesList}},
		"sets": {&o.Sets, []string{"either", SetsStrict}}, "search": {&o.Search, []string{"all", SearchLatex}}, "thoughts": {&o.Thoughts, []string{"closed", ThoughtsStrict}},
	}
}

// Set sets one option by its name, in lower case, and its value; choice takes true or false, precision a number of digits.
// An unknown name or value is an error that lists what is known.
func (o *Options) Set(name, value string) error {
	switch name {
	case "choice":
		on, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("verify: option choice: got %q, want true or false", value)
		}
		o.Choice = on
		return nil
	case "precision":
		digits, err := strconv.Atoi(value)
		if err != nil || digits < 0 || digits > 100 {
			return fmt.Errorf("verify: option precision: got %q, want a number from 0 to 100", value)
		}
		o.Precision = digits
		return nil
	}
	fields := o.fields()
	f, ok := fields[name]
	if !ok {
		names := []string{"choice", "precision"}
		for n := range fields {
			names = append(names, n)
		}
		sort.Strings(names)
		return fmt.Errorf("verify: no option %q; there are %s", name, strings.Join(names, ", "))
	}
	at := slices.Index(f.values, value)
	switch {
	case at < 0:
		return fmt.Errorf("verify: option %s: got %q, want one of %s", name, value, strings.Join(f.values, ", "))
	case at == 0:
		*f.field = ""
	default:
		*f.field = value
	}
	return nil
}

// conventions maps a convention's name in a case file to the option that grants it.
var conventions = map[string][2]string{
	"approx-decimal": {"decimals", "rounded"}, "approx-decimal-6digits": {"decimals", "rounded"}, "loose-tolerance": {"decimals", "loose"},
	"percent": {"percent", "hundredth"}, "percent-drop": {"percent", "either"}, "ordered-list": {"lists", "ordered"},
	"boxed-joining": {"boxes", "join"}, "multi-boxed-shotgun": {"boxes", "last"}, "text-synonym": {"text", "synonyms"},
	"matrix-as-list": {"matrices", "list"}, "degree-radian": {"degrees", "radian"}, "function-name": {"names", "any"},
	"space-separated-gold": {"spaces", "list"}, "unreduced-fraction": {"fractions", "reduced"},
	// Granted by default:
	"factored-form": {}, "ratio-as-number": {}, "clock-time": {}, "over-escaped-latex": {}, "multilingual": {}, "mode-flag": {},
	"base-value": {}, "units": {},
}

// SetConvention sets the options under which a case of the named convention is judged. On a recorded output (kind
// real-output) approx-decimal means the strict reading. An unknown convention is an error.
func (o *Options) SetConvention(kind, convention string) error {
	option, ok := conventions[convention]
	switch {
	case convention == "":
		return nil
	case !ok:
		return fmt.Errorf("verify: no convention %q", convention)
	case option[0] == "" || convention == "approx-decimal" && kind == "real-output":
		return nil
	}
	return o.Set(option[0], option[1])
}

// SetCase sets the options of a case from the opts field of its line: precision (digits after the point), strict (false
// lets names differ), allow_set_relation_comp, targets (latex, expr, choice) and language, which needs no option. An
// unknown key is an error.
func (o *Options) SetCase(opts []byte) error {
	if len(opts) == 0 || string(opts) == "null" {
		return nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(opts, &fields); err != nil {
		return fmt.Errorf("verify: opts: %w", err)
	}
	for key, raw := range fields {
		var err error
		var on bool
		switch key {
		case "precision":
			err = json.Unmarshal(raw, &o.Precision)
		case "strict":
			if err = json.Unmarshal(raw, &on); err == nil && !on {
				o.Names = NamesAny
			}
		case "allow_set_relation_comp":
			if err = json.Unmarshal(raw, &on); err == nil && !on {
				o.Sets = SetsStrict
			}
		case "targets":
			var targets []string
			if err = json.Unmarshal(raw, &targets); err == nil {
				o.Choice = o.Choice || slices.Contains(targets, "choice")
				if len(targets) == 1 && targets[0] == "latex" {
					o.Search = SearchLatex
				}
			}
		case "language":
		default:
			err = fmt.Errorf("unknown key; want precision, strict, allow_set_relation_comp, targets or language")
		}
		if err != nil {
			return fmt.Errorf("verify: opts: %s: %w", key, err)
		}
	}
	return nil
}
