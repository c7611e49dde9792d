//! The vocabulary: ids, numbers, time, messages, verifications. Pure, and known to every other room.

pub mod amount;
pub mod audit;
pub mod country;
pub mod equipment;
pub mod event;
pub mod guard;
pub mod id;
pub mod inbound;
pub mod learned;
pub mod message;
pub mod mode;
pub mod msisdn;
pub mod network;
pub mod number_kind;
pub mod pin;
pub mod reason;
pub mod secret;
pub mod time;
pub mod verification;
pub mod webhook;
