//! What the process owes the machine it runs on: clocks and random numbers, files that
//! outlive a power failure, logs, notices to systemd.

pub mod clock;
pub mod files;
pub mod random;
pub mod telemetry;
