package page

import "strings"

// mathSymbol is what a command without arguments stands for.
type mathSymbol struct {
	name, text string
	limits     bool // its scripts stand below and above it in a displayed formula
}

// mathSymbols are the commands without arguments.
var mathSymbols = makeSymbols()

func makeSymbols() map[string]mathSymbol {
	all := map[string]mathSymbol{}
	add := func(name string, limits bool, pairs string) {
		fields := strings.Fields(pairs)
		for i := 0; i+1 < len(fields); i += 2 {
			all[fields[i]] = mathSymbol{name, fields[i+1], limits}
		}
	}
	add("mi", false, `alpha α beta β gamma γ delta δ epsilon ϵ varepsilon ε zeta ζ eta η theta θ vartheta ϑ iota ι kappa κ lambda λ mu μ nu ν xi ξ
		omicron ο pi π varpi ϖ rho ρ varrho ϱ sigma σ varsigma ς tau τ upsilon υ phi ϕ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ
		Xi Ξ Pi Π Sigma Σ Upsilon Υ Phi Φ Psi Ψ Omega Ω infty ∞ partial ∂ nabla ∇ ell ℓ hbar ℏ Re ℜ Im ℑ aleph ℵ wp ℘ emptyset ∅ varnothing ∅ imath ı
		jmath ȷ degree ° prime ′ top ⊤ bot ⊥ sin sin cos cos tan tan cot cot sec sec csc csc arcsin arcsin arccos arccos arctan arctan sinh sinh cosh cosh
		tanh tanh log log ln ln lg lg exp exp arg arg deg deg dim dim hom hom ker ker angle ∠ measuredangle ∡ triangle △ square □ blacksquare ■ diamond ⋄
		Box □ checkmark ✓ pounds £ euro € yen ¥ S §`)
	add("mi", true, `lim lim max max min min sup sup inf inf gcd gcd lcm lcm det det Pr Pr limsup lim\u00a0sup liminf lim\u00a0inf`)
	add("mo", true, `sum ∑ prod ∏ coprod ∐ bigcup ⋃ bigcap ⋂ bigvee ⋁ bigwedge ⋀ bigoplus ⨁ bigotimes ⨂ bigsqcup ⨆`)
	add("mo", false, `int ∫ iint ∬ iiint ∭ oint ∮ pm ± mp ∓ times × div ÷ cdot ⋅ ast ∗ star ⋆ circ ∘ bullet • oplus ⊕ ominus ⊖ otimes ⊗ odot ⊙ cup ∪ cap ∩
		setminus ∖ vee ∨ wedge ∧ lor ∨ land ∧ neg ¬ lnot ¬ leq ≤ le ≤ geq ≥ ge ≥ leqslant ⩽ geqslant ⩾ neq ≠ ne ≠ equiv ≡ approx ≈ sim ∼ simeq ≃ cong ≅
		propto ∝ ll ≪ gg ≫ prec ≺ succ ≻ preceq ⪯ succeq ⪰ subset ⊂ supset ⊃ subseteq ⊆ supseteq ⊇ subsetneq ⊊ in ∈ notin ∉ ni ∋ mid ∣ nmid ∤ parallel ∥
		perp ⟂ to → rightarrow → leftarrow ← leftrightarrow ↔ Rightarrow ⇒ Leftarrow ⇐ Leftrightarrow ⇔ implies ⟹ iff ⟺ impliedby ⟸ mapsto ↦
		longrightarrow ⟶ longleftarrow ⟵ Longrightarrow ⟹ uparrow ↑ downarrow ↓ nearrow ↗ searrow ↘ hookrightarrow ↪ rightleftharpoons ⇌ forall ∀ exists ∃
		nexists ∄ therefore ∴ because ∵ dots … ldots … cdots ⋯ vdots ⋮ ddots ⋱ dotsc … dotsb ⋯ lfloor ⌊ rfloor ⌋ lceil ⌈ rceil ⌉ langle ⟨ rangle ⟩
		lvert | rvert | lVert ‖ rVert ‖ vert | Vert ‖ | ‖ { { } } lbrace { rbrace } lbrack [ rbrack ] backslash \ % % $ $ & & # # _ _ colon : coloneqq ≔
		models ⊨ vdash ⊢ asymp ≍ doteq ≐ triangleq ≜ trianglelefteq ⊴ lesssim ≲ gtrsim ≳ smile ⌣ frown ⌢ dagger † ddagger ‡ amalg ⨿ lt < gt > And &
		surd √ varpropto ∝ nleq ≰ ngeq ≱ ncong ≇ nsim ≁ nsubseteq ⊈ rightharpoonup ⇀ leadsto ⇝ rightsquigarrow ⇝ Uparrow ⇑ Downarrow ⇓ bmod mod ordinarycolon :`)
	for name, s := range all {
		s.text = strings.ReplaceAll(s.text, `\u00a0`, "\u00a0")
		all[name] = s
	}
	return all
}

// mathSpaces are widths; "" is a command that shows nothing here.
var mathSpaces = map[string]string{
	",": "0.167em", ":": "0.222em", ">": "0.222em", ";": "0.278em", "!": "-0.167em", " ": "0.25em", "quad": "1em", "qquad": "2em", "enspace": "0.5em",
	"thinspace": "0.167em", "medspace": "0.222em", "thickspace": "0.278em", "negthinspace": "-0.167em", "space": "0.25em", "\n": "0.25em",
	"displaystyle": "", "textstyle": "", "scriptstyle": "", "scriptscriptstyle": "", "limits": "", "nolimits": "", "nonumber": "", "notag": "", "hline": "",
	"noindent": "", "centering": "", "allowbreak": "", "newline": "", "hfill": "", "rm": "", "bf": "", "it": "", "cal": "", "boldmath": "", "null": "",
	"strut": "", "mathstrut": "", "relax": "", "left.": "", "/": "",
}

// mathAccent is a mark above or below.
type mathAccent struct {
	text                           string
	stretches, below, takesScripts bool
}

var mathAccents = map[string]mathAccent{
	"hat": {text: "^"}, "widehat": {text: "^", stretches: true}, "bar": {text: "¯"}, "overline": {text: "¯", stretches: true}, "vec": {text: "→"},
	"overrightarrow": {text: "→", stretches: true}, "overleftarrow": {text: "←", stretches: true}, "overleftrightarrow": {text: "↔", stretches: true},
	"tilde": {text: "~"}, "widetilde": {text: "~", stretches: true}, "dot": {text: "˙"}, "ddot": {text: "¨"}, "dddot": {text: "⃛"}, "check": {text: "ˇ"},
	"breve": {text: "˘"}, "acute": {text: "´"}, "grave": {text: "`"}, "mathring": {text: "˚"}, "overparen": {text: "⏜", stretches: true},
	"overarc": {text: "⏜", stretches: true}, "wideparen": {text: "⏜", stretches: true},
	"underline": {text: "_", stretches: true, below: true}, "underbrace": {text: "⏟", stretches: true, below: true, takesScripts: true},
	"overbrace": {text: "⏞", stretches: true, takesScripts: true}, "underbar": {text: "_", stretches: true, below: true},
}

// mathTexts are commands whose argument is text.
var mathTexts = map[string]bool{
	"text": true, "textrm": true, "textbf": true, "textit": true, "textsf": true, "texttt": true, "textnormal": true, "mbox": true, "hbox": true,
	"fbox": true, "emph": true, "textsc": true, "mathrm": true, "operatorname": true, "mathsf": true, "mathtt": true, "mathit": true, "mathop": true,
	"mathnormal": true, "textup": true, "asciitext": true,
}

// mathSizes are the sizes of brackets.
var mathSizes = map[string]string{
	"big": "1.2em", "bigl": "1.2em", "bigr": "1.2em", "bigm": "1.2em", "Big": "1.8em", "Bigl": "1.8em", "Bigr": "1.8em", "Bigm": "1.8em",
	"bigg": "2.4em", "biggl": "2.4em", "biggr": "2.4em", "Bigg": "3em", "Biggl": "3em", "Biggr": "3em",
}

// mathEnvironment is a table with brackets around it.
type mathEnvironment struct {
	open, close, align string
	columns            bool // its columns are named first
}

var mathEnvironments = map[string]mathEnvironment{
	"matrix": {}, "smallmatrix": {}, "pmatrix": {open: "(", close: ")"}, "bmatrix": {open: "[", close: "]"}, "Bmatrix": {open: "{", close: "}"},
	"vmatrix": {open: "|", close: "|"}, "Vmatrix": {open: "‖", close: "‖"}, "cases": {open: "{", align: "left"}, "dcases": {open: "{", align: "left"},
	"rcases": {close: "}", align: "left"}, "array": {columns: true}, "tabular": {columns: true}, "aligned": {align: "turn"}, "align": {align: "turn"},
	"align*": {align: "turn"}, "alignedat": {align: "turn", columns: true}, "split": {align: "turn"}, "gathered": {}, "gather": {}, "gather*": {},
	"equation": {}, "equation*": {}, "eqnarray": {align: "turn"}, "eqnarray*": {align: "turn"}, "multline": {}, "multline*": {}, "subarray": {columns: true},
}

// mathAlphabet maps letters to those of another alphabet of Unicode's.
type mathAlphabet struct {
	upper, lower, digit rune
	gaps                map[rune]rune // letters that stand elsewhere
}

var mathAlphabets = map[string]mathAlphabet{
	"mathbb": {upper: 0x1d538, lower: 0x1d552, digit: 0x1d7d8, gaps: map[rune]rune{'C': 'ℂ', 'H': 'ℍ', 'N': 'ℕ', 'P': 'ℙ', 'Q': 'ℚ', 'R': 'ℝ', 'Z': 'ℤ'}},
	"mathbf": {upper: 0x1d400, lower: 0x1d41a, digit: 0x1d7ce}, "boldsymbol": {upper: 0x1d468, lower: 0x1d482, digit: 0x1d7ce},
	"bm": {upper: 0x1d468, lower: 0x1d482, digit: 0x1d7ce}, "pmb": {upper: 0x1d468, lower: 0x1d482, digit: 0x1d7ce},
	"mathcal":  {upper: 0x1d49c, lower: 0x1d4b6, gaps: map[rune]rune{'B': 'ℬ', 'E': 'ℰ', 'F': 'ℱ', 'H': 'ℋ', 'I': 'ℐ', 'L': 'ℒ', 'M': 'ℳ', 'R': 'ℛ', 'e': 'ℯ', 'g': 'ℊ', 'o': 'ℴ'}},
	"mathscr":  {upper: 0x1d49c, lower: 0x1d4b6, gaps: map[rune]rune{'B': 'ℬ', 'E': 'ℰ', 'F': 'ℱ', 'H': 'ℋ', 'I': 'ℐ', 'L': 'ℒ', 'M': 'ℳ', 'R': 'ℛ', 'e': 'ℯ', 'g': 'ℊ', 'o': 'ℴ'}},
	"mathfrak": {upper: 0x1d504, lower: 0x1d51e, gaps: map[rune]rune{'C': 'ℭ', 'H': 'ℌ', 'I': 'ℑ', 'R': 'ℜ', 'Z': 'ℨ'}},
}

// apply changes the letters and digits of a tree.
func (a mathAlphabet) apply(n *mathNode) {
	if n.Name == "mi" || n.Name == "mn" {
		n.Text = strings.Map(func(r rune) rune {
			if other, ok := a.gaps[r]; ok {
				return other
			}
			switch {
			case r >= 'A' && r <= 'Z':
				return a.upper + r - 'A'
			case r >= 'a' && r <= 'z':
				return a.lower + r - 'a'
			case r >= '0' && r <= '9' && a.digit != 0:
				return a.digit + r - '0'
			}
			return r
		}, n.Text)
	}
	for _, kid := range n.Kids {
		a.apply(kid)
	}
}
