# The first process of a machine: lays this system's files under what the machine writes, and becomes systemd.
set -eu
cd "$1"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" root
cd root
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=0755 run run
mount -t tmpfs tmp tmp
mount -t tmpfs -o mode=0755 dev dev
for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts devpts dev/pts
mount -t tmpfs shm dev/shm
ln -s pts/ptmx dev/ptmx
touch dev/console
# What the machine writes, for whoever wants to know what is left of something.
mkdir -p run/machine/changes
mount --bind ../upper run/machine/changes
# A policy of this system's against daemons is not the machine's.
rm -f usr/sbin/policy-rc.d
printf '[Unit]\nDescription=Nothing but systemd itself\nDefaultDependencies=no\n' > etc/systemd/system/machine.target
mkdir old
pivot_root . old
umount -l old
rmdir old
exec env -i container=lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=machine.target --log-target=console --show-status=no \
    < /dev/null > /dev/console 2>&1
