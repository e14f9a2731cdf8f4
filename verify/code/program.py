# Runs /program/program.py as the main module, and leaves nothing of this file in it.
import builtins
import os
import sys
import types

del sys.path[0]
if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)


def module_with_imports(wanted):
    """A new main module; with wanted, it holds the names that answers to contest problems take for granted."""
    module = types.ModuleType("__main__")
    names = module.__dict__
    names["__builtins__"] = builtins
    if wanted:
        import importlib

        for library in (
            "string re datetime collections heapq bisect copy math random statistics "
            "itertools functools operator io sys json typing time"
        ).split():
            part = importlib.import_module(library)
            public = getattr(part, "__all__", None) or [n for n in dir(part) if not n.startswith("_")]
            for name in public:
                if not hasattr(builtins, name):
                    names[name] = getattr(part, name)
        for library in "string re datetime collections heapq bisect copy math random statistics itertools functools operator io sys json time".split():
            names[library] = sys.modules[library]
        sys.setrecursionlimit(50000)
    sys.modules["__main__"] = module
    return names


def source(path):
    with open(path, encoding="utf-8", errors="surrogatepass") as file:
        return file.read()


def run(path, names):
    try:
        code = compile(source(path), os.path.basename(path), "exec")
    except SyntaxError:
        if path.endswith("/prompt.py"):  # the beginning of a function, which is nothing without its end
            return
        raise
    exec(code, names)
