//! otpgate: an SMS gateway for one-time passwords that runs on a box you own.

pub mod domain;
pub mod modem;
pub mod ops;
pub mod store;
pub mod otp;
