//! A thread of root's that gave up what the agent does, and then tries.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;
use std::thread;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::ptrace;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, SFlag, mknod};
use nix::unistd::{Pid, sethostname};
use scanwatch::kernel::{Access, Kernel, Options, Place, Sandbox, confine, harden, keep_only};

use crate::support::net::packet_socket;
use crate::support::{policy, require_root};

/// Runs this in a thread that has given up everything, with two folders: one it may change, and one it may read.
fn given_up(attempt: impl FnOnce(&Path, &Path) + Send) {
    require_root();
    let folder = tempfile::tempdir().expect("a folder");
    let (own, read) = (folder.path().join("own"), folder.path().join("read"));
    for folder in [&own, &read] {
        fs::create_dir(folder).expect("a folder");
    }
    fs::write(read.join("file"), "text").expect("a file");
    let places = [
        Place::new(&own, Access::Change),
        Place::new(&read, Access::Read),
        Place::new("/proc", Access::Read),
    ];
    thread::scope(|scope| {
        let confined = || {
            harden().expect("privileges are given up");
            keep_only(&[]).expect("capabilities are given up");
            let (sandbox, unreachable) = confine(&places).expect("files are confined");
            assert!(matches!(sandbox, Sandbox::Landlock(_)), "this kernel has no Landlock: {sandbox}");
            assert!(unreachable.is_empty(), "{unreachable:?}");
            attempt(&own, &read);
        };
        scope.spawn(confined).join().expect("the attempts");
    });
}

#[track_caller]
fn denied<T: Debug, E: Debug>(what: &str, tried: Result<T, E>) {
    let error = tried.expect_err(what);
    let text = format!("{error:?}");
    assert!(
        text.contains("EPERM") || text.contains("EACCES") || text.contains("PermissionDenied"),
        "{what}: {text}"
    );
}

#[test]
fn files_outside_of_its_folders_are_neither_read_nor_written_nor_executed() {
    given_up(|own, read| {
        fs::write(own.join("file"), "text").expect("its own folder");
        fs::rename(own.join("file"), own.join("renamed")).expect("its own folder");
        assert_eq!(fs::read_to_string(read.join("file")).expect("what it may read"), "text");
        assert!(fs::read_to_string("/proc/self/status").is_ok());

        denied("to write where it may read", fs::write(read.join("file"), "other"));
        denied("to remove where it may read", fs::remove_file(read.join("file")));
        denied("to write to /etc", fs::write("/etc/scanwatch-was-here", ""));
        denied("to append to the table of users", OpenOptions::new().append(true).open("/etc/passwd"));
        denied("to read the passwords", File::open("/etc/shadow"));
        denied("to look into root's home", fs::read_dir("/root"));
        denied("to read the disk", File::open("/dev/mem").or_else(|_| File::open("/dev/zero")));
        denied("to change a parameter of the kernel", fs::write("/proc/sys/kernel/core_pattern", "|/bin/sh"));
        denied("to execute a program", Command::new("/bin/true").status());
        denied("to make a device", mknod(&own.join("null"), SFlag::S_IFCHR, Mode::S_IRUSR, 0x103));
        denied("to make a link out", std::os::unix::fs::symlink("/etc/shadow", own.join("link")));
    });
}

#[test]
fn root_without_capabilities_is_a_user_like_any_other() {
    given_up(|own, _| {
        let file = own.join("of-nobody");
        fs::write(&file, "").expect("its own folder");
        fs::set_permissions(&file, fs::Permissions::from_mode(0)).expect("its own file");
        denied("to read what no permission bit lets it", File::open(&file));
        denied("to give a file away", chown(&file, Some(65_534), None));
        denied("to mount", mount(Some("none"), own, Some("tmpfs"), MsFlags::empty(), None::<&str>));
        denied("to make a namespace", unshare(CloneFlags::CLONE_NEWNET));
        denied("to rename the machine", sethostname("scanwatch"));
        let caught = thread::scope(|scope| scope.spawn(|| packet_socket("lo")).join());
        assert!(caught.is_err(), "it may read every packet");
    });
}

#[test]
fn nothing_can_be_loaded_attached_traced_signalled_or_listened_on() {
    // An ordinary process of the same user.
    let mut other = Command::new("sleep").arg("600").spawn().expect("a process");
    let pid = Pid::from_raw(i32::try_from(other.id()).expect("a process's number"));
    given_up(|_, _| {
        let error = Kernel::load(&policy(), Options::default()).err().expect("loading is refused");
        assert!(error.to_string().contains("no rights to load the kernel programs"), "{error}");
        denied("to trace another process", ptrace::attach(pid));
        if let Sandbox::Landlock(version) = Sandbox::of_kernel() {
            if version >= 4 {
                denied("to listen", TcpListener::bind("127.0.0.1:0"));
            }
            if version >= 6 {
                denied("to end another process", kill(pid, Signal::SIGKILL));
            }
        }
        assert_eq!(getrlimit(Resource::RLIMIT_CORE), Ok((0, 0)));
        assert_eq!(nix::sys::prctl::get_dumpable(), Ok(false));
        assert_eq!(nix::sys::prctl::get_no_new_privs(), Ok(true));
    });
    assert_eq!(kill(pid, None), Ok(()), "it lives");
    other.kill().expect("its end");
    other.wait().expect("its end");
    assert_eq!(kill(pid, None), Err(Errno::ESRCH));
}
