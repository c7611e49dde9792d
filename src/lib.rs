//! otpgate: an SMS gateway for one-time passwords that runs on a box you own.

pub mod app;
pub mod at;
pub mod cli;
pub mod config;
pub mod dispatch;
pub mod domain;
pub mod http;
pub mod modem;
pub mod ops;
pub mod otp;
pub mod simulator;
pub mod sms;
pub mod store;
