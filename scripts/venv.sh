#!/bin/sh
# Make or mend .venv and install this checkout into it: scripts/venv.sh core | all
# "core" is what a photo needs (no torch); "all" adds training and the tests. A stamp that is newer than pyproject.toml
# says that nothing is to be done.
set -eu
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
what=$1

has_python() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# A .venv whose python is gone (moved, upgraded, copied from elsewhere) is of no use.
if [ -e "$venv" ] && ! has_python "$venv/bin/python"; then
    echo "$venv has no working python >= 3.11: making it anew"
    rm -rf "$venv"
fi

if [ ! -e "$venv" ]; then
    python=
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if has_python "$candidate"; then python=$candidate; break; fi
    done
    if [ -z "$python" ]; then
        echo "error: densedepth needs python 3.11 or newer, found: $(python3 --version 2>&1 || echo none)." >&2
        echo "Install one (Debian and Ubuntu: apt install python3.11 python3.11-venv; macOS: brew install python) or" >&2
        echo "name one: make PYTHON=/path/to/python3.12 ..." >&2
        exit 1
    fi
    if ! "$python" -m venv "$venv"; then
        rm -rf "$venv"
        echo "error: $python cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2
        exit 1
    fi
fi

fresh() { [ -e "$venv/$1.stamp" ] && [ "$venv/$1.stamp" -nt pyproject.toml ]; }

case $what in
    core) spec=. ; if fresh all || fresh core; then exit 0; fi ;;
    all) spec='.[train,dev]' ; if fresh all; then exit 0; fi ;;
    *) echo "usage: scripts/venv.sh core | all" >&2; exit 2 ;;
esac

echo "installing densedepth ($what) into $venv"
rm -f "$venv/$what.stamp"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable "$spec"
touch "$venv/$what.stamp"
