//! One modem: its session (pure), and the driver, the port and the board around it (I/O).

pub mod board;
