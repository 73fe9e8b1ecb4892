//! Standard output and whatever else takes a stream of lines: here a pipe.

use std::io::{self, BufRead as _, BufReader, PipeReader, PipeWriter, Write};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use scanwatch::policy::{SinkPlan, TransportPlan};
use scanwatch::sink::transport::{Lines, Transport};

use crate::compliance::{self, Receiver, Tells};

/// A pipe whose other end is read, or not.
struct Pipe {
    reader: Option<PipeReader>,
    writer: PipeWriter,
    received: Arc<Mutex<Vec<String>>>,
    reading: Option<JoinHandle<PipeReader>>,
}

/// Hands over what comes until the line that ends the reading.
fn read(pipe: PipeReader, into: &Mutex<Vec<String>>) -> PipeReader {
    let mut lines = BufReader::new(pipe);
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        if line == "stop\n" {
            assert!(lines.buffer().is_empty(), "nothing is written while nobody sends");
            return lines.into_inner();
        }
        into.lock().unwrap().push(line.trim_end().to_owned());
    }
}

impl Receiver for Pipe {
    fn plan(&self) -> TransportPlan {
        TransportPlan::Stdout
    }

    fn transport(&self, _: &SinkPlan) -> Box<dyn Transport> {
        Box::new(Lines::to(self.writer.try_clone().unwrap()))
    }

    fn tells(&self) -> Tells {
        // Whoever does not read a pipe does not say so.
        Tells::Nothing
    }

    fn start(&mut self) {
        let (reader, received) = (self.reader.take().unwrap(), Arc::clone(&self.received));
        self.reading = Some(thread::spawn(move || read(reader, &received)));
    }

    fn stop(&mut self) {
        self.writer.write_all(b"stop\n").unwrap();
        self.reader = Some(self.reading.take().unwrap().join().unwrap());
    }

    fn received(&mut self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }
}

#[test]
fn a_stream_of_lines_does_what_every_sink_must() {
    let (reader, writer) = io::pipe().unwrap();
    let received = Arc::default();
    compliance::complies(&mut Pipe { reader: Some(reader), writer, received, reading: None });
}
