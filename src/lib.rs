//! otpgate: an SMS gateway for one-time passwords that runs on a box you own.

pub mod domain;
pub mod simulator;
