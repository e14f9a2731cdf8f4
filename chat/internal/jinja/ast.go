package jinja

// expression is a node that has a value.
type expression interface{}

type (
	constant struct{ value Value }
	variable struct{ name string }
	// tupleOf, listOf and dictOf are displays.
	tupleOf struct{ items []expression }
	listOf  struct{ items []expression }
	dictOf  struct{ keys, values []expression }
	// attribute is of.name; item is of[index].
	attribute struct {
		of   expression
		name string
	}
	item struct{ of, index expression }
	// slice is of[start:stop:step]; a part may be nil.
	slice struct{ of, start, stop, step expression }
	call  struct {
		of   expression
		with *signature
	}
	// filter is of|name(...); of is nil for the filter of a block.
	filter struct {
		of   expression
		name string
		with *signature
	}
	test struct {
		of   expression
		name string
		with *signature
	}
	not   struct{ of expression }
	unary struct {
		op string
		of expression
	}
	binary struct {
		op          string // an operator of arithmetic, and, or
		left, right expression
	}
	// comparison is first op rest[0] op rest[1] ..., each pair compared.
	comparison struct {
		first     expression
		operators []string
		rest      []expression
	}
	concatenation struct{ items []expression }
	// conditional is then if test else otherwise, which may be nil.
	conditional struct{ test, then, otherwise expression }
)

// signature is what stands in the parentheses of a call.
type signature struct {
	positional   []expression
	names        []string
	named        []expression
	dynamic      expression // *x, or nil
	dynamicNames expression // **x, or nil
}

// target is what can be assigned to.
type target struct {
	name      string
	attribute string // of the namespace name, or ""
	items     []target
	isTuple   bool
}

// statement is a node that has an effect.
type statement interface{}

type (
	// output prints texts and expressions.
	output struct {
		line  int
		parts []expression
	}
	forLoop struct {
		line      int
		target    target
		iterable  expression
		test      expression // or nil
		recursive bool
		body      []statement
		otherwise []statement
	}
	branch struct {
		line int
		test expression // nil for else
		body []statement
	}
	ifElse struct{ branches []branch }
	assign struct {
		line   int
		target target
		value  expression
	}
	assignBlock struct {
		line   int
		target target
		filter expression // a chain of filters that begins with nil, or nil
		body   []statement
	}
	macro struct {
		line       int
		name       string // "" for the body of a call block
		parameters []string
		defaults   []expression // of the last parameters
		body       []statement
		// which of the special names the body reads
		readsCaller, readsKwargs, readsVarargs bool
	}
	callBlock struct {
		line  int
		call  *call
		macro *macro
	}
	filterBlock struct {
		line   int
		filter expression
		body   []statement
	}
	with struct {
		line    int
		targets []target
		values  []expression
		body    []statement
	}
	// scoped is a body with variables of its own: the generation tag.
	scoped struct{ body []statement }
	// block is a named block; without inheritance it is rendered where it stands.
	block struct {
		line     int
		name     string
		scoped   bool
		required bool
		body     []statement
	}
	breakLoop    struct{ line int }
	continueLoop struct{ line int }
)
