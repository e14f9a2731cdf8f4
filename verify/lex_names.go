package verify

// functionNames maps the plain and LaTeX names of functions to the name in the tree.
var functionNames = map[string]string{
	"sin": "sin", "cos": "cos", "tan": "tan", "cot": "cot", "sec": "sec", "csc": "csc", "cosec": "csc", "tg": "tan", "ctg": "cot",
	"arcsin": "asin", "arccos": "acos", "arctan": "atan", "asin": "asin", "acos": "acos", "atan": "atan", "arctg": "atan",
	"arccot": "acot", "arcsec": "asec", "arccsc": "acsc", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "coth": "coth",
	"arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "arsinh": "asinh", "arcosh": "acosh", "artanh": "atanh",
	"log": "log", "ln": "log", "lg": "log10", "exp": "exp", "max": "max", "min": "min", "gcd": "gcd", "lcm": "lcm",
	"floor": "floor", "ceil": "ceil", "abs": "abs", "det": "det", "arg": "arg", "Re": "re", "Im": "im", "sgn": "sign",
	"sqrt": "sqrt", "cbrt": "cbrt", "deg": "deg", "dim": "dim", "ker": "ker", "Pr": "Pr", "lim": "lim", "sup": "sup", "inf": "inf",
	"cis": "cis", "factorial": "!", "ceiling": "ceil", "Abs": "abs", "sech": "sech", "csch": "csch", "tr": "tr", "rank": "rank", "sign": "sign", "binomial": "binom",
}

// greek are the letters that plain notation spells out.
var greek = map[string]bool{
	"alpha": true, "beta": true, "gamma": true, "delta": true, "epsilon": true, "zeta": true, "theta": true, "kappa": true, "lambda": true,
	"rho": true, "sigma": true, "tau": true, "phi": true, "psi": true, "omega": true,
}

// constantNames maps names to constants of the tree.
var constantNames = map[string]string{
	"pi": "pi", "infty": "inf", "infinity": "inf", "inf": "inf", "oo": "inf", "emptyset": "empty", "varnothing": "empty",
	"reals": "reals", "integers": "integers", "naturals": "naturals", "rationals": "rationals", "exponentialE": "e",
	"mathbbR": "reals", "Infinity": "inf", "imaginaryI": "i", "imaginaryJ": "i",
}

// operators maps commands to the tokens that they are.
var operators = map[string]struct {
	kind tokenKind
	op   byte
}{
	"cdot": {tTimes, 0}, "times": {tTimes, 0}, "ast": {tTimes, 0}, "star": {tTimes, 0}, "bullet": {tTimes, 0}, "div": {tDivide, 0},
	"pm": {tPlusMinus, 0}, "mp": {tPlusMinus, 1}, "le": {tRelation, relAtMost}, "leq": {tRelation, relAtMost},
	"leqslant": {tRelation, relAtMost}, "ge": {tRelation, relAtLeast}, "geq": {tRelation, relAtLeast},
	"geqslant": {tRelation, relAtLeast}, "lt": {tRelation, relLess}, "gt": {tRelation, relMore}, "leqq": {tRelation, relAtMost},
	"geqq": {tRelation, relAtLeast}, "less": {tRelation, relLess}, "ne": {tRelation, relNot}, "neq": {tRelation, relNot},
	"approx": {tRelation, relNear}, "approxeq": {tRelation, relNear}, "simeq": {tRelation, relNear}, "sim": {tRelation, relNear},
	"doteq": {tRelation, relNear}, "in": {tRelation, relIn}, "isin": {tRelation, relIn}, "subset": {tRelation, relWithin},
	"subseteq": {tRelation, relWithin}, "supset": {tRelation, relAround}, "supseteq": {tRelation, relAround}, "equiv": {tRelation, relSameMod}, "cong": {tRelation, relSameMod}, "eq": {tRelation, relEqual},
	"implies": {tRelation, relImplies}, "Rightarrow": {tRelation, relImplies}, "to": {tRelation, relImplies},
	"rightarrow": {tRelation, relImplies}, "Longrightarrow": {tRelation, relImplies}, "mapsto": {tRelation, relImplies},
	"iff": {tRelation, relImplies}, "Leftrightarrow": {tRelation, relImplies}, "notin": {tRelation, relNotIn},
	"cup": {tUnion, 0}, "bigcup": {tUnion, 0}, "cap": {tIntersection, 0}, "bigcap": {tIntersection, 0}, "setminus": {tSetMinus, 0},
	"backslash": {tSetMinus, 0}, "mod": {tMod, 0}, "bmod": {tMod, 0}, "lvert": {tBar, 0}, "rvert": {tBar, 0}, "vert": {tBar, 0},
	"mid": {tBar, 0}, "lVert": {tBar, 0}, "rVert": {tBar, 0}, "Vert": {tBar, 0}, "lbrace": {tSetOpen, 0}, "rbrace": {tSetShut, 0},
	"lbrack": {tOpen, '['}, "rbrack": {tShut, ']'}, "lparen": {tOpen, '('}, "rparen": {tShut, ')'},
	"langle": {tOpen, '<'}, "rangle": {tShut, '>'}, "degree": {tDegree, 0}, "degrees": {tDegree, 0}, "percent": {tPercent, 0},
	"ldots": {tEllipsis, 0}, "dots": {tEllipsis, 0}, "cdots": {tEllipsis, 0}, "dotsc": {tEllipsis, 0}, "vdots": {tEllipsis, 0},
	"wedge": {tAnd, '&'}, "vee": {tAnd, '|'}, "land": {tAnd, '&'}, "lor": {tAnd, '|'}, "quad": {tAnd, 'q'}, "qquad": {tAnd, 'q'},
	"cr": {tNewline, 0}, "newline": {tNewline, 0}, "colon": {tColon, 0}, "prime": {tPrime, 0}, "choose": {tCommand, 'c'},
	"lfloor": {tOpen, 'f'}, "rfloor": {tShut, 'f'}, "lceil": {tOpen, 'k'}, "rceil": {tShut, 'k'}, "circ": {tDegree, 0},
	"infin": {tConstant, 0}, "over": {tCommand, 'o'}, "lor ": {tAnd, 0}, "And": {tAnd, 0},
}

// structural are the commands that the parser itself takes arguments for.
var structural = map[string]bool{
	"frac": true, "sqrt": true, "binom": true, "sum": true, "prod": true, "int": true, "begin": true, "overline": true, "bar": true,
	"vec": true, "hat": true, "tilde": true, "widehat": true, "overrightarrow": true, "dot": true, "ddot": true, "pmod": true,
	"boxed": true, "fbox": true, "overset": true, "stackrel": true, "underset": true, "underline": true, "overbrace": true, "underbrace": true,
	"operatorname": true, "mathbb": true, "cancel": true, "color": true, "textcolor": true, "char": true, "end": true,
	"widetilde": true, "overarc": true, "not": true, "tag": true, "label": true, "hspace": true,
}

// synonyms maps a command to the one that it is another name of.
var synonyms = map[string]string{
	"dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "sfrac": "frac", "nicefrac": "frac", "dbinom": "binom", "tbinom": "binom",
	"varepsilon": "epsilon", "varphi": "phi", "vartheta": "theta", "varrho": "rho", "varsigma": "sigma", "hslash": "hbar",
	"operatorname*": "operatorname", "mathds": "mathbb", "bigvee": "vee", "upmu": "mu", "root": "sqrt",
}

// texts are the commands whose argument is words, alphabets those whose argument is a name or an expression.
var texts = map[string]bool{
	"text": true, "textbf": true, "textit": true, "textrm": true, "mbox": true, "hbox": true, "textnormal": true, "textsf": true,
	"texttt": true, "textup": true, "emph": true, "mathrm": true, "operatorname": true, "mathsf": true, "mathtt": true, "unit": true,
	"textsc": true, "mathit": true, "rm": true, "ce": true, "si": true,
}

var alphabets = map[string]bool{
	"mathbf": true, "mathcal": true, "mathfrak": true, "mathscr": true, "boldsymbol": true, "bm": true, "bold": true, "pmb": true,
}
