package settings

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// try decodes a value into nothing, so that what is wrong with it is known before it counts.
func try(flag *kong.Flag, given any) error {
	was := flag.Set
	defer func() { flag.Set = was }()
	target := reflect.New(flag.Target.Type()).Elem()
	if target.Kind() == reflect.Pointer {
		target.Set(reflect.New(target.Type().Elem()))
	}
	scan := kong.Scan().PushTyped(switchValue(flag, given), kong.FlagValueToken)
	if err := flag.Parse(scan, target); err != nil {
		return fmt.Errorf("%s", strings.TrimPrefix(err.Error(), flag.ShortSummary()+": "))
	}
	return checkEnum(flag, target)
}

// checkEnum checks the value, or each of a list.
func checkEnum(flag *kong.Flag, target reflect.Value) error {
	if flag.Enum == "" {
		return nil
	}
	if target.Kind() == reflect.Slice {
		for i := range target.Len() {
			if err := checkEnum(flag, target.Index(i)); err != nil {
				return err
			}
		}
		return nil
	}
	if got := fmt.Sprint(target.Interface()); !flag.EnumMap()[got] {
		return fmt.Errorf("got %q, want one of %s", got, strings.Trim(flag.Enum, ","))
	}
	return nil
}

// switchValue is the value of a flag that may stand alone or with =VALUE: true stands alone, which is the value 1.
func switchValue(flag *kong.Flag, given any) any {
	if flag.IsBool() && flag.Target.Kind() != reflect.Bool && given == "true" {
		return "1"
	}
	return given
}
