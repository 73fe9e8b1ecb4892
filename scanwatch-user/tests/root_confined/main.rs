//! What the agent can no longer do: read from the running process, and tried by a thread that gave up the same. Needs root,
//! for whoever has no rights cannot lose any.

mod agent;
mod attempts;
#[path = "../support/mod.rs"]
mod support;
