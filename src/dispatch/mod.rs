//! What is sent next, over what, and what follows from how it went.

pub mod breaker;
pub mod calendar;
pub mod canary;
pub mod delivery;
pub mod quota;
pub mod retry;
pub mod router;
pub mod unassigned;
