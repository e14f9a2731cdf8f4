# Calls functions of the program as it is asked to, until nobody asks any more.
def serve():
    import json

    job = json.loads(source("/program/call.json"))
    names = module_with_imports(False)
    write, say = literal, send
    for path in job["before"]:
        run("/program/" + path, names)
    run("/program/program.py", names)
    requests = os.fdopen(4, encoding="utf-8", errors="surrogatepass")
    say("ready")
    outer = {"__builtins__": {}, "set": set, "complex": complex, "inf": float("inf"), "nan": float("nan"), "ratio": lambda a, b: a / b}
    for line in requests:
        name, _, arguments = line.partition(" ")
        try:
            positional, named = eval(arguments, dict(outer))
            answer = "value " + write(names[name](*positional, **named))
        except Exception as problem:
            kinds = [k.__name__ for k in type(problem).__mro__ if getattr(builtins, k.__name__, None) is k]
            answer = "raised " + kinds[0]
        say(answer)


serve()
