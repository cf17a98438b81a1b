#!/bin/sh
# guest.sh: the first process in the kernel for tests. Its variables come from the kernel's command line:
# made (what prepare.sh made), repository, python (the interpreter), and results: the folder to write to, where
# pytest's arguments are.
#
# The host's files are seen through an overlay in memory: whatever is done here, they stay as they are.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
for module in overlay sr_mod sg isofs; do
    modprobe -d "$made/kernel" $module
done
insmod "$made/vhba.ko"

mkdir /run/upper /run/work /run/root
mount -t overlay -o lowerdir=/,upperdir=/run/upper,workdir=/run/work overlay /run/root
cd /run/root || exit
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t devtmpfs devtmpfs dev
mount -t tmpfs tmpfs run
ln -s /proc/self/fd dev/fd
mkdir -p dev/shm run/tree run/results run/udev/rules.d
mount -t tmpfs tmpfs dev/shm
mount -t hostfs -o "$results" hostfs run/results

# Debian 13 beside Debian 12: udev, so that the drive has the names and permissions that it has elsewhere.
mount --bind ".$made/tree" run/tree
for folder in dev proc sys run; do
    mount --bind $folder run/tree/$folder
done
echo 'KERNEL=="sr*", SYMLINK+="disk/by-id/scsi-EMULATED_TEST_BURNER"' >run/udev/rules.d/90-by-id.rules
export SYSTEMD_IGNORE_CHROOT=1 # or udevadm would do nothing
chroot run/tree /usr/lib/systemd/systemd-udevd --daemon 2>/dev/null
echo 2000 >/sys/module/block/parameters/events_dfl_poll_msecs # as udev sets it where it starts a machine

for path in "$repository" "$python"; do # an ordinary user is to come through, whatever the folders on the way
    while [ "$path" != / ]; do
        path=$(dirname "$path")
        chmod a+rx "/run/root$path"
    done
done
chroot . /bin/sh -c 'cd "$1" && shift && exec "$@"' - "$repository" .venv/bin/python -m pytest \
    -p no:cacheprovider --color=no @/run/results/arguments
echo $? >run/results/status
echo o >/proc/sysrq-trigger
sleep 60
