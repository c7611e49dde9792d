//! What goes into the engine and what comes out of it.

use super::command::Command;
use super::line::Line;
use super::response::PduHex;
use super::result::FinalResult;
use super::urc::Urc;
use crate::domain::time::Mono;
use std::fmt;
use std::time::Duration;

/// Everything that can happen to the engine.
#[derive(Debug)]
pub enum Input<'a> {
    /// The port was opened. With `listen_until`, nothing is written before a final result is heard or that time has
    /// come: a message may still be on the air from before a restart.
    Start {
        /// How long to listen first.
        listen_until: Option<Mono>,
    },
    /// After [`Input::Start`]: say these first, one by one and whatever comes back, for they may bring back a modem that
    /// answers nothing. Behind one that is not repeatable and was taken, no other is said. Only then is it looked for.
    Revive(Vec<Command>),
    /// The port is gone, or about to be closed. What was open is ended; nothing is written.
    Reset,
    /// The modem said this.
    Bytes(&'a [u8]),
    /// A deadline may have come. Harmless if none has.
    Timeout,
    /// Say this command.
    Command(Command),
    /// Hand over this message.
    Submit(Submit),
    /// The answer to [`Event::WantRelease`]. Until 0x1A left, a later answer replaces an earlier one.
    Release {
        /// Which message.
        token: u64,
        /// Whether its PDU may leave.
        granted: bool,
    },
    /// The irreversible bytes were not written after all: between release and hand-over the message was called off.
    Withheld {
        /// Which message.
        token: u64,
    },
    /// Give up what is in flight. Refused once 0x1A left.
    Abort,
}

/// One message to hand over.
#[derive(Clone, Debug)]
pub struct Submit {
    /// Names the message in every event about it, so that an answer that is late can't release the next one.
    pub token: u64,
    /// The PDU; it announces its own length.
    pub pdu: PduHex,
    /// TPDU octets: the number behind `AT+CMGS=`.
    pub length: usize,
    /// How long the prompt may take: 5 to 10 s.
    pub prompt_deadline: Duration,
    /// How long to wait from the prompt to the PDU. Some modems lose what comes at once.
    pub prompt_delay: Duration,
    /// No 0x1A at or after it.
    pub not_after: Mono,
    /// From then on a message without a result is uncertain. Counted from the moment 0x1A leaves.
    pub send_deadline: Duration,
}

/// What to do next.
#[derive(Clone, PartialEq, Eq)]
pub enum Output {
    /// Write these bytes.
    Transmit {
        /// The bytes.
        bytes: Vec<u8>,
        /// Whether they hand a message over, so that from the first of them written it may be on the air.
        irreversible: bool,
    },
    /// Something happened.
    Event(Event),
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transmit { bytes, irreversible } => {
                let mark = if *irreversible { ", irreversible" } else { "" };
                write!(f, "Transmit[{} bytes{mark}]", bytes.len())
            }
            Self::Event(event) => event.fmt(f),
        }
    }
}

/// What happened. No `Debug` output of it holds a PDU, a text or a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// After [`Input::Start`]: two clean answers to `AT`, or one to a query behind it. Commands are taken from now on.
    Synchronised,
    /// After [`Input::Start`]: no answer to `AT`. Only another start helps.
    Unresponsive,
    /// While listening before the start: a final result, perhaps that of a message from before a restart. An `OK`
    /// without `+CMGS:` has no reference, and is weak evidence.
    Heard(SubmitResult),
    /// The command ended. Unless by a final result, the engine resynchronises before it takes the next.
    Replied(Reply),
    /// A message's `AT+CMGS` went out: may its PDU follow?
    WantRelease {
        /// Which message.
        token: u64,
    },
    /// The message's dialogue ended.
    Submitted {
        /// Which message.
        token: u64,
        /// How.
        result: SubmitResult,
    },
    /// The message's deadline came without a result. The engine goes on listening and takes no command.
    Uncertain {
        /// Which message.
        token: u64,
    },
    /// An uncertain message's result came after all.
    LateResult {
        /// Which message.
        token: u64,
        /// How it ended.
        result: SubmitResult,
    },
    /// An uncertain message's result did not come in 180 s, or the modem has restarted. The engine resynchronises.
    ListeningEnded {
        /// Which message.
        token: u64,
    },
    /// The barrier was passed: commands are taken again.
    Resynchronised,
    /// Three barriers failed. Close the port and start anew.
    Desynchronised,
    /// A `+CMGS:` that belongs to no message in flight. Never to be credited to one.
    OrphanResult {
        /// TP-MR.
        reference: u8,
    },
    /// News.
    Urc(Urc),
    /// A prompt outside its time. It was escaped.
    StrayPrompt,
    /// The echo of a command that was not ours: somebody else uses this port.
    ForeignEcho(Line),
    /// So many bytes that made no line.
    Noise {
        /// Bytes.
        bytes: usize,
    },
    /// A line that says nothing to us. For the trace.
    Trace(Line),
    /// An input that can't be taken now.
    Refused(Refusal),
}

/// Why an input was refused. It had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Something is in flight, or the engine resynchronises. Wait for its event.
    Busy,
    /// The engine was not started, or gave up. Start it.
    NotStarted,
    /// 0x1A left: nothing may be written until its result or the end of listening.
    OnAir,
    /// The PDU does not have the length to announce.
    WrongLength,
}

/// What became of a message's dialogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitResult {
    /// Its PDU never left.
    NotTransmitted(NotTransmitted),
    /// A final result came instead of the prompt, or behind it. Its PDU never left.
    RefusedBeforePdu(FinalResult),
    /// `+CMGS:` or `OK` after the PDU.
    Accepted {
        /// TP-MR, if the modem told it.
        reference: Option<u8>,
    },
    /// Another final result after the PDU. Whether the message is on the air depends on it.
    Refused(FinalResult),
}

/// Why a PDU never left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTransmitted {
    /// No prompt within its deadline.
    NoPrompt,
    /// The release was refused.
    NotReleased,
    /// The release did not come within 5 s of the prompt.
    ReleaseTooLate,
    /// The message's own time was over.
    Expired,
    /// [`Input::Abort`].
    Aborted,
    /// A stray prompt came before the command went out, or the modem restarted before the PDU did.
    Interrupted,
    /// [`Input::Reset`] or [`Input::Start`].
    PortLost,
}

/// How a command ended, and the lines that answered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The answer lines, in order; PDUs behind their headers.
    pub lines: Vec<Line>,
    /// How it ended.
    pub end: ReplyEnd,
}

impl Reply {
    /// Whether it ended with `OK`.
    pub fn is_ok(&self) -> bool {
        self.end == ReplyEnd::Final(FinalResult::Ok)
    }

    /// The first answer line.
    pub fn first(&self) -> Option<&str> {
        self.lines.first().map(Line::as_str)
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyEnd {
    /// By this result.
    Final(FinalResult),
    /// Its deadline came first.
    TimedOut,
    /// A stray prompt swallowed it.
    Interrupted,
    /// [`Input::Abort`].
    Aborted,
    /// [`Input::Reset`] or [`Input::Start`].
    PortLost,
}
