# Run in mount and process namespaces of its own, as `sh -c THIS system FOLDER OLD NEW`: a system like this one that systemd does
# not run, in which a package is installed, upgraded, removed and purged. What is left of it is listed at the end.
set -eu
folder=$1 old=$2 new=$3
mkdir "$folder/layer"
mount -t tmpfs -o mode=0755 layer "$folder/layer"
cd "$folder/layer"
mkdir upper work root
mount -t overlay overlay -o "lowerdir=/,upperdir=$PWD/upper,workdir=$PWD/work" root
mount -t proc proc root/proc
mount -t tmpfs -o mode=0755 run root/run
cp "$old" root/run/old.deb
cp "$new" root/run/new.deb
test ! -e root/run/systemd/system
inside() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive chroot root "$@"
}
inside dpkg --install /run/old.deb
inside scanwatch check /etc/scanwatch/scanwatch.toml
inside id scanwatch
inside dpkg --force-confdef --install /run/new.deb
inside dpkg --remove scanwatch
inside dpkg --purge scanwatch
echo left:
find upper -name '*scanwatch*' -not -type c
