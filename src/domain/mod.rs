//! The vocabulary: ids, numbers, time, messages, verifications. Pure, and known to every other room.

pub mod amount;
pub mod equipment;
pub mod event;
pub mod id;
pub mod learned;
pub mod message;
pub mod msisdn;
pub mod pin;
pub mod reason;
pub mod secret;
pub mod time;
pub mod verification;
