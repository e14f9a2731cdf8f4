# Medians and ratios of the lines of JSON that compare.sh collected.
#
#   python3 bench/compare.py lines.jsonl
import json, statistics, sys

rounds = {}
for line in map(json.loads, open(sys.argv[1])):
    rounds.setdefault((line["what"], line["threads"]), {}).setdefault(line["by"], []).append(line)
print("| what | threads | by | s/step | tok/s | CPU s/step | tok/CPU s | Retort is, by the clock | by CPU time |")
print("| --- | --: | --- | --: | --: | --: | --: | --: | --: |")
for (what, threads), by in rounds.items():
    seconds = {name: statistics.median(l["seconds"] for l in lines) for name, lines in by.items()}
    cpu = {name: statistics.median(l["cpu_seconds"] or 0 for l in lines) for name, lines in by.items()}
    for name, lines in by.items():
        tokens = lines[0]["tokens"]
        row = [what, threads, name, f"{seconds[name]:.4f}", f"{tokens / seconds[name]:,.0f}"]
        row += [f"{cpu[name]:.4f}", f"{tokens / cpu[name]:,.0f}"] if cpu[name] else ["-", "-"]
        if name == "retort":
            row += ["", ""]
        else:
            row.append(f"{seconds[name] / seconds['retort']:.2f}x")
            row.append(f"{cpu[name] / cpu['retort']:.2f}x" if cpu["retort"] else "-")
        print("| " + " | ".join(map(str, row)) + " |")
    best = min((s, n) for n, s in seconds.items() if n != "retort")
    least = min((s, n) for n, s in cpu.items() if n != "retort")
    print(f"# {what}, {threads} threads: {best[0] / seconds['retort']:.2f}x the better of PyTorch ({best[1]})"
          + (f", {least[0] / cpu['retort']:.2f}x by CPU time ({least[1]})" if cpu["retort"] else ""))
