//! The vocabulary: ids, numbers, time, messages, verifications. Pure, and known to every other room.

pub mod id;

pub mod msisdn;

pub mod secret;
pub mod time;
