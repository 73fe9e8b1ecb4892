//! What the kernel knows of a socket that the standard library does not ask for.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

/// Bytes that were written to a socket and have not arrived (`SIOCOUTQ`).
///
/// On TCP these are the bytes the peer's kernel has not acknowledged. On a Unix socket they are what the peer has not
/// read, with the kernel's own overhead: only zero means something exact there.
pub fn bytes_underway(socket: BorrowedFd<'_>) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open for as long as it is borrowed; TIOCOUTQ, which is SIOCOUTQ, writes one int to the
    // address it is given, which is that of an int.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if answer == 0 { Ok(usize::try_from(bytes).unwrap_or(0)) } else { Err(io::Error::last_os_error()) }
}

/// Whether a Unix socket in the file system is of another kind than the one connected to it: for streams and not for
/// datagrams, or the other way round.
#[must_use]
pub fn is_other_kind(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EPROTOTYPE)
}

/// Whether a message is larger than its socket sends at once.
#[must_use]
pub fn is_too_large(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EMSGSIZE)
}
