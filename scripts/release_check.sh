#!/bin/sh
# Build the sdist, the wheel out of it, install that into an environment of its own and use it: make release
# Needs the environment of `make test` (hatchling builds there, without a network) and a package index for what the core
# depends on. Leaves both files in dist/.
set -eu
cd "$(dirname "$0")/.."
unset PYTHONPATH
venv=${VENV:-.venv}
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$venv/bin/python" -m hatchling build -t sdist -d "$work/dist" >/dev/null
mkdir "$work/source"
tar -xzf "$work"/dist/*.tar.gz -C "$work/source" --strip-components 1
(cd "$work/source" && "$venv/bin/python" -m hatchling build -t wheel -d "$work/dist" >/dev/null)

"$venv/bin/python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$work"/dist/*.whl
"$work/venv/bin/python" -m pip check --disable-pip-version-check
mkdir "$work/user"
cd "$work/user"
PATH=$work/venv/bin:$PATH
here=$(python -c 'import densedepth, pathlib; print(pathlib.Path(densedepth.__file__).parent)')
case $here in "$work"/*) ;; *) echo "error: densedepth comes from $here, not from the wheel" >&2; exit 1 ;; esac
if python -c 'import torch' 2>/dev/null; then
    echo "error: the wheel brought torch" >&2
    exit 1
fi
densedepth --version
densedepth models
densedepth predict "$here/examples/kitchen.jpg" -o out --format png16 npz
[ -s out/kitchen_depth.png ] && [ -s out/kitchen_depth.npz ]
densedepth doctor

cd - >/dev/null
rm -rf dist
mv "$work/dist" dist
echo "dist: $(ls dist | tr '\n' ' ')"
