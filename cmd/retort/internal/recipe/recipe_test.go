package recipe

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"
)

type colour int

func (c colour) MarshalText() ([]byte, error) { return []byte([]string{"red", "blue"}[c]), nil }

func (c *colour) UnmarshalText(text []byte) error {
	for i, name := range []string{"red", "blue"} {
		if name == string(text) {
			*c = colour(i)
			return nil
		}
	}
	return fmt.Errorf("got %q, want red or blue", text)
}

type common struct {
	Seed uint64 `help:"of everything random"`
}

type optimiser struct {
	LearningRate float64
	Betas        []float32
}

type kitchen struct {
	common
	Common2   struct{ KVHeads int8 } `recipe:"model"`
	Optimiser optimiser
	Name      string
	Shuffle   bool
	Every     time.Duration
	Paint     colour
	Stages    []optimiser
	Hidden    int `recipe:"-"`
	Logger    *slog.Logger
	Report    func()
}

func full() kitchen {
	k := kitchen{common: common{1<<64 - 1}, Name: "yes: # no", Shuffle: true, Every: time.Minute, Paint: 1}
	k.Common2.KVHeads = -3
	k.Optimiser = optimiser{1e-6, []float32{0.9, 0.999}}
	k.Stages = []optimiser{{LearningRate: 3}, {LearningRate: -1e300, Betas: []float32{2}}}
	return k
}

func TestApply(t *testing.T) {
	got := kitchen{Name: "stays"}
	err := Apply(&got, "r.yaml", []byte(`# a recipe
seed: 18446744073709551615
model: {kv_heads: -3}
optimiser:
  learning_rate: 1e-6
  betas: [0.9, 0.999]
shuffle: true
every: 1m
paint: blue
`))
	if err != nil {
		t.Fatal(err)
	}
	want := full()
	want.Name, want.Stages = "stays", nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"seed: 1\noptimiser:\n  leraning_rate: 1\n", `r.yaml:3: unknown key "optimiser.leraning_rate"; did you mean "optimiser.learning_rate"?`},
		{"zebra_crossing: 1\n", `r.yaml:1: unknown key "zebra_crossing"; there are: seed, model, optimiser, name, shuffle, every, paint, stages`},
		{"hidden: 1\n", `r.yaml:1: unknown key "hidden"`},
		{"seed: 1\nname: x\nseed: 2\n", "r.yaml:3: seed: stands twice; the first is in line 1"},
		{"seed: -1\n", `r.yaml:1: seed: got "-1", want a whole number from 0`},
		{"seed: 1.5\n", `r.yaml:1: seed: got "1.5", want a whole number from 0`},
		{"model:\n  kv_heads: 300\n", `r.yaml:2: model.kv_heads: got "300", want a whole number`},
		{"optimiser: 3\n", `r.yaml:1: optimiser: got "3", want keys and values (learning_rate, betas)`},
		{"optimiser: {learning_rate: fast}\n", `r.yaml:1: optimiser.learning_rate: got "fast", want a number`},
		{"optimiser: {learning_rate: .nan}\n", `want a number`},
		{"optimiser: {learning_rate: -.inf}\n", `want a number`},
		{"optimiser: {betas: [1e300]}\n", `r.yaml:1: optimiser.betas.0: got "1e300", want a number`},
		{"optimiser: {learning_rate: '1'}\n", `want a number`},
		{"optimiser: {learning_rate: }\n", `r.yaml:1: optimiser.learning_rate: got nothing, want a number`},
		{"optimiser: {betas: [1, x]}\n", `r.yaml:1: optimiser.betas.1: got "x", want a number`},
		{"optimiser: {betas: 1}\n", `got "1", want a list, each a number`},
		{"shuffle: yes\n", `r.yaml:1: shuffle: got "yes", want true or false`},
		{"every: 60\n", `r.yaml:1: every: got "60", want a duration such as 60s`},
		{"paint: green\n", `r.yaml:1: paint: got "green", want red or blue`},
		{"name: [a]\n", `r.yaml:1: name: got a list, want text`},
		{"- seed\n", `r.yaml:1: got a list, want keys and values`},
		{"seed: 1\nname: [\n", "r.yaml:"},
		{"seed: 1\n---\nseed: 2\n", "r.yaml: not one YAML document"},
		{"? [a]\n: 1\n", "r.yaml:1: got a list as a key, want a name"},
		{"stages: &a [*a]\n", "r.yaml"},
	} {
		err := Apply(&kitchen{}, "r.yaml", []byte(c.source))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got error %v, want %s", c.source, err, c.want)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: the error is more than one line: %v", c.source, err)
		}
	}
}

func TestNothingToApply(t *testing.T) {
	for _, source := range []string{"", "\n", "# only a comment\n", "optimiser:\n"} {
		got := full()
		if err := Apply(&got, "r.yaml", []byte(source)); err != nil || !reflect.DeepEqual(got, full()) {
			t.Errorf("%q: got %+v, %v", source, got, err)
		}
	}
}

func TestSet(t *testing.T) {
	var got kitchen
	for _, s := range []string{
		"seed=18446744073709551615", "model.kv_heads=-3", "optimiser.learning_rate=1e-6", "optimiser.betas=[0.9, 0.999]",
		"name=yes: # no", "shuffle=true", "every=1m0s", "paint=blue", "stages=[{learning_rate: 3}, {learning_rate: -1e300, betas: [2]}]",
	} {
		if err := Set(&got, s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if want := full(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, c := range []struct{ set, want string }{
		{"seed", "--set seed: want key=value"},
		{"optimiser.learning=1", `--set: unknown key "optimiser.learning"; there are: learning_rate, betas`},
		{"optimizer.learning_rate=1", `--set: unknown key "optimizer"; did you mean "optimiser"?`},
		{"optimiser.learning_rat=1", `did you mean "optimiser.learning_rate"?`},
		{"optimiser=1", "--set optimiser: it is a section; set one of its keys: learning_rate, betas"},
		{"seed.x=1", "--set seed.x: seed is a single value and has no keys"},
		{"seed=one", `--set seed: got "one", want a whole number from 0`},
		{"seed=", "--set seed: got nothing, want a whole number from 0"},
		{"every=soon", `--set every: got "soon", want a duration such as 60s`},
		{"paint=green", `--set paint: got "green", want red or blue`},
		{"stages=[{x: 1}]", `--set`},
	} {
		if err := Set(&kitchen{}, c.set); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got error %v, want %s", c.set, err, c.want)
		}
	}
}

func TestMarshalReadsBack(t *testing.T) {
	want := full()
	text, err := Marshal(&want)
	if err != nil {
		t.Fatal(err)
	}
	var got kitchen
	if err := Apply(&got, "printed", text); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v from\n%s", got, want, text)
	}
	for _, line := range []string{"seed: 18446744073709551615 # of everything random", "  learning_rate: 1e-06", "  betas: [0.9, 0.999]"} {
		if !strings.Contains(string(text), line+"\n") {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
}

func TestJSONReadsBack(t *testing.T) {
	want := full()
	want.Name = "a \"quote\", <b> & \u2028\U0001f600\x01\n"
	text, err := JSON(want)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) {
		t.Fatalf("not JSON: %s", text)
	}
	var got kitchen
	if err := Apply(&got, "run.json", text); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v from\n%s", got, want, text)
	}
}

func TestKeys(t *testing.T) {
	want := "seed model.kv_heads optimiser.learning_rate optimiser.betas name shuffle every paint stages"
	if got := strings.Join(Keys(kitchen{}), " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSnakeCase(t *testing.T) {
	for name, want := range map[string]string{
		"LearningRate": "learning_rate", "KVHeads": "kv_heads", "BOS": "bos", "FFN": "ffn",
		"TopP": "top_p", "Beta1": "beta1", "KL": "kl", "Beta1Decay": "beta1_decay", "X": "x",
	} {
		if got := snakeCase(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"learning_rate", "steps", "seed"}
	for name, want := range map[string]string{
		"leraning_rate": "learning_rate", "learning-rate": "learning_rate", "step": "steps",
		"sede": "seed", "Seed": "seed", "temperature": "", "": "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"ab", "ba", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
