run("/program/program.py", module_with_imports(True))
