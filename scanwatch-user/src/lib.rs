//! scanwatch's agent: it loads the kernel programs, drains what they counted, judges it, and raises alerts.
//!
//! The arrows go one way: `config` makes a [`policy`]; [`kernel`] carries it out and delivers counts; [`engine`] turns
//! counts into incidents, without clock or I/O; [`sink`] writes them; [`state`] keeps what the engine remembers; [`app`]
//! connects the five. [`replay`] puts a [`capture`] in the kernel's place, and its packets' times in the clock's. [`watch`]
//! answers, over HTTP, what `app` is asked, and [`top`] asks it. [`doctor`] looks at a machine beforehand: at what `kernel`
//! finds there, at the state directory, and at the receivers.

pub mod app;
pub mod capture;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod engine;
pub mod generate;
pub mod host_tables;
pub mod kernel;
pub mod policy;
pub mod replay;
pub mod sink;
pub mod state;
pub mod top;
pub mod watch;
