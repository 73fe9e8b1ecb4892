//! Ways to a receiver that need no other program: a stream of lines, and a file.

#[path = "../support/compliance.rs"]
mod compliance;
mod file;
mod stream;
