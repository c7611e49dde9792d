//! One modem: its session (pure), and the driver, the port and the board around it (I/O).

mod bringup;

pub mod board;
pub mod census;
pub mod compose;
pub mod driver;
pub mod learned;
pub mod port;
pub mod quirks;
pub mod recovery;
pub mod resume;
pub mod serial;
pub mod session;
pub mod usb;
