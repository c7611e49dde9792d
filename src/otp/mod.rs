//! One-time codes: deriving them, comparing them, the text around them. Pure.

pub mod challenge;
pub mod entry;
pub mod guard;
pub mod template;
