//! The `otpgate` binary: parse arguments, match the subcommand.
fn main() {}
