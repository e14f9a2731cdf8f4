package verify

import (
	"slices"
	"strconv"
	"strings"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// unit is what a unit measures and how many of the dimension's base unit it is.
type unit struct {
	dimension string
	scale     rat.Rat
}

func u(dimension string, n, d int64) unit { return unit{dimension, rat.Of(n, d)} }

// units are the units that a number may carry, by unitKey. Exact conversions follow the International System of Units and
// the international yard and pound (1959).
var units = map[string]unit{
	"mm": u("length", 1, 1000), "millimeter": u("length", 1, 1000), "millimetre": u("length", 1, 1000),
	"cm": u("length", 1, 100), "centimeter": u("length", 1, 100), "centimetre": u("length", 1, 100),
	"dm": u("length", 1, 10), "meter": u("length", 1, 1), "metre": u("length", 1, 1), "km": u("length", 1000, 1),
	"kilometer": u("length", 1000, 1), "kilometre": u("length", 1000, 1), "inch": u("length", 254, 10000),
	"foot": u("length", 3048, 10000), "feet": u("length", 3048, 10000), "ft": u("length", 3048, 10000), "m": u("length", 1, 1),
	"yard": u("length", 9144, 10000), "mile": u("length", 1609344, 1000), "mi": u("length", 1609344, 1000),
	"ms": u("time", 1, 1000), "sec": u("time", 1, 1), "second": u("time", 1, 1), "minute": u("time", 60, 1),
	"min": u("time", 60, 1), "hour": u("time", 3600, 1), "hr": u("time", 3600, 1), "day": u("time", 86400, 1),
	"week": u("time", 604800, 1), "month": u("months", 1, 1), "year": u("months", 12, 1), "yr": u("months", 12, 1),
	"mg": u("mass", 1, 1000), "gram": u("mass", 1, 1), "kg": u("mass", 1000, 1), "kilogram": u("mass", 1000, 1), "g": u("mass", 1, 1),
	"pound": u("mass", 45359237, 100000), "lb": u("mass", 45359237, 100000), "ounce": u("mass", 45359237, 1600000),
	"oz": u("mass", 45359237, 1600000), "ton": u("ton", 1, 1), "tonne": u("mass", 1000000, 1),
	"ml": u("length^3", 1, 1000000), "liter": u("length^3", 1, 1000), "litre": u("length^3", 1, 1000), "gallon": u("gallon", 1, 1),
	"cent": u("money", 1, 100), "dollar": u("money", 1, 1), "usd": u("money", 1, 1), "euro": u("euro", 1, 1),
	"percent": u("%", 1, 1), "per cent": u("%", 1, 1), "percentage": u("%", 1, 1), "pct": u("%", 1, 1), "degree": u("°", 1, 1), "deg": u("°", 1, 1),
	"radian": u("angle", 1, 1), "rad": u("angle", 1, 1), "mph": u("length time^-1", 1609344, 3600000), "kmh": u("length time^-1", 1000, 3600),
	"kph": u("length time^-1", 1000, 3600), "km/h": u("length time^-1", 1000, 3600),
	"hz": u("time^-1", 1, 1), "khz": u("time^-1", 1000, 1), "hertz": u("time^-1", 1, 1),
	"joule": u("length^2 mass time^-2", 1000, 1), "kj": u("length^2 mass time^-2", 1000000, 1), "watt": u("length^2 mass time^-3", 1000, 1),
	"kw": u("length^2 mass time^-3", 1000000, 1), "newton": u("length mass time^-2", 1000, 1), "volt": u("volt", 1, 1), "ohm": u("ohm", 1, 1), "kelvin": u("kelvin", 1, 1),
	"unit": u("", 1, 1), "people": u("", 1, 1), "point": u("", 1, 1), "piece": u("", 1, 1), "time": u("", 1, 1),
	"square unit": u("unit^2", 1, 1), "cubic unit": u("unit^3", 1, 1), "sq. unit": u("unit^2", 1, 1), "sq unit": u("unit^2", 1, 1),
	"micron": u("length", 1, 1000000), "ampere": u("ampere", 1, 1), "amp": u("ampere", 1, 1), "coulomb": u("ampere time", 1, 1),
	"mole": u("mole", 1, 1), "farad": u("farad", 1, 1), "henry": u("henry", 1, 1), "tesla": u("tesla", 1, 1), "mol": u("mole", 1, 1), "pascal": u("length^-1 mass time^-2", 1000, 1),
	"rupee": u("rupee", 1, 1), "yen": u("yen", 1, 1), "°c": u("celsius", 1, 1), "celsius": u("celsius", 1, 1), "degree celsius": u("celsius", 1, 1),
	"degrees celsius": u("celsius", 1, 1), "°f": u("fahrenheit", 1, 1), "fahrenheit": u("fahrenheit", 1, 1), "degree fahrenheit": u("fahrenheit", 1, 1),
	"degrees fahrenheit": u("fahrenheit", 1, 1), "wh": u("length^2 mass time^-2", 3600000, 1), "kwh": u("length^2 mass time^-2", 3600000000, 1),
	"cal": u("length^2 mass time^-2", 4184, 1), "kcal": u("length^2 mass time^-2", 4184000, 1), "calorie": u("length^2 mass time^-2", 4184, 1),
	"atm": u("length^-1 mass time^-2", 101325000, 1), "bar": u("length^-1 mass time^-2", 100000000, 1), "å": u("length", 1, 10000000000),
	"angstrom": u("length", 1, 10000000000), "gal": u("gallon", 1, 1), "quart": u("gallon", 1, 4), "pint": u("gallon", 1, 8), "fluid ounce": u("gallon", 1, 128),
	"hectare": u("length^2", 10000, 1),
}

// unitKey is the form of a unit's name by which the table knows it: lower case, singular.
func unitKey(name string) string {
	if len(name) > 24 || name == "" {
		return "" // longer than any unit
	}
	key := strings.ToLower(name)
	if _, ok := units[key]; ok {
		return key
	}
	if key == "inches" {
		return "inch"
	}
	key = strings.TrimSuffix(key, ".")
	if len(key) > 2 && key[len(key)-1] == 's' {
		return key[:len(key)-1]
	}
	return key
}

// letterUnits are the units of one letter or sign, and in, where an upright letter, a fraction of units or another unit beside it marks them.
var letterUnits = map[string]unit{
	"m": u("length", 1, 1), "s": u("time", 1, 1), "g": u("mass", 1, 1), "h": u("time", 3600, 1), "L": u("length^3", 1, 1000),
	"l": u("length^3", 1, 1000), "N": u("length mass time^-2", 1000, 1), "J": u("length^2 mass time^-2", 1000, 1),
	"W": u("length^2 mass time^-3", 1000, 1), "V": u("volt", 1, 1), "K": u("kelvin", 1, 1),
	"in": u("length", 254, 10000), "'": u("length", 3048, 10000), "\"": u("length", 254, 10000), "$": u("money", 1, 1),
	"C": u("ampere time", 1, 1), "F": u("farad", 1, 1), "H": u("henry", 1, 1), "T": u("tesla", 1, 1), "M": u("length^-3 mole", 1000, 1),
	"A": u("ampere", 1, 1), "₹": u("rupee", 1, 1), "€": u("euro", 1, 1), "£": u("sterling", 1, 1), "¥": u("yen", 1, 1), "Ω": u("ohm", 1, 1),
}

// measure is a product of powers of units: the dimension as names with exponents in the order of the alphabet, and how many
// of the dimension's base units it is.
type measure struct {
	dimension string
	scale     rat.Rat
}

// unitOf resolves a noun such as "cm^2", "square feet", "m/s^2" or "miles per hour", perhaps with words after it ("feet
// tall"); ok is false for a noun that is no unit, such as "apples", whose dimension is itself.
func unitOf(noun string) (dimension string, scale rat.Rat, ok bool) {
	noun = strings.TrimSpace(noun)
	if entry, found := oneUnit(noun); found {
		return entry.dimension, entry.scale, true
	}
	if len(noun) > 64 {
		return noun, rat.Int(1), false
	}
	if m, found := compound(noun); found {
		return m.dimension, m.scale, true
	}
	if first, _, found := strings.Cut(noun, " "); found && len(first) > 1 {
		if entry, found := oneUnit(first); found && entry.dimension != "" {
			return entry.dimension, entry.scale, true
		}
	}
	return strings.ToLower(noun), rat.Int(1), false
}

func oneUnit(name string) (unit, bool) {
	if entry, found := letterUnits[name]; found {
		return entry, true
	}
	if entry, found := units[unitKey(name)]; found {
		return entry, true
	}
	return prefixed(name)
}

// prefixes are those of the International System of Units, as powers of ten.
var prefixes = [...]struct {
	sign  string
	power int64
}{{"p", -12}, {"n", -9}, {"μ", -6}, {"µ", -6}, {"m", -3}, {"c", -2}, {"k", 3}, {"M", 6}, {"G", 9}, {"T", 12}}

// symbols are the units that a prefix may stand before. Here the case tells: mHz is not MHz.
var symbols = map[string]unit{
	"m": u("length", 1, 1), "s": u("time", 1, 1), "g": u("mass", 1, 1), "A": u("ampere", 1, 1), "V": u("volt", 1, 1), "Hz": u("time^-1", 1, 1),
	"N": u("length mass time^-2", 1000, 1), "J": u("length^2 mass time^-2", 1000, 1), "W": u("length^2 mass time^-3", 1000, 1),
	"Pa": u("length^-1 mass time^-2", 1000, 1), "C": u("ampere time", 1, 1), "F": u("farad", 1, 1), "H": u("henry", 1, 1), "T": u("tesla", 1, 1),
	"eV": u("electronvolt", 1, 1), "mol": u("mole", 1, 1), "L": u("length^3", 1, 1000), "Ω": u("ohm", 1, 1), "K": u("kelvin", 1, 1),
}

// prefixed resolves a symbol with a prefix, such as μm, and the symbols of two letters.
func prefixed(name string) (unit, bool) {
	if entry, found := symbols[name]; found && len(name) > 1 {
		return entry, true
	}
	for _, p := range prefixes {
		if base, found := strings.CutPrefix(name, p.sign); found {
			if entry, found := symbols[base]; found {
				return unit{entry.dimension, entry.scale.Mul(rat.Int(10).Pow(p.power))}, true
			}
		}
	}
	return unit{}, false
}

// compound multiplies out units that are joined by spaces, dots and strokes, with their exponents.
func compound(noun string) (measure, bool) {
	for _, w := range [...][2]string{{" per ", "/"}, {"square ", "2\x01"}, {"sq. ", "2\x01"}, {"sq ", "2\x01"}, {"cubic ", "3\x01"}, {"cu ", "3\x01"}, {"·", " "}, {"*", " "}, {"⋅", " "}, {"\\cdot", " "}, {"\\,", " "}, {"~", " "}, {"\\ ", " "}} {
		noun = strings.ReplaceAll(noun, w[0], w[1])
	}
	total := measure{scale: rat.Int(1)}
	powers := map[string]int64{}
	for i, side := range strings.Split(noun, "/") {
		for j, factor := range strings.Fields(side) {
			power := int64(1)
			if name, exponent, found := strings.Cut(factor, "^"); found {
				k, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(strings.Trim(exponent, "{}() "), "+"), " "), 10, 8)
				if err != nil {
					return total, false
				}
				factor, power = name, k
			}
			if digit, name, found := strings.Cut(factor, "\x01"); found && len(digit) == 1 {
				factor, power = name, int64(digit[0]-'0')
			}
			if i > 0 && j == 0 {
				power = -power
			}
			entry, found := oneUnit(factor)
			if !found || power < -9 || power > 9 {
				return total, false
			}
			total.scale = total.scale.Mul(entry.scale.Pow(power))
			if entry.dimension == "" && unitKey(factor) == "unit" && power != 1 {
				entry.dimension = "unit" // a square unit is an area, of no known size
			}
			addDimension(powers, entry.dimension, power)
		}
	}
	total.dimension = dimensionOf(powers)
	return total, len(powers) > 0
}

// addDimension adds a dimension's exponents, times power.
func addDimension(powers map[string]int64, dimension string, power int64) {
	for _, base := range strings.Fields(dimension) {
		name, exponent, found := strings.Cut(base, "^")
		k := int64(1)
		if found {
			k, _ = strconv.ParseInt(exponent, 10, 8) // the tables hold numbers only
		}
		powers[name] += k * power
	}
}

func dimensionOf(powers map[string]int64) string {
	var parts []string
	for name, k := range powers {
		switch k {
		case 0:
		case 1:
			parts = append(parts, name)
		default:
			parts = append(parts, name+"^"+strconv.FormatInt(k, 10))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}
