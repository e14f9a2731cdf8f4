package verify

import (
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
	"ml": u("volume", 1, 1000), "liter": u("volume", 1, 1), "litre": u("volume", 1, 1), "gallon": u("gallon", 1, 1),
	"cent": u("money", 1, 100), "dollar": u("money", 1, 1), "usd": u("money", 1, 1), "euro": u("euro", 1, 1),
	"percent": u("%", 1, 1), "percentage": u("%", 1, 1), "pct": u("%", 1, 1), "degree": u("°", 1, 1), "deg": u("°", 1, 1),
	"radian": u("angle", 1, 1), "rad": u("angle", 1, 1), "mph": u("mph", 1, 1), "kmh": u("kmh", 1, 1), "kph": u("kmh", 1, 1),
	"hz": u("frequency", 1, 1), "khz": u("frequency", 1000, 1), "joule": u("energy", 1, 1), "watt": u("power", 1, 1),
	"newton": u("force", 1, 1), "volt": u("volt", 1, 1), "ohm": u("ohm", 1, 1), "kelvin": u("kelvin", 1, 1),
	"unit": u("", 1, 1), "people": u("", 1, 1), "point": u("", 1, 1), "piece": u("", 1, 1), "time": u("", 1, 1),
	"square unit": u("", 1, 1), "cubic unit": u("", 1, 1), "sq. unit": u("", 1, 1), "sq unit": u("", 1, 1),
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

// unitOf resolves a noun such as "cm^2", "square feet" or "cubic inches" to a unit with its power; ok is false for a noun
// that is no unit, such as "apples".
func unitOf(noun string) (dimension string, scale rat.Rat, ok bool) {
	noun = strings.ToLower(strings.TrimSpace(noun))
	power := int64(1)
	for _, p := range [...]struct {
		prefix string
		power  int64
	}{{"square ", 2}, {"sq. ", 2}, {"sq ", 2}, {"cubic ", 3}} {
		if rest, found := strings.CutPrefix(noun, p.prefix); found {
			noun, power = rest, p.power
		}
	}
	if base, exponent, found := strings.Cut(noun, "^"); found {
		noun = strings.TrimSpace(base)
		switch strings.Trim(exponent, "{} ") {
		case "2":
			power = 2
		case "3":
			power = 3
		}
	}
	entry, found := units[unitKey(noun)]
	if !found {
		return noun, rat.Int(1), false
	}
	if power == 1 || entry.dimension == "" {
		return entry.dimension, entry.scale, true
	}
	return entry.dimension + "^" + string('0'+byte(power)), entry.scale.Pow(power), true
}
