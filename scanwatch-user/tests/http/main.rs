//! Sinks that speak HTTP, against receivers that answer as theirs document it.

#[path = "../support/authority.rs"]
mod authority;
#[path = "../support/compliance.rs"]
mod compliance;
mod complies;
mod elastic;
mod opentelemetry;
mod receiver;
mod splunk;
mod tls;
mod webhook;
mod wire;
