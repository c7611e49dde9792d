//! What the process owes the machine it runs on: clocks and random numbers, logs, notices to systemd.

pub mod clock;
pub mod random;
pub mod telemetry;
