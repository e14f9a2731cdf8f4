"""Reads what runstore/internal/parquet wrote with pyarrow, and compares every value bit by bit.

    mkdir peer
    RETORT_PEER=$PWD/peer go test ./runstore/internal/parquet -run Peer
    python3 bench/peer_parquet.py peer
"""

import struct
import sys

import pyarrow.parquet

folder = sys.argv[1]
table = pyarrow.parquet.read_table(folder + "/all.parquet")
columns = [table.column(i).to_pylist() for i in range(table.num_columns)]
wrong = 0
rows = 0
for line, row in zip(open(folder + "/all.tsv"), zip(*columns), strict=True):
    rows += 1
    for i, (want, got) in enumerate(zip(line.rstrip("\n").split("\t")[:-1], row, strict=True)):
        if got is None:
            text = "null"
        elif i == 1:
            text = str(struct.unpack("<Q", struct.pack("<d", got))[0])
        elif i == 2:
            text = str(got).lower()
        elif i > 2:
            text = got.encode().hex()
        else:
            text = str(got)
        wrong += text != want
print(table.schema)
print(f"{rows} rows, {wrong} values differ; metadata {table.schema.metadata}")
sys.exit(wrong > 0)
