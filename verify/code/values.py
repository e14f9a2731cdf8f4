# Writes values as Python literals. What is no plain value is written as a name that is equal to nothing.
def literal(value, depth=0, str=str, int=int, float=float, bool=bool, list=list, tuple=tuple, set=set, frozenset=frozenset,
            dict=dict, bytes=bytes, complex=complex, type=type, isinstance=isinstance, ascii=ascii, ValueError=ValueError):
    if depth > 90:
        raise ValueError("the value is nested too deeply")
    if value is None or value is True or value is False:
        return "None" if value is None else "True" if value is True else "False"
    below = lambda items: [literal(x, depth + 1) for x in items]
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value)
    if isinstance(value, str):
        return ascii(str.__str__(value))
    if isinstance(value, list):
        return "[" + ",".join(below(list.__iter__(value))) + "]"
    if isinstance(value, tuple):
        return "(" + "".join(x + "," for x in below(tuple.__iter__(value))) + ")"
    if isinstance(value, (set, frozenset)):
        base = set if isinstance(value, set) else frozenset
        return "{" + ",".join(below(base.__iter__(value))) + "}" if base.__len__(value) else "set()"
    if isinstance(value, dict):
        return "{" + ",".join(literal(k, depth + 1) + ":" + literal(v, depth + 1) for k, v in dict.items(value)) + "}"
    if isinstance(value, bytes):
        return ascii(bytes(value))
    if isinstance(value, complex):
        return "complex(" + float.__repr__(complex(value).real) + "," + float.__repr__(complex(value).imag) + ")"
    kind = type(value)
    if kind.__module__ in ("fractions", "decimal") and kind.__name__ in ("Fraction", "Decimal"):
        try:
            above, under = value.as_integer_ratio()
            return "ratio(" + int.__repr__(above) + "," + int.__repr__(under) + ")"
        except (ValueError, OverflowError):
            return "opaque"
    return "opaque"


def send(text, write=os.write):
    rest = text.encode("utf-8", "backslashreplace") + b"\n"
    while rest:
        rest = rest[write(3, rest):]
