//! Sinks that speak HTTP, against receivers that answer as theirs document it.

mod elastic;
mod opentelemetry;
mod receiver;
mod splunk;
mod tls;
mod webhook;
mod wire;
