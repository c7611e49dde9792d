//! Webhooks: what otpgate tells others without being asked.
//!
//! What happens is recorded for each webhook that wants to hear of it, in the commit of the change itself; it is
//! delivered from there, at least once, in the order in which things happened to a message or a verification. The store keeps
//! the outbox; here stands what is told (`payload`), how it is signed (`signature`), where it may go (`target`), in what order
//! (`schedule`) and how often it is tried (`retry`). All of these decide and do not act; `delivery` and `client` act.

pub mod client;
pub mod delivery;
pub mod payload;
pub mod retry;
pub mod schedule;
pub mod signature;
pub mod target;
