package report

import (
	"strconv"
	"strings"
)

// shade is one colour in both themes. Tests hold the palette to its promises: contrast
// with the grounds, and series that stay apart for colour-blind eyes.
type shade struct {
	name, light, dark string
}

// The series colours follow Okabe and Ito, "Color Universal Design" (2008), moved until each
// has the contrast of a graphic and all stay apart.
var palette = []shade{
	{"page", "#faf9f6", "#0f1216"},
	{"card", "#ffffff", "#171b21"},
	{"ink", "#1a1e24", "#e8eaee"},
	{"soft", "#58616d", "#a4adb9"},
	{"edge", "#e2e0d9", "#2b323b"},
	{"grid", "#eceae4", "#272d36"},
	{"s0", "#00519a", "#57a7e9"},
	{"s1", "#bb4600", "#f28a4c"},
	{"s2", "#00876a", "#4de1b6"},
	{"s3", "#935095", "#d391cc"},
	{"s4", "#b7881b", "#e3bf49"},
	{"s5", "#4b5564", "#b4bcc7"},
	{"good", "#00664c", "#52d3ab"},
	{"good-ground", "#dcf1e9", "#10352b"},
	{"bad", "#a8330a", "#ff9f74"},
	{"bad-ground", "#fce5da", "#44220f"},
	{"turn", "#0b5596", "#85c1f3"},
	{"turn-ground", "#e0ecf7", "#132f48"},
	{"idle", "#58616d", "#a4adb9"},
	{"idle-ground", "#eeece6", "#272d36"},
}

// variables writes the palette as CSS custom properties.
func variables(dark bool) string {
	var b strings.Builder
	for _, s := range palette {
		value := s.light
		if dark {
			value = s.dark
		}
		b.WriteString("--" + s.name + ":" + value + ";")
	}
	return b.String()
}

// themeStyle sets the variables on selector. Print is always light.
func themeStyle(selector string, t Theme) string {
	switch t {
	case Light:
		return selector + "{" + variables(false) + "}\n"
	case Dark:
		return selector + "{" + variables(true) + "}\n"
	}
	return selector + "{" + variables(false) + "}\n@media screen and (prefers-color-scheme:dark){" + selector + "{" + variables(true) + "}}\n"
}

const sansFont = `system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans",Arial,sans-serif`

// chartStyle is what the elements of a chart look like, in a page and alone.
func chartStyle() string {
	var b strings.Builder
	b.WriteString(`.chart{font-family:` + sansFont + `;font-variant-numeric:tabular-nums;overflow:visible}
.chart text{fill:var(--soft);font-size:11.5px;white-space:pre}
.chart .t-legend,.chart .t-name{font-size:12px;fill:var(--ink)}
.chart .t-value{font-size:12px;font-weight:600;fill:var(--ink)}
.chart .t-title{font-size:15px;font-weight:650;fill:var(--ink)}
.chart .t-flag,.chart .t-reference,.chart .t-readout{fill:var(--soft);paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}
.chart .t-readout{font-weight:600;fill:var(--ink)}
.chart .t-readout .at{fill:var(--soft)}
.grid{stroke:var(--grid);stroke-width:1}
.axis{stroke:var(--soft);stroke-width:1}
.flag,.reference{stroke:var(--soft);stroke-width:1;stroke-dasharray:3 3;fill:none}
.error{stroke:var(--ink);stroke-width:1.5;fill:none}
.dot{stroke:var(--card);stroke-width:1}
.bar{fill-opacity:.88}
.band{fill-opacity:.16;stroke:none}
.ground{fill:var(--card)}
.hit .area{fill:none;pointer-events:all}
.hit .guide{stroke:var(--soft);stroke-width:1}
.hit .guide,.hit .dot,.hit text{visibility:hidden}
.hit:hover .guide,.hit:hover .dot,.hit:hover text{visibility:visible}
.hit:hover .shade{fill:var(--soft);fill-opacity:.14}
`)
	for i := 0; i < colours; i++ {
		n := strconv.Itoa(i)
		b.WriteString(".l" + n + "{stroke:var(--s" + n + ");stroke-width:2;fill:none;stroke-linejoin:round;stroke-linecap:round}\n")
		b.WriteString(".f" + n + ",.chart tspan.f" + n + "{fill:var(--s" + n + ")}\n")
	}
	b.WriteString(".faint{stroke-width:1;stroke-opacity:.38}\n.dashed{stroke-dasharray:5 4;stroke-linecap:butt}\n")
	return b.String()
}
