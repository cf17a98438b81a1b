#!/bin/sh
# run.sh [PYTEST-OPTION...]: the tests of this folder, in real Linux kernels that run as processes.
#
# Where packages cannot be had it says so and nothing is tested; under CI=true that is a failure.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../../.." && pwd)
limit=1200 # seconds; a few minutes are enough on a machine with nothing else to do

if [ "$(id -u)" -ne 0 ]; then
    echo "The tests in a kernel of their own read all files of this machine, so only root can run them:" >&2
    echo "    sudo make test-burner" >&2
    exit 1
fi
status=0
made=$("$here/prepare.sh") || status=$?
if [ $status -eq 3 ] && [ "${CI:-}" != true ]; then
    echo "The tests in a real kernel are left out." >&2
    exit 0
fi
[ $status -eq 0 ] || exit 1

work=$(mktemp -d)
guests=
trap 'kill $guests 2>/dev/null || true; wait; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
python=$(readlink -f "$repository/.venv/bin/python")
for file in "$here"/test_*.py; do # each in a kernel of its own, all at a time
    results=$work/$(basename "$file")
    mkdir "$results"
    printf '%s\n' "$file" "$@" >"$results/arguments"
    timeout --kill-after=5 $limit "$made/kernel/usr/bin/linux.uml" mem=2G quiet loglevel=1 con=null con0=null,fd:1 \
        root=none rootfstype=hostfs rootflags=/ ro "init=$here/guest.sh" "uml_dir=$results/uml" \
        "made=$made" "repository=$repository" "python=$python" "results=$results" \
        </dev/null >"$results/output" 2>&1 &
    guests="$guests $!"
done
# shellcheck disable=SC2086 # a list of numbers
wait $guests || true
guests=

failed=
for results in "$work"/*; do
    sed 's/\r$//' "$results/output"
    case $(cat "$results/status" 2>/dev/null || true) in
    0) ;;
    5) [ $# -gt 0 ] || failed=yes ;; # no test: the options chose those of other files
    "")
        failed=yes
        echo "The kernel for $(basename "$results") ended before its tests did, or after $limit seconds." >&2
        ;;
    *) failed=yes ;;
    esac
done
[ -z "$failed" ]
