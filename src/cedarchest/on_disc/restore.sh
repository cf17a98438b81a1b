#!/bin/sh
# Reads this disc with nothing but POSIX sh, awk, cp, find, grep, sed, sort and sha256sum.
set -eu
export LC_ALL=C # names are bytes
root=$(cd "$(dirname "$0")/.." && pwd)

usage() {
    cat <<END
usage: sh restore.sh days                    list the days on this disc
       sh restore.sh check [YYYY/MM/DD]      compare everything, or one day, with its checksums
       sh restore.sh day YYYY/MM/DD TARGET   copy a day to TARGET/YYYY/MM/DD and compare it
END
    exit 2
}

days() { (cd "$root" && find . -path './[0-9][0-9][0-9][0-9]/[0-9][0-9]/[0-9][0-9]' -prune | sed 's/^..//' | sort); }

# The newest line for each path counts: a later session may have replaced a file.
sums() {
    for file in "$root"/CEDARCHEST/sessions/*/SHA256SUMS; do cat "$file"; done |
        awk '{ path = substr($0, index($0, "  ") + 2); if (!(path in line)) order[++n] = path; line[path] = $0 }
             END { for (i = 1; i <= n; i++) print line[order[i]] }'
}

compare() { # compare BASE [DAY]: checks what stands below BASE
    sums | if [ $# -gt 1 ]; then grep "^[\\\\]*[0-9a-f]*  $2/" || true; else cat; fi |
        (cd "$1" && sha256sum --quiet -c -) && echo "no problems found"
}

case "${1-}" in
days) days ;;
check) compare "$root" ${2+"$2"} ;;
day)
    [ $# -eq 3 ] || usage
    [ -d "$root/$2" ] || { echo "restore.sh: there is no day $2 on this disc" >&2; exit 1; }
    [ ! -e "$3/$2" ] || { echo "restore.sh: $3/$2 is there already" >&2; exit 1; }
    mkdir -p "$3/$2"
    cp -RPp "$root/$2/." "$3/$2"
    compare "$3" "$2"
    ;;
*) usage ;;
esac
