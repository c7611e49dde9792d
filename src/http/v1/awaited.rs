//! Verifications that go the other way: the person texts us a word, and nothing is sent.

use crate::domain::verification::Channel;
use crate::http::Context;
use crate::http::input::Fields;
use crate::http::problem::{Kind, Problem};
use crate::store::VerificationView;
use serde::Serialize;

/// What the person is to do: text this word to one of these numbers.
#[derive(Serialize)]
pub(crate) struct AwaitedView {
    word: String,
    numbers: Vec<String>,
}

impl AwaitedView {
    /// For the one who creates it.
    pub(crate) fn of(cx: &Context, view: &VerificationView) -> Option<Self> {
        let word = view.word.as_ref()?.reveal().to_owned();
        Some(Self { word, numbers: own_numbers(cx) })
    }
}

/// Which way the proof is to go. The other way there is no text that anything could be said about.
pub(crate) fn channel(cx: &Context, fields: &Fields) -> Result<Channel, Problem> {
    let words = [Channel::Sms, Channel::Inbound].map(|channel| (channel.as_str(), channel));
    let channel = fields.word("channel", &words)?.unwrap_or_default();
    if channel == Channel::Sms {
        return Ok(channel);
    }
    if let Some(field) = OF_TEXTS.iter().find(|field| fields.value(field).is_some()) {
        let detail =
            format!("`{field}` is about a text that is sent, and with `channel` `inbound` none is; leave it out.");
        return Err(Problem::invalid(*field, detail));
    }
    if own_numbers(cx).is_empty() {
        return Err(Problem::new(
            Kind::NoOwnNumber,
            "No SIM card that is ready has a known number to text to; write `number` into its [[sim_card]].",
        ));
    }
    Ok(channel)
}

/// The numbers of the SIM cards that are ready, as far as they are known.
fn own_numbers(cx: &Context) -> Vec<String> {
    let modems = cx.board.modems().into_iter().enumerate().filter(|(_, modem)| modem.state.is_ready());
    let numbers = modems.filter_map(|(slot, modem)| {
        let configured = modem.sim_card.and_then(|card| cx.settings.own_numbers.get(&card).cloned());
        let simulated = || cx.simulator.as_ref().and_then(|simulator| simulator.identity(slot)).map(|it| it.number);
        configured.map(|number| number.reveal_e164()).or_else(simulated)
    });
    let mut numbers: Vec<String> = numbers.collect();
    numbers.sort();
    numbers.dedup();
    numbers
}

const OF_TEXTS: [&str; 9] =
    ["code", "code_alphabet", "brand", "template", "locale", "host", "embedded_host", "app", "on_uncertain"];
