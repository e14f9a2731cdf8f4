package eval

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// energyRoot is where Linux shows the energy counters of processors (powercap, Documentation/power/powercap).
const energyRoot = "/sys/class/powercap"

// EnergyMeter reads how much energy the processor packages of the machine have used (RAPL). It counts the whole machine,
// whatever else runs on it. A nil meter measures nothing.
type EnergyMeter struct {
	counters []energyCounter
}

// energyCounter is one package's counter in microjoules; it begins again at 0 after most.
type energyCounter struct {
	path       string
	most, last uint64
}

// OpenEnergyMeter returns the machine's meter, or why there is none.
func OpenEnergyMeter() (*EnergyMeter, string) { return openEnergyMeter(energyRoot) }

func openEnergyMeter(root string) (*EnergyMeter, string) {
	folders, err := filepath.Glob(filepath.Join(root, "*-rapl:*"))
	if err != nil || len(folders) == 0 {
		return nil, "the system shows no energy counters"
	}
	m := &EnergyMeter{}
	for _, folder := range folders {
		if strings.Count(filepath.Base(folder), ":") != 1 {
			continue // a part of a package, which the package counts already
		}
		name, err := os.ReadFile(filepath.Join(folder, "name"))
		if err != nil || !strings.HasPrefix(string(name), "package") {
			continue
		}
		c := energyCounter{path: filepath.Join(folder, "energy_uj")}
		if _, err := readCounter(c.path); err != nil {
			return nil, "the energy counters may not be read: " + err.Error()
		}
		if c.most, err = readCounter(filepath.Join(folder, "max_energy_range_uj")); err != nil {
			return nil, "the energy counters may not be read: " + err.Error()
		}
		m.counters = append(m.counters, c)
	}
	if len(m.counters) == 0 {
		return nil, "the system shows no energy counter of a processor package"
	}
	return m, ""
}

func readCounter(path string) (uint64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
}

// start begins to measure.
func (m *EnergyMeter) start() {
	m.since()
}

// since returns the joules since the last call; false if they are not known. A counter that ran past its end more than
// once between two calls would be read too low: at 100 W that takes 40 minutes and more.
func (m *EnergyMeter) since() (joules float64, ok bool) {
	if m == nil {
		return 0, false
	}
	sum := uint64(0)
	for i := range m.counters {
		c := &m.counters[i]
		now, err := readCounter(c.path)
		if err != nil {
			return 0, false
		}
		if now >= c.last {
			sum += now - c.last
		} else {
			sum += c.most - c.last + now
		}
		c.last = now
	}
	return float64(sum) * 1e-6, true
}
