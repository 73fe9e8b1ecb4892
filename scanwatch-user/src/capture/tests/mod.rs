//! Reading captures that the tests write themselves.

mod broken;
mod formats;
mod links;
mod writer;

use std::io::{Cursor, Read};

use super::{Capture, CaptureError, CaptureErrorKind};

/// A packet that outlives its capture's buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owned {
    time_ns: u64,
    interface: u32,
    frame: Vec<u8>,
    cut: bool,
}

/// All packets, and the error that came after them.
fn drain(mut capture: Capture) -> (Vec<Owned>, Option<CaptureError>) {
    let mut packets = Vec::new();
    let error = loop {
        match capture.next_packet() {
            Ok(Some(packet)) => packets.push(Owned {
                time_ns: packet.time_ns,
                interface: packet.interface,
                frame: packet.frame.to_vec(),
                cut: packet.cut,
            }),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert!(matches!(capture.next_packet(), Ok(None)), "nothing comes after the end");
    assert_eq!(capture.packets(), packets.len() as u64);
    (packets, error)
}

/// Reads a capture whose bytes arrive `chunk` at a time.
fn read_in_chunks(bytes: &[u8], chunk: usize) -> (Vec<Owned>, Option<CaptureError>) {
    match Capture::read(Chunks { bytes: Cursor::new(bytes.to_vec()), chunk }) {
        Ok(capture) => drain(capture),
        Err(error) => (Vec::new(), Some(error)),
    }
}

fn read(bytes: &[u8]) -> (Vec<Owned>, Option<CaptureError>) {
    read_in_chunks(bytes, usize::MAX)
}

/// The packets of a capture that has nothing wrong.
fn packets(bytes: &[u8]) -> Vec<Owned> {
    let (packets, error) = read(bytes);
    assert!(error.is_none(), "{error:?}");
    packets
}

/// What is wrong with a capture.
fn fault(bytes: &[u8]) -> CaptureErrorKind {
    read(bytes).1.expect("a fault").kind
}

/// A pipe that gives little at a time.
struct Chunks {
    bytes: Cursor<Vec<u8>>,
    chunk: usize,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(self.chunk);
        self.bytes.read(&mut buffer[..count])
    }
}
