//! One-time passwords: what the text says. Pure.

pub mod template;
