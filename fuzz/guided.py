"""The same readers, led by the code that a file reaches: `pip install atheris; python fuzz/guided.py READER`.

For readers written in Python; decoders in C are not instrumented. What follows the name goes to libFuzzer
(`-max_total_time=600`, `-seed=1`, ...), which keeps the file of a finding in the working folder. It stops at the first.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris
from readers import READERS
from run import judged

with atheris.instrument_imports(include=["densedepth", "csv", "zipfile", "tarfile", "json"]):
    import densedepth.data.readers.folder
    import densedepth.data.readers.kitti_object
    import densedepth.data.readers.nyu
    import densedepth.data.readers.nyu_npy
    import densedepth.data.readers.nyu_official
    import densedepth.data.readers.nyu_sync
    import densedepth.data.readers.shards
    import densedepth.io
    import densedepth.runtime  # noqa: F401


def main() -> None:
    name, *options = sys.argv[1:]
    seeds = READERS[name].seeds()
    folder, corpus = (Path(tempfile.mkdtemp(prefix="fuzz-")) for _ in range(2))
    paths = []
    for number, seed in enumerate(seeds):
        home = folder / str(number)
        for other, data in seed.beside.items():
            (home / other).parent.mkdir(parents=True, exist_ok=True)
            (home / other).write_bytes(data)
        paths.append(home / seed.name)
        paths[-1].parent.mkdir(parents=True, exist_ok=True)
        # The first byte chooses the kind of file, the rest is what is in it.
        (corpus / str(number)).write_bytes(bytes([number]) + seed.data)

    def one(data: bytes) -> None:
        number = data[0] % len(seeds) if data else 0
        paths[number].write_bytes(seeds[number].wrap(data[1:]))
        problem = judged(READERS[name].read, paths[number], folder / str(number))
        if problem:
            raise RuntimeError(problem)

    atheris.Setup([sys.argv[0], *options, "-max_len=100000", str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
