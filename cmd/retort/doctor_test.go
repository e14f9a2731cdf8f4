//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/retort-ml/retort/cmd/retort/internal/doctor"
	"github.com/retort-ml/retort/internal/kernel"
)

// doctorEvents runs doctor among variables and with a file of settings, in empty stores.
func doctorEvents(t *testing.T, variables map[string]string, file string, arguments ...string) (status int, found map[string]doctor.Finding, lines []string) {
	t.Helper()
	emptyStores(t)
	t.Chdir(t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv(asProgram, "retort") // of the self-tests' processes
	status, out, stderr := retortIn(t, variables, file, append([]string{"doctor", "--json"}, arguments...)...)
	found, lines = map[string]doctor.Finding{}, strings.Split(strings.TrimSpace(out), "\n")
	for _, line := range lines {
		if !strings.HasPrefix(line, `{"event":"check"`) {
			continue
		}
		var f doctor.Finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v: %s%s", err, out, stderr)
		}
		found[f.Check] = f
	}
	return status, found, lines
}

// TestDoctor: faults of the settings are told by the command that one turns to then, and not fatal to it; the kernels are tested in
// processes of their own on every instruction set.
func TestDoctor(t *testing.T) {
	needTiny(t)
	variables := map[string]string{"RETORT_LISTEN": "127.0.0.1:0", "HF_TOKEN": "hf_12345678901234567890"}
	status, found, _ := doctorEvents(t, variables, "serve: {slots: 3}")
	if status != exitDone {
		t.Errorf("status %d: %+v", status, found)
	}
	for _, name := range doctor.Names() {
		if found[name].Status == "" {
			t.Errorf("%s said nothing", name)
		}
	}
	levels := strings.Join(kernel.Levels(), ", ")
	if f := found["kernels"]; f.Status != doctor.OK || !strings.HasPrefix(f.Found, levels+": the products are right, and the embedded model's answer") {
		t.Errorf("kernels: %+v", f)
	}
	if f := found["token"]; f.Status != doctor.OK || strings.Contains(f.Found, "hf_1") {
		t.Errorf("token: %+v", f)
	}

	status, found, lines := doctorEvents(t, map[string]string{"RETORT_LISTEN": "127.0.0.1:0"}, "serve: {slot: 3}")
	last := lines[len(lines)-1]
	if status != exitFailed || found["settings"].Status != doctor.Fault || !strings.Contains(found["settings"].Found, `:1: unknown key "serve.slot"; did you mean "serve.slots"?`) {
		t.Errorf("status %d: %+v", status, found["settings"])
	}
	if !strings.Contains(last, `"event":"error"`) || !strings.Contains(last, "1 fault: settings") || !strings.Contains(last, `"code":"faults-found"`) {
		t.Errorf("the last event is %s", last)
	}
	if status, found, _ := doctorEvents(t, map[string]string{"RETORT_LISTEN": "127.0.0.1:0", "RETORT_SLOTS": "many"}, "", "--root", "elsewhere"); status != exitDone || found["runs"].Found != "none in elsewhere" {
		t.Errorf("a variable of another command matters to doctor: %d %+v", status, found)
	}
}

// TestDoctorLines: what a person sees.
func TestDoctorLines(t *testing.T) {
	var out, stderr bytes.Buffer
	o := newOutput(streams{nil, &out, &stderr}, false)
	err := (&doctorCommand{}).look(t.Context(), o, &doctor.Place{Root: t.TempDir(), Threads: 1, Listen: "127.0.0.1:0", Settings: "\x1b[2J"})
	text := out.String()
	for _, want := range []string{"processor    ", "\nmemory       note     this system does not say how much memory is free\n", "\nport         ok       127.0.0.1:0 is free\n", "\n22 checks, 0 warnings, 0 faults\n"} {
		if err != nil || !strings.Contains(text, want) {
			t.Errorf("%v, no %q in\n%s", err, want, text)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Errorf("a control character is printed: %q", text)
	}
}
