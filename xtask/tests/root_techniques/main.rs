//! Every technique of probing with the tools people use: found once, under its name, and nobody else accused. Needs root.

#[path = "../support/mod.rs"]
mod support;

mod inside;
mod link;
mod outside;
mod sweeps;
mod table;
