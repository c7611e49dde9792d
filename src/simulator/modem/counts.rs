//! What is counted and measured at the modem's side.

use crate::domain::time::Mono;
use std::collections::{BTreeMap, VecDeque};

/// What tests count at the modem's side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Command lines that held this command, by name (`+CMGS`, `E`). At most 256 names.
    pub at_lines: BTreeMap<String, u64>,
    /// ESC characters received.
    pub escapes: u64,
    /// Bytes that came between 0x1A and the result.
    pub bytes_while_sending: u64,
    /// Prompts given.
    pub prompts: u64,
    /// 0x1A received in edit mode, whatever became of the message.
    pub submits: u64,
    /// PINs typed, right and wrong ones.
    pub pins_typed: u64,
    /// USSD codes that went out.
    pub service_codes: u64,
    /// SMS-SUBMITs handed to the network.
    pub submitted: u64,
}

/// How quickly the host goes on, in microseconds; the latest 65,536 of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// From the final result of a send to the next AT+CMGS.
    pub from_result: VecDeque<u32>,
    /// From the prompt to 0x1A.
    pub from_prompt: VecDeque<u32>,
    /// A result was said, but when it leaves is not known yet.
    pub(super) result_told: bool,
    pub(super) last_result: Option<Mono>,
    pub(super) last_prompt: Option<Mono>,
}

impl Turns {
    pub(super) fn note(list: &mut VecDeque<u32>, since: Option<Mono>, now: Mono) {
        let Some(since) = since else { return };
        if list.len() == 65_536 {
            list.pop_front();
        }
        list.push_back(u32::try_from((now - since).as_micros()).unwrap_or(u32::MAX));
    }
}
