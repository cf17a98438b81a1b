#!/bin/sh
# prepare.sh: see that a Linux kernel which runs as a process is there, with a module for emulated drives, and
# the parts of Debian that are wanted beside it: udev and CDEmu. Says on standard output in which folder.
#
# Made below ~/.cache/cedarchest, anew when a version or this recipe changes. What is in there is unpacked and
# not installed; apt reads Debian 13 through a configuration of its own. Exit status 3: packages cannot be had.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cedarchest/test-kernel
build_tools="gcc libc6-dev make flex bison bc patch xz-utils"
guest_tools="kmod growisofs wodim genisoimage"
tree_packages="cdemu-daemon dbus-daemon libglib2.0-bin udev" # they need newer libraries than Debian 12 has
udev_rules="50-udev-default 60-block 60-cdrom_id 60-persistent-storage"

cannot() { # a sentence
    trap - EXIT
    echo "$*" >&2
    exit 3
}

# shellcheck disable=SC2086 # lists of words
"$here/../../../scripts/need.sh" $build_tools $guest_tools >&2 || cannot "Packages of Debian are missing."

# -- where packages come from: the mirror of this machine -------------------------------------------------
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v -e security -e '^file:' | head -n 1)
[ -n "$mirror" ] || cannot "This machine's apt has no Debian mirror."
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9 # one at a time makes it, others find it made
apt=$cache/apt
mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/sources"
: >"$apt/status"
cat >"$apt/sources/trixie.sources" <<EOF
Types: deb
URIs: $mirror
Suites: trixie
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
Targets: Packages
EOF
cat >"$apt/conf" <<EOF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$apt/sources";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::State::extended_states "$apt/extended_states";
Dir::Cache::archives "$apt/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
#clear APT::Default-Release;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
EOF
newer() { # apt-get of Debian 13
    apt-get -c "$apt/conf" -qq "$@"
}

newer update 2>/dev/null || true # without a network, what is there already may do
version() { # of a package on this machine's own mirror
    apt-cache policy "$1" | sed -n 's/^  Candidate: //p' | grep -v none
}
version user-mode-linux >/dev/null || apt-get update -qq || true
kernel=$(version user-mode-linux) || cannot "This machine's apt has no package user-mode-linux."
# shellcheck disable=SC2086
of_tree=$(newer install --print-uris $tree_packages 2>/dev/null | cut -d' ' -f2)
module=$(newer download --print-uris vhba-dkms 2>/dev/null | cut -d' ' -f2)
[ -n "$of_tree" ] && [ -n "$module" ] || cannot "Packages of Debian 13 cannot be had from $mirror."

# -- there already? ----------------------------------------------------------------------------------------
recipe=$(cat "$0" "$here/vhba-without-dma.patch" | sha256sum)
made=$cache/$(echo "$kernel $of_tree $module $recipe" | sha256sum | cut -c 1-16)
if [ -e "$made/.done" ]; then
    touch "$made"
    echo "$made"
    exit
fi
find "$cache" -mindepth 1 -maxdepth 1 -type d ! -name apt -mtime +7 -exec rm -rf {} +
rm -rf "$made"
mkdir "$made"
cd "$made"
echo "making a kernel for tests in $made" >&2
: >log
trap '[ -e .done ] || { tail -n 20 log; echo "The kernel for tests could not be made in $made."; } >&2' EXIT

# -- the kernel, which brings its modules, and the source that it was made of ------------------------------
fetch() { # apt-get's options
    apt-get -qq -o APT::Sandbox::User=root "$@" >/dev/null || cannot "Packages cannot be downloaded from $mirror."
}
fetch download "user-mode-linux=$kernel"
dpkg-deb -x user-mode-linux_*.deb kernel
release=$(ls kernel/usr/lib/uml/modules)
mkdir kernel/lib
ln -s ../usr/lib/uml/modules kernel/lib/modules # where modprobe looks
source=linux-source-${release%.*}
exact=$(apt-cache madison "$source" | awk '{print $3}' | sort -V | grep "^$release-" | tail -n 1)
exact=${exact:-$(version "$source")} ||
    cannot "This machine's apt has no package $source."
fetch download "$source=$exact"
dpkg-deb --fsys-tarfile "$source"_*.deb | tar xO --wildcards "./usr/src/$source.tar.xz" | xz -dc -T0 |
    tar x --exclude='*/Documentation/*/*' --exclude='*/drivers/*.[ch]' --exclude='*/sound/*.[ch]' \
        --exclude='*/fs/*.c' --exclude='*/net/*.c'

# -- the module --------------------------------------------------------------------------------------------
# A source of a neighbouring version is given the kernel's, or the kernel would not take the module.
sed -i "s/^SUBLEVEL = .*/SUBLEVEL = ${release##*.}/" "$source/Makefile"
zcat kernel/usr/share/doc/user-mode-linux/config.gz >"$source/.config"
make -s -C "$source" ARCH=um olddefconfig >>log 2>&1
make -s -C "$source" -j "$(nproc)" ARCH=um modules_prepare >>log 2>&1
fetch -c "$apt/conf" download vhba-dkms
dpkg-deb -x vhba-dkms_*.deb vhba-dkms
mv vhba-dkms/usr/src/vhba-* vhba
patch -s -d vhba -p1 <"$here/vhba-without-dma.patch"
(cd vhba && make -s ARCH=um KDIR="$made/$source" KBUILD_MODPOST_WARN=1 modules >>../log 2>&1)
mv vhba/vhba.ko .

# -- udev and CDEmu with all that they need ----------------------------------------------------------------
# shellcheck disable=SC2086
fetch -c "$apt/conf" install -y --download-only $tree_packages
for folder in bin sbin lib lib64; do
    mkdir -p "tree/usr/$folder"
    ln -s "usr/$folder" "tree/$folder"
done
for package in "$apt"/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar x -C tree --keep-directory-symlink
done
for rule in tree/usr/lib/udev/rules.d/*; do
    name=$(basename "$rule" .rules)
    case " $udev_rules " in *" $name "*) ;; *) rm "$rule" ;; esac
done
cp /etc/passwd /etc/group tree/etc

rm -rf ./*.deb "$source" vhba vhba-dkms "$apt"/archives/*.deb
touch .done
echo "$made"
