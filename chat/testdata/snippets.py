#!/usr/bin/env python3
"""Makes golden renderings of small templates with Python's jinja2 (3.1), in an environment set up as transformers does.

  python3 snippets.py --keep 2400 > snippets.jsonl      the file in the repository
  python3 snippets.py --count 12000 --seed 5            more of them, for RETORT_SNIPPETS

Every line is {"t": template, "o": output} or {"t": template, "e": class of the exception}. All are rendered with the
variables of VARIABLES, which are the first line: {"v": variables}. Templates whose output holds an address are left out.
"""
import argparse
import copy
import datetime
import json
import random
import re
import sys

import jinja2
import jinja2.ext
import jinja2.sandbox

VARIABLES = {
    "n": 7, "m": -3, "z": 0, "big": 12345678901234567890123, "f": 2.5, "g": -0.125, "e": 1e22, "yes": True, "no": False,
    "none": None, "s": "Hello, World", "t": "  two\n words\t", "u": "Köln ß İ 😀 Σας", "empty": "", "h": "<b>&'\"</b>", "d": "12",
    "l": [3, 1, 2], "w": ["b", "A", "c", "a"], "el": [], "x": [1, "a", None, True, 2.0, [1], {"k": 1}],
    "o": {"b": 1, "a": "x", "items": 3, "c": {"deep": [1, 2, {"q": "z"}]}}, "eo": {},
    "p": [{"name": "Bo", "age": 3, "in": {"v": 1}}, {"name": "al", "age": 1, "in": {"v": 2}}, {"name": "Cy", "age": 2}],
}


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("render"), [], [], body).set_lineno(line)

    def render(self, caller):
        return caller()


class Dict:
    def __call__(self, *args, **kwargs):
        return dict(*args, **kwargs)

    def fromkeys(self, *args, **kwargs):
        return dict.fromkeys(*args, **kwargs)


def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda f: datetime.datetime(2024, 7, 26, 15, 4, 5).strftime(f)
    env.globals["dict"] = Dict()
    return env


# A text that holds the name or the address of an iterator or of a function.
ADDRESS = re.compile("generator|iterator|<reversed|0x[0-9a-f]{6}|<built|<bound|<function|<eeao|dict_k|dict_v|dict_i|tcejbo|g-e-n-e|b-u-i-l|'g', 'e', 'n'", re.IGNORECASE)


def never_constant(self, *args, **kwargs):
    """The compiler folds a slice of a constant to undefined where the same slice of a variable raises; here it raises always."""
    raise jinja2.nodes.Impossible()


jinja2.nodes.Slice.as_const = never_constant

TEXTS = ["s", "t", "u", "empty", "h", "d", "'a-b c'", "'x'", "(h|safe)", "'l\\nm\\n\\nn'", "'aXbXc'", "'3.7'", "' 42 '", "'-5'", "'ǆ ﬁ'", "'it''s'"]
NUMBERS = ["n", "m", "z", "big", "f", "g", "e", "0", "1", "2", "-1", "3.0", "1e100", "10", "0.1", "1e-7", "123456789.125"]
OTHERS = ["yes", "no", "none", "l", "w", "el", "x", "o", "eo", "p", "missing", "o.c", "o.c.deep", "p[0]", "x[5]", "(1,)", "(1, 'a')", "()", "range(4)", "[1, 2]", "{'a': 1}", "[[2, 1], [1, 2]]", "o.items()", "o.nope", "[1.5, 2]", "{1: 2, 'z': none}"]
VALUES = TEXTS + NUMBERS + OTHERS

FILTERS = {
    "abs": [""], "batch": ["(2)", "(2, 'f')", "(0)"], "capitalize": [""], "center": ["", "(20)", "(3)", "(15)", "(8)"], "count": [""], "default": ["", "('z')", "('z', true)", "(boolean=true)"],
    "dictsort": ["", "(true)", "(false, 'value')", "(reverse=true)", "(by='nope')"], "e": [""], "escape": [""], "filesizeformat": ["", "(true)"],
    "first": [""], "float": ["", "(1.5)", "('q')"], "forceescape": [""], "format": ["", "(1)", "('a', 2)", "(a=1)"], "groupby": ["('name')", "('age')", "(0)", "('in.v', default=9)"],
    "indent": ["", "(2)", "('>')", "(2, true)", "(2, true, true)", "(1, false, true)"], "int": ["", "(9)", "(0, 16)", "(0, 8)", "(base=2)"], "join": ["", "(', ')", "(1)", "('-', 'name')", "(attribute='age')"],
    "last": [""], "length": [""], "list": [""], "lower": [""], "items": [""], "map": ["('upper')", "(attribute='name')", "(attribute='in.v', default=0)", "('default', 1)", "()", "('nope')", "('int')"],
    "max": ["", "(attribute='age')", "(true)"], "min": ["", "(attribute='age')", "(true)"], "reject": ["", "('odd')", "('equalto', 1)", "('none')", "('string')"], "rejectattr": ["('age')", "('age', 'equalto', 2)", "('in', 'defined')"],
    "replace": ["('l', 'L')", "('l', 'L', 1)", "('', '-')", "(1, 2)", "('<', '>')", "('a')"], "reverse": [""], "round": ["", "(1)", "(2)", "(-1)", "(0, 'ceil')", "(1, 'floor')", "(1, 'nope')"],
    "safe": [""], "select": ["", "('odd')", "('>', 1)", "('string')", "('in', [1, 2])", "('nope')"], "selectattr": ["('age')", "('age', '>', 1)", "('name', 'equalto', 'Bo')", "()"], "slice": ["(2)", "(3, 'f')", "(0)"],
    "sort": ["", "(true)", "(case_sensitive=true)", "(attribute='name')", "(attribute='age,name')", "(reverse=true, attribute='age')"], "string": [""], "striptags": [""], "sum": ["", "('age')", "(start=10)", "(attribute='age', start=1.5)"],
    "title": [""], "tojson": ["", "(indent=2)", "(2)", "(true)", "(ensure_ascii=true)", "(separators=(',', ':'))", "(sort_keys=true)", "(indent='\\t')", "(indent=0)"], "trim": ["", "('H')", "(' \\n')", "(none)"],
    "truncate": ["(5)", "(5, true)", "(7, false, '', 0)", "(3, true, '..', 0)", "(2)"], "unique": ["", "(true)", "(attribute='age')"], "upper": [""], "urlencode": [""], "wordcount": [""], "d": ["(1)"], "attr": ["('name')", "('upper')"], "nosuch": [""],
}

METHODS = {
    "capitalize": ["()"], "casefold": ["()"], "center": ["(20)", "(9, '*')", "(6)"], "count": ["('l')", "('')", "('l', 3)", "('o', 0, 6)", "(1)"], "endswith": ["('d')", "(('a', 'd'))", "('lo', 0, 5)", "('')"],
    "expandtabs": ["()", "(4)"], "find": ["('o')", "('zz')", "('o', 5)", "('o', -3)", "('', 99)", "('')"], "format": ["()", "(1, 2)", "(a=1)"], "index": ["('o')", "('zz')", "(1)", "(3, 1)"], "isalnum": ["()"], "isalpha": ["()"], "isascii": ["()"],
    "isdecimal": ["()"], "isdigit": ["()"], "isidentifier": ["()"], "islower": ["()"], "isnumeric": ["()"], "isprintable": ["()"], "isspace": ["()"], "istitle": ["()"], "isupper": ["()"],
    "join": ["(w)", "(['a', 1])", "('xyz')", "([h, 'a'])"], "ljust": ["(15)", "(15, '.')"], "lower": ["()"], "lstrip": ["()", "('H ')"], "partition": ["(' ')", "('')", "('q')"], "removeprefix": ["('Hel')", "(1)"], "removesuffix": ["('ld')"],
    "replace": ["('l', 'L')", "('l', '<', 2)", "('', '-')", "('', '-', 2)", "('o')"], "rfind": ["('o')", "('o', 0, 5)"], "rindex": ["('q')"], "rjust": ["(15, '0')"], "rpartition": ["('o')", "('q')"], "rsplit": ["()", "('o', 1)", "(none, 1)", "('l', 2)", "(maxsplit=1)"],
    "rstrip": ["()", "('d\\t')"], "split": ["()", "('o')", "('o', 1)", "(none, 1)", "('')", "(sep='l', maxsplit=2)", "('X')", "('l', 0)"], "splitlines": ["()", "(true)"], "startswith": ["('He')", "(('x', 'H'))", "('l', 2)", "(1)"], "strip": ["()", "('Hd')", "(none)", "(1)"],
    "swapcase": ["()"], "title": ["()"], "upper": ["()"], "zfill": ["(15)", "(2)"], "keys": ["()"], "values": ["()"], "items": ["()"], "get": ["('a')", "('q')", "('q', 5)", "()", "([])"], "copy": ["()"], "append": ["(1)"], "pop": ["()"], "update": ["({})"],
    "nope": ["()"], "__class__": [""], "real": [""], "is_integer": ["()"],
}

TESTS = ["boolean", "callable", "defined", "divisibleby 2", "escaped", "even", "false", "filter", "float", "in [1, 'x', 2.5]", "in 'Hello'", "integer", "iterable", "lower", "mapping", "none", "number", "odd", "sameas none", "sameas true", "sequence", "string", "true", "undefined", "upper",
         "equalto 7", "eq 'x'", "ne 1", "gt 1", "lessthan 3", "ge(2)", "not defined", "not none", "divisibleby(3)", "test", "nosuch"]

SLICES = ["[0]", "[-1]", "[1:]", "[:2]", "[::-1]", "[1:3]", "[-2:]", "[::2]", "[5:1:-2]", "[10]", "[:-1]", "['a']", "['items']", "[none]", "[1.0]", "[true]", "[::0]", "['a':]", "[:100]", "[-100:2]", ".0", ".a", ".items", "['upper']"]
BINARY = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]
WHOLE = [
    "{{ '%s is %d' % ('a', 3) }}", "{{ '%05.1f|%-5s|%5s|%x|%o|%e|%g' % (3.14159, 'a', 'b', 255, 8, 12345.678, 0.0001) }}", "{{ '%(a)s-%(b)03d' % {'a': 1, 'b': 2} }}", "{{ '%s' % [1] }}", "{{ '%s %s' % 'a' }}", "{{ '%d' % 'a' }}", "{{ '%%' % () }}",
    "{{ 'a' % 1 }}", "{{ 'a' % [1] }}", "{{ '%r' % 'a' }}", "{{ '%c%c' % (65, 'b') }}", "{{ '%+d % d' % (1, 2) }}", "{{ '%.2s' % 'abc' }}", "{{ '%*d' % (5, 1) }}", "{{ '%i' % 2.9 }}", "{{ '%s' % missing }}", "{{ '%#x %X' % (255, 255) }}", "{{ '%.3d' % 5 }}", "{{ '%G' % 1e-10 }}",
    "{{ '{} {}'.format(1, 2) }}", "{{ '{0}{1}{0}'.format('a', 'b') }}", "{{ '{a.b} {a[b]}'.format(a={'b': 1}) }}", "{{ '{:>5}|{:<5}|{:^5}|{:*^7}'.format('a', 'b', 'c', 'd') }}", "{{ '{:05d} {:+} {:,} {:_}'.format(42, 1, 1234567, 1234567) }}", "{{ '{:.2f} {:e} {:g} {:%}'.format(3.14159, 1234.5, 0.5, 0.25) }}",
    "{{ '{!r} {!s}'.format('a', 'b') }}", "{{ '{{}} {}'.format(1) }}", "{{ '{'.format(1) }}", "{{ '}'.format(1) }}", "{{ '{}'.format() }}", "{{ '{:d}'.format('a') }}", "{{ '{:x} {:b} {:o} {:#x}'.format(255, 5, 8, 255) }}", "{{ '{:{w}}'.format('a', w=5) }}", "{{ '{:>10.3}'.format('abcdef') }}", "{{ '{x}'.format_map({'x': 1}) }}", "{{ '{:.3}'.format(2.0) }}", "{{ '{:5}'.format(true) }}", "{{ '{}'.format(none) }}", "{{ '{:5}'.format(none) }}", "{{ '{:c}'.format(65) }}", "{{ '{0.__class__}'.format(1) }}", "{{ '{a[0]}'.format(a=[5]) }}", "{{ '{1} {}'.format(1, 2) }}", "{{ (h|safe).format(1) }}", "{{ ('<i>{}</i>'|safe).format('<') }}", "{{ '<i>%s</i>'|safe % '<' }}",
    "{% for i in range(3) %}{{ loop.index }}{{ loop.first }}{{ loop.last }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.length }},{% endfor %}", "{% for i in l %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }};{% endfor %}", "{% for i in el %}x{% else %}none{% endfor %}", "{% for k, v in o.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k in o %}{{ k }}{% endfor %}",
    "{% for i in l if i > 1 %}{{ loop.index }}:{{ i }} {{ loop.length }} {% else %}e{% endfor %}", "{% for i in l if i > 9 %}{{ i }}{% else %}e{% endfor %}", "{% for i in missing %}x{% else %}y{% endfor %}", "{% for i in none %}x{% endfor %}", "{% for i in 5 %}x{% endfor %}", "{% for a, b in [[1, 2], [3, 4]] %}{{ a }}{{ b }}{% endfor %}", "{% for a, b in [[1, 2, 3]] %}{{ a }}{% endfor %}", "{% for a, b in [[1]] %}{{ a }}{% endfor %}", "{% for (a, b), c in [[[1, 2], 3]] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for i in l %}{% for j in w %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}", "{% for i in l %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for i in [1, 1, 2] %}{{ loop.changed(i) }}{% endfor %}", "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}", "{% for i in l %}{% break %}{% else %}else{% endfor %}", "{% for i in l %}{% continue %}{% else %}else{% endfor %}", "{% for i in l recursive %}{{ i }}{% endfor %}", "{% for i in [[1, [2, []]], [3, []]] recursive %}{{ i[0] if i is iterable else i }}{{ loop.depth }}{% if i[1] %}({{ loop([i[1]]) }}){% endif %}{% endfor %}", "{% for i in l %}{{ loop(1) }}{% endfor %}", "{% for loop in l %}{% endfor %}", "{% for i in l %}{% set loop = 1 %}{% endfor %}", "{% break %}", "{{ loop }}", "{% for c in u %}{{ c }}.{% endfor %}",
    "{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}", "{% set ns = namespace(a=1) %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns }}", "{% set ns = namespace({'q': 1}, r=2) %}{{ ns.q }}{{ ns['r'] }}", "{% set o.q = 1 %}", "{% set missing.q = 1 %}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a, b = 1 %}", "{% set a = 1, 2 %}{{ a }}", "{% set q %}a{{ n }}{% endset %}{{ q }}{{ q|length }}", "{% set q | upper | trim %} abc {% endset %}[{{ q }}]", "{% set ns = namespace() %}{% set ns.x %}v{% endset %}{{ ns.x }}", "{% if true %}{% set q = 1 %}{% endif %}{{ q }}", "{% if false %}{% set n = 1 %}{% endif %}{{ n }}", "{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a + ns.b }}", "{% set true = 1 %}", "{% set x = %}", "{% set 'a' = 1 %}",
    "{% macro m(a, b=2, c='z') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(c=1, a=5) }}{{ m() }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(q=2) }}", "{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}", "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}", "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}", "{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}body {{ n }}{% endcall %}", "{% macro m() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b) m() %}{{ a + b }}{% endcall %}", "{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}", "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}", "{% macro f(k) %}{% if k %}{{ k }}{{ f(k - 1) }}{% endif %}{% endmacro %}{{ f(5) }}", "{% macro m(a, a) %}{% endmacro %}", "{% macro m(a=1, b) %}{% endmacro %}", "{% macro m() %}{{ x1 }}{% endmacro %}{% set x1 = 5 %}{{ m() }}", "{{ m() }}{% macro m() %}{% endmacro %}", "{% macro m() %}{% set n = 1 %}{{ n }}{% endmacro %}{{ m() }}{{ n }}", "{% macro m(x) %}{{ x }}{% endmacro %}{{ m.name }}{{ m.arguments }}{{ m.catch_kwargs }}{{ m }}", "{% macro m(a, b=1) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1, 2]) }}{{ m(**{'a': 3}) }}{{ m(*[1], **{'b': 4}) }}", "{% macro _m() %}1{% endmacro %}{{ _m() }}", "{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}",
    "{% filter upper %}abc {{ s }}{% endfilter %}", "{% filter replace('a', 'b') | upper %}abc{% endfilter %}", "{% filter indent(2) %}a\nb{% endfilter %}", "{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% with %}{% set n = 3 %}{{ n }}{% endwith %}{{ n }}", "{% generation %}a{{ n }}{% endgeneration %}", "{% generation %}{% set n = 1 %}{{ n }}{% endgeneration %}{{ n }}", "{% print n, s %}", "{% block a %}x{{ n }}{% endblock %}", "{% block a %}1{% endblock a %}", "{% for i in l %}{% block q scoped %}{{ i }}{% endblock %}{% endfor %}", "{% for i in l %}{% block q %}{{ i }}{% endblock %}{% endfor %}", "{% raw %}{{ n }}{% if %}{% endraw %}", "  {%- raw -%}  a {% endraw %} b", "{% raw %}", "a{# c #}b{#- d -#} e", "{# unclosed",
    "{% if n %}a{% elif m %}b{% else %}c{% endif %}", "{% if z %}a{% elif m %}b{% else %}c{% endif %}", "{% if z %}a{% elif no %}b{% else %}c{% endif %}", "{% if %}{% endif %}", "{% if n %}", "{% endif %}", "{% else %}", "{% nope %}", "{% do n %}", "{{ }}", "{{ n", "{{ n }", "{% if n }}", "{{ (n }}", "{{ [n) }}", "{{ n) }}", "{{ 1 2 }}", "{{ n! }}", "{{ 'abc }}", "{{ n.  }}", "{{ 1 if }}", "{{ 1 if n }}", "{{ 1 if z }}", "{{ (1 if z) is defined }}", "{{ (1 if z) + 1 }}", "{{ 1 if n else 2 if z else 3 }}", "{{ not n }}{{ not not n }}", "{{ -n }}{{ +n }}{{ --n }}", "{{ -n ** 2 }}", "{{ 2 ** 3 ** 2 }}", "{{ 2 ** -1 }}", "{{ 1 < 2 < 3 }}{{ 1 < 3 < 2 }}{{ 3 > 2 == 2 }}", "{{ 1 + 2 ~ 3 + 4 }}", "{{ 'a' 'b' }}", "{{ 'a\\n\\t\\x41\\u00e9\\'\\\"\\\\\\q\\101' }}", "{{ '\\é' }}", "{{ '\\xZZ' }}", "{{ 1_000 }}{{ 0x1F }}{{ 0b11 }}{{ 0o17 }}{{ 1e3 }}{{ 1.5e-3 }}{{ 0x_f }}{{ 00 }}", "{{ 012 }}", "{{ 1. }}", "{{ .5 }}", "{{ 1..real }}", "{{ n.real }}", "{{ true }}{{ True }}{{ false }}{{ none }}{{ None }}", "{{ trueish }}", "{{ {'a': 1, 'a': 2, 1: 3, 1.0: 4, true: 5} }}", "{{ {[]: 1} }}", "{{ {(1, 'a'): 2}[(1, 'a')] }}", "{{ [1, 2,] }}{{ (1,) }}{{ {'a': 1,} }}", "{{ () }}{{ [] }}{{ {} }}", "{{ (n) }}", "{{ n, m }}", "{{ 1 is odd and 2 is even }}", "{{ 1 is defined is true }}", "{{ x is defined if y }}", "{{ n is not none }}", "{{ n is divisibleby 7 + 1 }}", "{{ 'a' is in 'abc' }}", "{{ n is in l or true }}", "{{ s|upper|lower|title }}", "{{ -1|abs }}", "{{ (-1)|abs }}", "{{ n|default('a')|upper }}", "{{ missing.a }}", "{{ missing['a'] }}", "{{ missing() }}", "{{ missing + 1 }}", "{{ 'a' + missing }}", "{{ 'a' ~ missing }}", "{{ missing|upper }}|{{ missing|list }}|{{ missing|length }}", "{{ missing == missing2 }}{{ missing == none }}", "{{ missing < 1 }}", "{{ missing in l }}{{ 1 in missing }}", "{{ missing|int }}", "{{ missing|float }}", "{{ missing|tojson }}", "{{ [missing]|join('-') }}{{ [missing] }}", "{{ o.zz.yy }}", "{{ o['zz'] }}", "{{ none.a }}", "{{ none.a.b }}", "{{ none['a'] }}", "{{ o.nope[1:] }}", "{% set q = none %}{{ q[1:] }}", "{{ n.a }}", "{{ n[0] }}", "{{ n[0:1] }}", "{{ n() }}", "{{ s() }}", "{{ s.upper }}" if False else "{{ s.upper() }}", "{{ o.items }}" if False else "{{ o['items'] }}", "{{ raise_exception('boo') }}", "{{ raise_exception() }}", "{{ strftime_now('%d %b %Y %H:%M:%S %A %B %j %y %p %I %-d %m %%') }}", "{{ range(3)|list }}{{ range(1, 7, 2)|list }}{{ range(3, 0, -1)|list }}{{ range(5)[1:3] }}{{ range(0) }}", "{{ range(100001) }}", "{{ range(1, 2, 0) }}", "{{ range('a') }}", "{{ range(3)|length }}{{ 2 in range(3) }}{{ range(9)[-1] }}", "{{ dict(a=1, b=2) }}{{ dict([[1, 2]]) }}{{ dict({'a': 1}, b=2) }}", "{{ dict(1) }}", "{{ dict.fromkeys([1, 2], 0) }}", "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.next() }}", "{% set j = joiner('|') %}{{ j() }}a{{ j() }}b{{ j() }}", "{{ h|safe + '<' }}", "{{ '<' + h|safe }}", "{{ (h|safe) ~ '<' }}", "{{ [h|safe, '<']|join }}", "{{ (h|safe)|length }}{{ (h|safe)[0] }}", "{{ (h|safe) * 2 }}{{ ((h|safe) + 'a')|e }}", "{{ h|e|e }}", "{{ (h|e).split(';') }}", "{{ (h|safe).join(['<', 'a'|safe]) }}", "{{ (h|safe).replace('b', '<') }}", "{{ (h|safe) == h }}{{ (h|safe) in [h] }}", "{{ {h|safe: 1}[h] }}", "{{ [h|safe] }}", "{{ (h|safe)|tojson }}", "{{ (h|safe)|replace('b', '<') }}", "{{ (h|safe)|upper + '<' }}", "{{ 'a' * -1 }}|{{ 3 * 'ab' }}|{{ [1] * 2 }}", "{{ 'a' * 1.0 }}", "{{ 'a' * 'b' }}", "{{ 7 // 2 }}{{ -7 // 2 }}{{ 7 % -3 }}{{ -7 % 3 }}{{ 7.5 // 2 }}{{ -7.5 % 2 }}", "{{ 1 / 2 }}{{ 4 / 2 }}{{ 1 // 0 }}", "{{ 1 / 0 }}", "{{ 1 % 0 }}", "{{ 2 ** 100 }}{{ 9999999999 * 9999999999 }}", "{{ 9223372036854775807 + 1 }}{{ -9223372036854775808 - 1 }}", "{{ 1e16 }}{{ 123456789012345678.0 }}{{ 0.1 + 0.2 }}{{ 1e-5 }}{{ 100000.0 }}{{ 1e15 }}{{ -0.0 }}", "{{ 3 == 3.0 }}{{ true == 1 }}{{ '1' == 1 }}{{ [1] == (1,) }}{{ none == false }}", "{{ [1, 2] < [1, 3] }}{{ 'a' < 'b' }}", "{{ [1] < 1 }}", "{{ 1 < 'a' }}", "{{ {} < {} }}", "{{ none < 1 }}", "{{ 1 in 'a' }}", "{{ 'a' in {'a': 1} }}{{ 1 in [1.0] }}", "{{ 'a' in none }}", "{{ 'a' in 5 }}", "{{ [] in {} }}", "{{ l[::-1]|join }}", "{{ x|tojson }}{{ o|tojson(indent=2) }}", "{{ big|tojson }}{{ e|tojson }}{{ f|tojson }}", "{{ u|tojson }}{{ u|tojson(ensure_ascii=true) }}", "{{ {1: 2, none: 3, true: 4, 1.5: 5}|tojson }}", "{{ {(1,): 2}|tojson }}", "{{ range(3)|tojson }}", "{{ o.items()|tojson }}", "{{ namespace(a=1)|tojson }}", "{{ p|map(attribute='name')|map('upper')|join(', ') }}", "{{ p|selectattr('age', 'gt', 1)|map(attribute='name')|list }}", "{{ p|sum(attribute='age') }}", "{{ l|map('string')|list }}", "{{ l|select|first }}", "{{ (l|map('string'))|length }}", "{{ w|sort|join }}{{ w|unique|list }}{{ w|sort(case_sensitive=true) }}", "{% set g = l|map('string') %}{{ g|list }}{{ g|list }}", "{% set g = l|select %}{% for i in g %}{{ loop.last }}{% endfor %}", "{% for i in l|reverse %}{{ i }}{{ loop.length }}{% endfor %}", "{% for i in l|map('string') %}{{ loop.length }}{{ loop.index }}{{ loop.revindex }}{% endfor %}", "{{ p|groupby('age')|map(attribute='grouper')|list }}", "{% for g in p|groupby('age') %}{{ g.grouper }}{{ g.list|length }}{% endfor %}", "{{ o|dictsort }}", "{{ o|items|list }}", "{{ l|items }}" if False else "{{ l|items|list }}", "{{ 'abc'|list }}{{ 'abc'|first }}{{ 'abc'|last }}{{ 'abc'|reverse }}", "{{ x|map('string')|join('|') }}", "{{ l|first }}{{ el|first }}{{ el|last }}{{ el|max }}", "{% if n is nosuch %}{% endif %}", "{% if z %}{{ n|nosuch }}{% endif %}ok", "{% if n %}{{ n|nosuch }}{% endif %}", "{{ n|nosuch if z else 1 }}", "{% if z %}{% for i in l %}{{ n|nosuch }}{% endfor %}{% endif %}", "{% include 'a' %}", "{{ f(a=1, a=2) }}", "{{ dict(a=1, **{'a': 2}) }}", "{{ s.split(sep='o') }}", "{{ s.replace(old='o', new='a') }}", "{{ self }}" if False else "{{ n }}", "{{ caller }}", "{{ varargs }}",
]


def whitespace(r):
    tags = ["{% if n %}", "{% endif %}", "{{ n }}", "{# c #}", "{% set q = 1 %}"]
    texts = ["", " ", "\n", "  \n", "\n  ", "a", " a ", "\n\n", "\t", "a\n", "\n b", "\r\n", "\r", "\u2003", " \n \n "]
    out, open_ = "", 0
    for _ in range(r.randint(2, 7)):
        out += r.choice(texts)
        tag = r.choice(tags)
        if tag == "{% endif %}":
            if not open_:
                continue
            open_ -= 1
        elif tag.startswith("{% if"):
            open_ += 1
        left, right = r.choice(["", "", "-", "+"]), r.choice(["", "", "-", "+"] if tag[1] != "{" else ["", "", "-"])
        out += tag[:2] + left + tag[2:-2] + right + tag[-2:]
    out += r.choice(texts) + "{% endif %}" * open_ + r.choice(texts)
    return out


def expression(r, depth):
    if depth == 0 or r.random() < 0.15:
        return r.choice(VALUES)
    k = r.randrange(9)
    inner = lambda: expression(r, depth - 1)
    if k == 0:
        return f"({inner()} {r.choice(BINARY)} {inner()})"
    if k <= 3:
        name = r.choice(list(FILTERS))
        return f"({inner()}|{name}{r.choice(FILTERS[name])})"
    if k == 4:
        name = r.choice(list(METHODS))
        return f"({inner()}).{name}{r.choice(METHODS[name])}"
    if k == 5:
        return f"({inner()} is {r.choice(TESTS)})"
    if k == 6:
        return f"({inner()}){r.choice(SLICES)}"
    if k == 7:
        return f"({inner()} if {inner()} else {inner()})"
    return r.choice(["[{}, {}]", "({}, {})", "{{'k': {}, 'j': {}}}", "({} ~ {})", "({} {{}} {})".replace("{}", "{}", 1)][:4]).format(inner(), inner())


def snippets(count, seed):
    r = random.Random(seed)
    yield from WHOLE
    for name, forms in FILTERS.items():
        for form in forms:
            for v in r.sample(VALUES, 9):
                yield "{{ " + f"({v})|{name}{form}" + " }}"
                yield "{{ " + f"({v})|{name}{form}" + "|list }}"
    for name, forms in METHODS.items():
        for form in forms:
            for v in r.sample(TEXTS, 5) + r.sample(OTHERS, 3) + r.sample(NUMBERS, 1):
                yield "{{ " + f"({v}).{name}{form}" + " }}"
    for test in TESTS:
        for v in r.sample(VALUES, 12):
            yield "{{ " + f"({v}) is {test}" + " }}"
    for s in SLICES:
        for v in r.sample(VALUES, 10):
            yield "{{ " + f"({v}){s}" + " }}"
    for op in BINARY:
        for _ in range(40):
            yield "{{ " + f"({r.choice(VALUES)}) {op} ({r.choice(VALUES)})" + " }}"
    for _ in range(count // 4):
        yield whitespace(r)
    for _ in range(count):
        yield "{{ " + expression(r, r.randint(2, 4)) + " }}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=int, default=0, help="of the generated ones, at random; 0 is all")
    options = parser.parse_args()
    env = environment()
    print(json.dumps({"v": VARIABLES}, ensure_ascii=False))
    seen = set()
    sources = list(snippets(options.count, options.seed))
    if options.keep:
        generated = sources[len(WHOLE):]
        sources = WHOLE + random.Random(options.seed).sample(generated, min(options.keep, len(generated)))
    for source in sources:
        if source in seen:
            continue
        seen.add(source)
        line = {"t": source}
        try:
            line["o"] = env.from_string(source).render(**copy.deepcopy(VARIABLES))
            line["o"].encode()
        except UnicodeEncodeError:
            continue
        except Exception as error:
            line["e"] = type(error).__name__
        if ADDRESS.search(line.get("o", "")) or len(line.get("o", "")) > 600:
            continue
        print(json.dumps(line, ensure_ascii=False))


if __name__ == "__main__":
    main()
