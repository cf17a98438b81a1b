#!/bin/sh
# make-venv.sh PYTHON DIRECTORY UV-VERSION: a virtual environment with uv in it.
set -eu
python=$1 directory=$2 uv=$3
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Python 3.11 or later is needed; $python is $("$python" --version 2>&1). Set PYTHON=..." >&2
    exit 1
}
if [ ! -x "$directory/bin/python" ] || ! "$directory/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$directory"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || "$(dirname "$0")"/need.sh python3-venv
    "$python" -m venv "$directory"
fi
[ -x "$directory/bin/uv" ] || "$directory/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$uv"
