#!/bin/sh
# Two days of this machine's own files: staged, stored on a shelf disc, proven, damaged, found, restored.
set -eu
cd "$(dirname "$0")/.."
here=$(pwd)
program="$here/.venv/bin/cedarchest"
place=${DEMO:-demo}
rm -rf "$place"
unset CEDARCHEST_CONFIG CEDARCHEST_NOW

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { # the command as a user would type it, then what it says
    printf '$ %s\n' "$(echo "$*" | sed "s|$program|cedarchest|")"
    "$@"
}

stage() { # stage DAY: what a nightly job leaves, two peers and the mark that the day is complete
    day="$place/staging/$1"
    mkdir -p "$day/etc" "$day/licenses"
    find /etc -maxdepth 1 -type f -readable -size -200k -exec cp -p {} "$day/etc/" \; 2>/dev/null
    cp -rLp /usr/share/common-licenses/. "$day/licenses/"
    [ -z "${2-}" ] || echo "a note of the second day" >"$day/etc/$2"
    touch "$day/cback.stage"
    echo "$day: $(find "$day" -type f | wc -l) files, $(du -sh "$day" | cut -f1), from /etc and /usr/share/common-licenses"
}

say "1. A configuration, and a first day staged from this machine"
show "$program" init "$place"
export CEDARCHEST_CONFIG="$here/$place/cedarchest.toml"
stage 2026/11/21

say "2. Store it: burnt, read back, catalogued, and only then marked"
export CEDARCHEST_NOW=2026-11-21T23:00:00
show "$program" store

say "3. A second day becomes a second session on the same disc"
stage 2026/11/22 note.txt
export CEDARCHEST_NOW=2026-11-22T23:00:00
show "$program" store
unset CEDARCHEST_NOW
label=$("$program" --json discs | sed -n 's/^ *"label": "\(.*\)",*/\1/p')
show "$program" discs "$label"
show "$program" status

say "4. One bit of a copy is flipped: verify names the file"
copy="$place/copy.iso"
cp "$place/shelf/$label.iso" "$copy"
"$here/.venv/bin/python" - "$copy" <<'END'
import sys
from pathlib import Path
path, mark = Path(sys.argv[1]), b"Everyone is permitted to copy and distribute verbatim"
image = bytearray(path.read_bytes())
image[image.index(mark)] ^= 1
path.write_bytes(image)
END
show "$program" verify "$copy" || echo "(exit status $?: disc and data differ)"

say "5. A file comes back without this program"
printf '$ xorriso -osirrox on -indev %s -extract /2026/11/22/etc/note.txt %s\n' "$label.iso" note.txt
xorriso -no_rc -osirrox on -indev "stdio:$place/shelf/$label.iso" \
    -extract /2026/11/22/etc/note.txt "$place/note.txt" >/dev/null 2>&1
cat "$place/note.txt"

say "All of it stands in $place/. Try next:"
cat <<END
  export CEDARCHEST_CONFIG=$here/$place/cedarchest.toml PATH=$here/.venv/bin:\$PATH
  cedarchest verify                  # read all discs again
  cedarchest rebuild --dry-run       # the whole week on a new disc: what would be done
  cedarchest validate; cedarchest --help
END
