//! The AT dialogue: lines, commands, answers, news, and one engine that keeps them apart.
//!
//! Knows how a message is handed over and nothing of what is in it: a PDU is opaque hex here. Pure: no port and no
//! clock; bytes and the time come in, bytes, events and the next deadline go out.
//!
//! - [`mod@line`]: bytes to lines and prompts
//! - [`result`], [`errors`]: final results and their numbers' names
//! - [`response`]: parsers for answer lines
//! - [`urc`]: what comes unasked
//! - [`command`]: what to ask, and the shape of its answer
//! - [`engine`]: the dialogue itself; [`event`] is its vocabulary

pub mod command;
pub mod engine;
pub mod errors;
pub mod event;
#[doc(hidden)]
pub mod fuzzing;
pub mod line;
pub mod response;
pub mod result;
pub mod urc;

pub use command::Command;
pub use engine::{Config, Engine};
pub use event::{Event, Input, NotTransmitted, Output, Refusal, Reply, ReplyEnd, Submit, SubmitResult};
pub use line::Line;
pub use response::PduHex;
pub use result::FinalResult;
pub use urc::Urc;
