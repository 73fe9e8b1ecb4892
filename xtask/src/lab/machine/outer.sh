# Run in a mount namespace of its own, as `sh -c THIS machine FOLDER GROUP INNER`: becomes a machine whose first process
# is INNER's. What it writes is kept in memory, and gone with it.
set -eu
folder=$1 group=$2 inner=$3
mount -t tmpfs -o mode=0755 machine "$folder"
cd "$folder"
mkdir cgroup upper work root
# A control group of its own, which its systemd takes for the root of all.
mount -t cgroup2 cgroup2 cgroup
mkdir "cgroup/$group"
echo 0 > "cgroup/$group/cgroup.procs"
exec unshare --pid --ipc --uts --cgroup --mount --fork --kill-child sh -c "$inner" machine "$folder"
