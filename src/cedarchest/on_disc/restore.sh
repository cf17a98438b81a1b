#!/bin/sh
# Reads these discs with POSIX sh, awk, find, grep, sed, GNU coreutils, GNU tar, gzip and zstd; bzip2 and xz
# for archives that they made. It writes nothing but below TARGET, and changes nothing that is there already.
set -eu
export LC_ALL=C # names are bytes
unset CDPATH
umask 077
script=$0
roots=$(cd "$(dirname "$0")/.." && pwd)
tab=$(printf '\t')
damaged_too=

usage() {
    cat <<END
usage: sh restore.sh [--also DIR]... COMMAND

  days                          list the days
  check [YYYY/MM/DD]            compare everything, or one day, with its checksums
  day YYYY/MM/DD TARGET         copy a day to TARGET/YYYY/MM/DD, compare it, and join files in parts;
                                with the next disc and the same TARGET, what that one has is added
  join FOLDER                   join files in parts that were copied there from several discs
  host PEER YYYY/MM/DD TARGET   restore the files of a machine to TARGET/PEER as they were on that day

--also DIR: a further disc that is mounted, or a folder that one was copied to; as many as there are.
--damaged, with host: take from damaged archives, too, whatever can be unpacked and has its checksum.
END
    exit 2
}

harmless() { tr '\001-\011\013-\037\177' '[?*]'; } # nothing that a terminal would obey
say() { printf 'restore.sh: %s\n' "$*" | harmless >&2; }
fail() { say "$@"; exit 1; }

# Runs a command for each disc or folder, which comes as its last argument.
for_each_root() {
    bad=0
    while IFS= read -r root <&3; do "$@" "$root" || bad=1; done 3<<END
$roots
END
    return $bad
}

days_of() (
    cd "$1"
    for day in [0-9][0-9][0-9][0-9]/[0-9][0-9]/[0-9][0-9]; do [ ! -d "$day" ] || echo "$day"; done
)

is_day() { case $1 in [0-9][0-9][0-9][0-9]/[0-9][0-9]/[0-9][0-9]) ;; *) usage ;; esac; }

# The newest line for each path counts: a later session may have replaced a file.
sums_of() {
    for file in "$1"/CEDARCHEST/sessions/*/SHA256SUMS; do [ ! -f "$file" ] || cat "$file"; done |
        awk '{ path = substr($0, index($0, "  ") + 2) }
             !(path in line) { order[++n] = path }
             { line[path] = $0 }
             END { for (i = 1; i <= n; i++) print line[order[i]] }'
}

# compare BASE DAY ROOT: what stands below BASE with the checksums of a disc, those of one day or all of them.
compare() {
    sums_of "$3" | if [ "$2" ]; then grep "^[\\\\]*[0-9a-f]*  $2/" || true; else cat; fi |
        (cd "$1" && sha256sum --quiet -c -) && echo "no problems found"
}

check() { [ -z "$1" ] || is_day "$1" && compare "$2" "$1" "$2"; }

volumes_of() { # volumes_of DAY ROOT: the discs over which the day went, as far as this one knew their labels
    for file in "$2"/CEDARCHEST/sessions/*/session.json; do
        [ ! -f "$file" ] || DAY=$1 awk '
            { gsub(/[",\001-\037]/, "") }
            /^ label: / { label = $2 }
            /^ volume: / { own = $2 }
            /^ volumes: / { all = $2 }
            /^   volume: / { volume = $2 }
            /^   disc: / { disc = $2 }
            /^     day: / && $2 == ENVIRON["DAY"] {
                print volume, all, disc == "null" ? "a disc that was made after " label : disc
            }
            /^   day: / && $2 == ENVIRON["DAY"] { print own, all, "here" }' "$file"
    done
}

other_discs() { # other_discs DAY: those that are not here
    for_each_root volumes_of "$1" | awk '
        { place = $1 " of " $2; sub(/^[0-9]+ [0-9]+ /, "") }
        $0 == "here" { here[place] }
        !(place in disc) || !/ made after / { disc[place] = $0 }
        END { for (place in disc) if (!(place in here)) print "  volume " place " is " disc[place] }' |
        sort >&2
}

# -- a day -------------------------------------------------------------------------------------------

copy_day() { # copy_day DAY TARGET ROOT
    [ -d "$3/$1" ] || return 0
    found=1
    mkdir -p "$2/$1"
    (cd "$3/$1" && find . -type d -exec sh -c '
        target=$1; shift
        for folder; do [ ! -h "$target/$folder" ] || { echo "$target/$folder is a link" >&2; exit 1; }; done
        ' sh "$2/$1" {} +) || fail "the days do not go together: copy this disc to a TARGET of its own"
    tar -C "$3/$1" -cf - . | tar -C "$2/$1" --skip-old-files -xpf - || say "not all of $1 could be copied"
    compare "$2" "$1" "$3"
}

day() { # day DAY TARGET
    is_day "$1"
    found=
    status=0
    for_each_root copy_day "$1" "$2" || status=1
    [ "$found" ] || fail "there is no day $1 here"
    join "$2/$1" || status=1
    [ $status = 0 ] || other_discs "$1"
    return $status
}

join() { find "$1" -type f -name '*.part-*-of-*' -exec sh "$script" join-these {} +; }

number() { expr "$1" + 0; } # without the zeros before it

for_each_part() { # for_each_part COMMAND...: with each part of $name that there should be
    position=1
    while [ $position -le "$(number "$count")" ]; do
        "$@" "$name.part-$(printf "%0${#count}d" $position)-of-$count"
        position=$((position + 1))
    done
}

look_at() { if [ -f "$1" ]; then first=${first:-$1}; else missing="$missing $position"; fi; }

join_these() { # each file of which some of these parts are, once
    status=0
    for part; do
        name=${part%.part-*}
        place=${part##*.part-}
        count=${place##*-of-}
        case $place in *[!0-9]*-of-* | *-of-*[!0-9]* | -of-* | *-of-) continue ;; esac
        [ ${#count} -le 5 ] || continue
        first=
        missing=
        for_each_part look_at
        [ "$part" = "$first" ] || continue # the first that is here stands for all
        whole_name
        if [ -e "$whole" ] || [ -h "$whole" ]; then
            is_whole "$whole" && for_each_part rm -f && continue
            say "$whole is there already, and nothing was joined"
        elif [ "$missing" ]; then
            say "$name: of $count parts these are not here:$missing"
        else
            join_one && continue
        fi
        status=1
    done
    return $status
}

is_whole() { [ -f "$1" ] && [ "$(sha256sum < "$1" | cut -c 1-64)" = "$digest" ]; }

join_one() { # the parts of $name become $whole, and go when it is as it should be
    joined=$name.joined
    if [ -e "$joined" ] || [ -h "$joined" ]; then say "$joined is there already" && return 1; fi
    for_each_part cat > "$joined"
    chmod --reference="$first" "$joined"
    touch -r "$first" "$joined"
    if [ ! "$digest" ]; then
        say "$whole has no checksum to compare it with"
    elif ! is_whole "$joined"; then
        say "$joined is not what its checksum says; the parts are still there"
        return 1
    fi
    mv "$joined" "$whole"
    for_each_part rm
    printf 'joined %s\n' "$whole"
}

whole_name() { # whole and digest: of the file that parts called $name are of, as SHA256SUMS of the day has it
    whole=$name
    digest=
    folder=${name%/*}
    while [ ! -f "$folder/SHA256SUMS" ]; do
        case $folder in */*) folder=${folder%/*} ;; *) return 0 ;; esac
    done
    path=${name#"$folder"/}
    digest=$(digest_of "$path" < "$folder/SHA256SUMS")
    [ "$digest" ] && return
    mark=${path##*~} # of a name that was too long this is its SHA-256, and the name was cut before it
    [ ${#mark} -eq 8 ] || return 0
    sed -n 's/^[0-9a-f]*  //p' "$folder/SHA256SUMS" | while IFS= read -r long; do
        case $long in "${path%~*}"*) ;; *) continue ;; esac
        [ "$(printf %s "${long##*/}" | sha256sum | cut -c 1-8)" != "$mark" ] || printf '%s\n' "$long"
    done > "$name.names"
    if IFS= read -r path < "$name.names"; then
        whole=$folder/$path
        digest=$(digest_of "$path" < "$folder/SHA256SUMS")
    fi
    rm "$name.names"
}

digest_of() { # digest_of PATH < SHA256SUMS
    WANTED=$1 awk '
        function escaped(s,   out, i, c) {
            for (i = 1; (c = substr(s, i, 1)) != ""; i++)
                out = out (c == "\\" ? "\\\\" : c == "\n" ? "\\n" : c == "\r" ? "\\r" : c)
            return out
        }
        BEGIN { wanted = escaped(ENVIRON["WANTED"]) }
        { sub(/^\\/, "") }
        substr($0, 67) == wanted { print substr($0, 1, 64); exit }'
}

# -- a machine as of a day ---------------------------------------------------------------------------
#
# Beside each archive stands its index: every path that its part of the machine had, with mode, digest and the
# SHA-256 of the archive that has the content; and, unless the archive is whole, a list of what was deleted.
# The indexes from the newest whole archives on say what there was. Then each archive that has any of it is
# unpacked in a folder of its own, and what is wanted is moved out of there; links are made last, so that no
# archive can lead out of the folder. Last of all, every file is compared with its digest.

problem() { say "$@"; echo "$*" >> "$work/problems"; }

files_of() { # files_of PEER ROOT: digest, day, name and root of what any list of checksums there names
    {
        sums_of "$2"
        for file in "$2"/[0-9][0-9][0-9][0-9]/[0-9][0-9]/[0-9][0-9]/SHA256SUMS; do
            [ ! -f "$file" ] || { day=${file%/*} && sed "s|  |  ${day#"$2"/}/|" "$file"; }
        done
    } | PEER=$1 ROOT=$2 awk '
        /^[0-9a-f]/ && split(substr($0, 67), part, "/") == 5 && part[4] == ENVIRON["PEER"] {
            print substr($0, 1, 64) "\t" part[1] "/" part[2] "/" part[3] "\t" part[5] "\t" ENVIRON["ROOT"]
        }'
}

# pieces_at PATH ROOT: the file, or the parts of it in order, wherever they are; nothing when any is not here.
pieces_at() {
    [ ! -f "$2/$1" ] || { printf '%s\n' "$2/$1" && return; }
    for_each_root parts_at "$1" | awk -F/ '
        {
            path[$NF] = $0
            before = count = $NF
            sub(/.*-of-/, "", count)
            sub(/[0-9]+-of-[0-9]+$/, "", before)
            before_of[count] = before
        }
        END {
            for (count in before_of) {
                all = ""
                for (i = 1; i <= count + 0; i++) {
                    name = before_of[count] sprintf("%0" length(count) "d", i) "-of-" count
                    if (!(name in path)) break
                    all = all path[name] "\n"
                }
                if (i > count + 0) { printf "%s", all; exit }
            }
        }'
}

parts_at() { for part in "$2/$1".part-[0-9]*-of-[0-9]*; do [ ! -f "$part" ] || printf '%s\n' "$part"; done; }

content() { printf '%s\n' "$pieces" | while IFS= read -r piece; do cat "$piece"; done; }

# find_content DIGEST: sets pieces to the files that together have it; state says why there are none.
find_content() {
    state=missing
    grep "^$1" "$work/files" > "$work/found" || true
    while IFS=$tab read -r has day_of name_of root_of <&4; do
        pieces=$(pieces_at "$day_of/$peer/$name_of" "$root_of")
        [ "$pieces" ] || continue
        [ "$(content 2> /dev/null | sha256sum | cut -c 1-64)" != "$has" ] || { state=found && return 0; }
        state=damaged
        damaged=$pieces
    done 4< "$work/found"
    return 1
}

# What the first line of each index up to the day says, after the day: when the collect began, whether it was
# whole (1, 0, or ? where it cannot be read), source, archive, and as it is found: digest, name, root.
heads() {
    UNTIL=$until awk -F '\t' '$2 <= ENVIRON["UNTIL"] && $3 ~ /\.index\.jsonl\.gz$/' "$work/files" |
    while IFS=$tab read -r digest day name root; do
        pieces=$(pieces_at "$day/$peer/$name" "$root")
        [ -z "$pieces" ] || content | gzip -dc 2> /dev/null | head -n 1 > "$work/head" || true
        [ "$pieces" ] || : > "$work/head"
        archive=${name%.index.jsonl.gz}
        HEAD="$day$tab$archive$tab$digest$tab$name$tab$root" awk '
            function field(key) {
                if (!match($0, "\"" key "\":\"([^\"\\\\]|\\\\.)*\"")) return ""
                return substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 5)
            }
            BEGIN {
                split(ENVIRON["HEAD"], of, "\t")
                sub(/\.(gz|bz2|xz|zst)$/, "", of[2])
                whole = "?"
                source = of[2]
            }
            index($0, "{\"format\":\"cedarchest-index\",\"version\":1,") == 1 {
                whole = (field("day") == field("whole_day"))
                at = field("at") ? field("at") : field("day")
                source = field("source") ? field("source") : source
            }
            END {
                print of[1] "\t" at "\t" whole "\t" source "\t" of[2] "\t" of[3] "\t" of[4] "\t" of[5]
            }' "$work/head"
    done | sort -u
}

# Of these what counts, from the newest whole collect of each source on: its lists (1) before its indexes (2).
chain() {
    awk -F '\t' '
        { line[NR] = $0 }
        $3 != "?" { source_of[$5] = $4 }
        $3 == 1 { whole[$4] = $2 }
        END {
            for (i = 1; i <= NR; i++) {
                split(line[i], f, "\t")
                source = f[3] == "?" && f[5] in source_of ? source_of[f[5]] : f[4]
                if (f[3] == 1 && f[2] == whole[source]) begun[source] = 1
                if (source in whole && !begun[source] || seen[f[1], f[6]]++) continue
                if (!(source in whole) && !told[source]++) print "unwhole\t" source
                if (f[3] == "?") { print "unread\t" f[1] "\t" f[7]; continue }
                rest = f[5] "\t" f[6] "\t" f[7] "\t" f[8]
                if (f[3] == 0) print f[1] "\t" f[2] "\t1\t" rest
                print f[1] "\t" f[2] "\t2\t" rest
            }
        }' | sort -u
}

# The lists and indexes that count, one after the other: "D" and a path, "A" and an archive before its index.
events() {
    while IFS=$tab read -r day at kind archive digest name root; do
        case $day in
        unwhole) problem "no whole archive of /$at up to $until is here: what it has alone is left out" ;;
        unread)
            problem "$kind of $at is missing or damaged: what it tells is left out"
            other_discs "$at" ;;
        *) event ;;
        esac
    done
}

event() {
    state=missing
    if [ "$kind" = 1 ]; then
        name=${name%.index.jsonl.gz}.deleted
        digest=$(DAY=$day NAME=$name ROOT=$root awk -F '\t' '
            $2 == ENVIRON["DAY"] && $3 == ENVIRON["NAME"] && (!has || $4 == ENVIRON["ROOT"]) { has = $1 }
            END { print has }' "$work/files")
    fi
    if [ ! "$digest" ] || ! find_content "$digest"; then
        problem "$name of $day is $state: what it tells is left out"
        other_discs "$day"
    elif [ "$kind" = 1 ]; then
        content | od -An -v -tx1 | deleted_paths
    else
        printf 'A\t%s\t%s\n' "$archive" "$at"
        content | gzip -dc | tr -d '\000'
    fi
}

# Paths that each end in NUL, one a line as the index would write them.
deleted_paths() {
    awk '
        BEGIN {
            for (i = 32; i < 127; i++) text[sprintf("%02x", i)] = sprintf("%c", i)
            text["22"] = "\\\""
            text["5c"] = "\\\\\\\\"
        }
        { for (i = 1; i <= NF; i++)
            if ($i == "00") { print "D\t" path; path = "" }
            else path = path ($i in text ? text[$i] : "\\\\x" $i) }'
}

# From events to what is to be done: lists of commands for sh, and of the archives that are needed.
plan() {
    WORK=$work awk '
        function value(key,   found) { # of a record, as it stands there
            if (!match(rest, "\"" key "\":(\"([^\"\\\\]|\\\\.)*\"|[-0-9]+)")) return ""
            found = substr(rest, RSTART + length(key) + 3, RLENGTH - length(key) - 3)
            return substr(found, 1, 1) == "\"" ? substr(found, 2, length(found) - 2) : found
        }
        function name_of(text,   out, i, size) { # the bytes of a name: \" and \\\\ and \\xNN are one each
            while (i = index(text, "\\")) {
                out = out substr(text, 1, i - 1)
                size = 4
                if (substr(text, i, 2) == "\\\"") { out = out "\""; size = 2 }
                else if (substr(text, i, 4) == "\\\\\\\\") out = out "\\"
                else if (substr(text, i, 5) in byte) { out = out byte[substr(text, i, 5)]; size = 5 }
                else return "" # this is no name
                text = substr(text, i + size)
            }
            return out text
        }
        function is_path(path,   in_slashes) {
            in_slashes = "/" path "/"
            return !index(in_slashes, "//") && !index(in_slashes, "/./") && !index(in_slashes, "/../")
        }
        function folder_of(path) { return match(path, "/[^/]*$") ? substr(path, 1, RSTART - 1) : "" }
        function word(path,   n, i, part, out) { # for sh
            n = split(path, part, "\047")
            out = "\047" part[1]
            for (i = 2; i <= n; i++) out = out "\047\\\047\047" part[i]
            return out "\047"
        }
        function line(path,   out, i, c) { # for sha256sum
            if (!index(path, "\\") && !index(path, "\n") && !index(path, "\r")) return "  " path
            for (i = 1; (c = substr(path, i, 1)) != ""; i++)
                out = out (c == "\\" ? "\\\\" : c == "\n" ? "\\n" : c == "\r" ? "\\r" : c)
            return "  " out
        }
        function shown(path) { gsub(/[\001-\037\177]/, "?", path); return "/" path }
        function there(path) { return kind[path] != "" && stamp[path] == newest[owner[path]] }
        function take_away(   path, above) { # what is listed as deleted, and what was below it
            for (path in stamp) {
                for (above = path; above != ""; above = folder_of(above)) if (above in gone) kind[path] = ""
            }
            for (path in gone) delete gone[path]
            pending = 0
        }
        function batch(file, command, words, end,   key) { # many words for one command
            key = file SUBSEP command SUBSEP end
            words_of[key] = words_of[key] " " words
            if (length(words_of[key]) > 20000) write(key)
        }
        function write(key,   part) {
            split(key, part, SUBSEP)
            print part[2] words_of[key] part[3] >> (ENVIRON["WORK"] "/" part[1])
            close(ENVIRON["WORK"] "/" part[1])
            delete words_of[key]
        }
        function write_all(   key) { for (key in words_of) write(key) }
        function time(ns,   seconds) { # in seconds, those before 1970 without their parts
            seconds = length(ns) > 9 ? substr(ns, 1, length(ns) - 9) : 0
            if (ns ~ /^-/) return seconds == "-" ? -1 : seconds - 1
            return seconds "." substr("000000000" ns, length(ns) + 1)
        }

        BEGIN { for (i = 1; i < 256; i++) byte["\\\\x" sprintf("%02x", i)] = sprintf("%c", i) }
        /^D/ { gone[name_of(substr($0, 3))]; pending = 1; next }
        /^A/ {
            if (pending) take_away()
            split($0, of, "\t")
            archive = of[2]
            newest[archive] = ++count
            run[archive] = of[3]
            next
        }
        /^\{"format":/ {
            unread[archive] = match($0, /"unread":\[("([^"\\]|\\.)*",?)+\]/) ? substr($0, RSTART, RLENGTH) : ""
            for (n = 0; match($0, /\{"name":"([^"\\]|\\.)*","day":"[^"]*","sha256":"[0-9a-f]*"/); n++) {
                one = substr($0, RSTART + 9, RLENGTH - 9)
                $0 = substr($0, RSTART + RLENGTH)
                match(one, /","day":"/)
                split(substr(one, RSTART + RLENGTH), of, "\"")
                needed[n] = length(of[5]) == 64 ? of[5] : "none"
                told[of[5]] = substr(shown(name_of(substr(one, 1, RSTART - 1))), 2) "\t" of[1]
            }
            next
        }
        { # a record
            match($0, /^\{"path":"([^"\\]|\\.)*"/)
            path = name_of(substr($0, 10, RLENGTH - 10))
            rest = substr($0, RLENGTH + 1)
            what = value("type")
            if (!is_path(path)) { print "an index names " shown(path) ", which leads elsewhere"; next }
            # of two archives of one collect, a folder tells more than the link that leads to it
            if (what != "dir" && kind[path] == "dir" && there(path) && owner[path] != archive) {
                if (run[owner[path]] == run[archive]) next
            }
            kind[path] = what
            owner[path] = archive
            stamp[path] = count
            record[path] = rest
            n = match(rest, /,"in":[0-9]+\}$/) ? substr(rest, RSTART + 6) + 0 : 0
            from[path] = needed[n]
            altered[path] = n
        }

        END {
            if (pending) take_away()
            for (path in kind) if (!there(path)) kind[path] = ""
            for (path in kind) if (kind[path] != "") {
                for (above = folder_of(path); above != "" && !(above in folders); above = folder_of(above))
                    folders[above]
            }
            for (archive in unread) if (unread[archive] != "") tell_unread(archive)
            for (above in folders) if (kind[above] != "dir") {
                kind[above] = ""
                batch("folders", "mkdir -p", word("./" above))
            }
            at = "touch -c -d \"@$1\" \"$2\" 2> /dev/null || touch -c -d \"@${1%.*}\" \"$2\""
            print "at() { " at "; }" > (ENVIRON["WORK"] "/times") # some know no parts of a second
            for (path in kind) if (kind[path] != "") plan_path(path)
            write_all()
            for (; depth; depth--) { # the modes of folders last, what is below them first
                for (n = folders_at[depth]; n; n--) {
                    path = folder_at[depth, n]
                    rest = record[path]
                    batch("modes", "chmod -- " word(value("mode")), word("./" path))
                }
                write_all()
            }
            for (n in members) print n "\t" told[n] "\t" members[n] > (ENVIRON["WORK"] "/archives")
            print things + 0 > (ENVIRON["WORK"] "/count")
        }
        function tell_unread(archive,   text, path) { # what the newest index of an archive says was not read
            text = substr(unread[archive], 10)
            while (match(text, /"([^"\\]|\\.)*"/)) {
                path = name_of(substr(text, RSTART + 1, RLENGTH - 2))
                text = substr(text, RSTART + RLENGTH)
                if (of_run[path, run[archive]]++) continue # a folder with an archive of its own has it twice
                if (path in folders || kind[path] != "" && altered[path])
                    print "note: " shown(path) " was not read on " run[archive] ", and is as it was before"
                else print shown(path) " was not read on " run[archive] ": an earlier day may have it"
            }
        }
        function plan_path(path,   at) {
            things++
            rest = record[path]
            at = word("./" path)
            if (kind[path] == "file") {
                batch("take." from[path], "mv -f", at, " \"$into\"/" word(folder_of(path)) "/")
                members[from[path]]++
                found = line(path)
                print (index(found, "\\") ? "\\" : "") value("sha256") found > (ENVIRON["WORK"] "/sums")
            } else if (kind[path] == "dir") {
                batch("folders", "mkdir -p", at)
                found = gsub(/\//, "/", path) + 1
                if (found > depth) depth = found
                folder_at[found, ++folders_at[found]] = path
            } else if (kind[path] == "link") {
                print "ln -s -- " word(name_of(value("target"))) " " at > (ENVIRON["WORK"] "/links")
            } else if (kind[path] == "fifo") batch("pipes", "mkfifo", at)
            else { print shown(path) " is no file, and is not made: " kind[path]; return }
            batch("owners", "chown -h -- " word(value("uid") ":" value("gid")), at)
            if (kind[path] == "dir" || kind[path] == "file" && altered[path])
                print "at " word(time(value("mtime_ns"))) " " at > (ENVIRON["WORK"] "/times")
            if (kind[path] == "file" || kind[path] == "fifo")
                batch("modes", "chmod -- " word(value("mode")), at)
        }'
}

unpack() { # unpack DIGEST NAME DAY FILES
    if ! find_content "$1"; then
        problem "$2 of $3 is $state: $4 files are in it"
        day=$(grep "^$1" "$work/files" | head -n 1 | cut -f 2)
        [ ! "$day" ] || other_discs "$day"
        [ "$damaged_too" ] && [ $state = damaged ] || return 0
        pieces=$damaged
    fi
    case $2 in
    *.gz) set -- "$@" gzip -dc ;;
    *.bz2) set -- "$@" bzip2 -dc ;;
    *.xz) set -- "$@" xz -dc ;;
    *.zst) set -- "$@" zstd -dc ;;
    *) set -- "$@" cat ;;
    esac
    if ! command -v "$5" > /dev/null; then
        problem "$2 of $3 needs $5, which is not here: $4 files are in it"
        return 0
    fi
    echo "unpacking $2 of $3"
    mkdir "$work/unpacked"
    # what tar says of attributes or device nodes matters only where a file is not as it was in the end
    { content | "$5" ${6+"$6"} | tar -C "$work/unpacked" --xattrs --acls -xpf -; } 2> "$work/said" ||
        head -n 5 "$work/said" >&2
    chmod -R u+rwX "$work/unpacked"
    find "$work/unpacked" ! -type d ! -type f -exec rm -f {} +
    (cd "$work/unpacked" && into=$into sh "$work/take.$1" 2> /dev/null) || true
    rm -rf "$work/unpacked"
}

others() { # what was staged of the machine besides
    awk -F '\t' -v until="$until" '
        $2 <= until {
            newest[$3] = newest[$3] > $2 ? newest[$3] : $2
            if ($3 ~ /\.index\.jsonl\.gz$/) ours[substr($3, 1, length($3) - 15)]
        }
        END {
            for (name in newest) {
                archive = name
                sub(/\.part-[0-9]+-of-[0-9]+$/, "", archive)
                sub(/\.index\.jsonl\.gz$/, "", archive)
                sub(/\.deleted$/, "", archive)
                if (!(archive in ours) && name !~ /^cback\./)
                    print "not an archive with an index: " name " of " newest[name]
            }
        }' "$work/files" | sort | harmless
}

run() { # run COMMANDS: for what is not there there is a problem already
    : > "$work/said"
    [ ! -f "$work/$1" ] || (cd "$into" && sh "$work/$1") 2> "$work/said" || true
    ! grep -v 'No such file or directory$' "$work/said" >&2 || problem "not all $1 could be made as they were"
}

host() { # host PEER DAY TARGET
    peer=$1
    until=$2
    is_day "$until"
    case $peer in '' | . | .. | */*) usage ;; esac
    mkdir -p "$3"
    into=$(cd "$3" && pwd)/$peer
    work=$into.unfinished
    for each in "$into" "$work"; do
        if [ -e "$each" ] || [ -h "$each" ]; then fail "$each is there already"; fi
    done
    mkdir "$work"
    trap 'chmod -R u+rwX "$work" && rm -rf "$work"' EXIT
    trap 'exit 1' HUP INT TERM
    : > "$work/problems"
    for_each_root files_of "$peer" | sort -u > "$work/files"
    heads | sort | chain | events | plan > "$work/messages"
    while IFS= read -r message; do
        case $message in 'note: '*) say "${message#note: }" ;; *) problem "$message" ;; esac
    done < "$work/messages"
    [ "$(cat "$work/count")" != 0 ] || fail "no archive of $peer with an index up to $until is here"
    mkdir "$into"
    : >> "$work/archives"
    run folders
    while IFS=$tab read -r digest name day files <&5; do
        unpack "$digest" "$name" "$day" "$files"
    done 5< "$work/archives"
    if [ -f "$work/sums" ]; then
        (cd "$into" && sha256sum --strict --quiet -c "$work/sums") > "$work/failed" 2> /dev/null ||
            problem "the files that FAILED are not as they were, or not there"
        harmless < "$work/failed"
    fi
    run links
    run pipes
    [ "$(id -u)" != 0 ] || run owners
    run times
    run modes
    others
    problems=$(sort -u "$work/problems" | grep -c '') || true
    [ "$problems" = 0 ] || fail "$problems problems; all else of $peer as of $until is in $into"
    echo "$(cat "$work/count") files, folders and links of $peer as of $until are in $into"
}

while [ $# -gt 0 ]; do
    case $1 in
    --also) [ $# -gt 1 ] || usage
        roots="$roots
$(cd "$2" && pwd)"
        shift ;;
    --damaged) damaged_too=yes ;;
    *) break ;;
    esac
    shift
done

case "${1-} $#" in
'days 1') for_each_root days_of | sort -u ;;
'check 1') for_each_root check '' ;;
'check 2') for_each_root check "$2" ;;
'day 3') day "$2" "$3" ;;
'join 2') join "$2" ;;
'join-these '*) shift && join_these "$@" ;;
'host 4') host "$2" "$3" "$4" ;;
*) usage ;;
esac
