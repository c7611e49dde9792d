//! The PIN of a SIM card: where it is, and whether the store lets it be typed.

use super::*;
use crate::domain::pin::{PinOutcome, PinRefused};
use crate::modem::session::PinAnswer;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What was found out about a question of the session's.
pub(super) struct Unlocking {
    token: u64,
    answer: PinAnswer,
    /// What the store granted.
    granted: Option<PinEntry>,
}

impl Driver {
    /// The session asks for a PIN: it is looked for, and the store asked, while the port is served.
    pub(super) fn want_pin(
        &mut self,
        token: u64,
        imei: Option<Imei>,
        sim_card: Option<SimCard>,
        tries_left: Option<u8>,
    ) {
        let modem = self.name_of(imei);
        self.setting.board.update(self.setting.slot, |view| {
            view.imei = Some(modem.clone());
            view.sim_card = sim_card.clone();
        });
        let asked = Asked { modem, sim_card, tries_left, slot: self.setting.slot };
        let (store, cards) = (self.setting.store.clone(), self.setting.sim_cards.clone());
        self.unlocking.spawn(async move {
            match asked.decide(&*store, &cards).await {
                Ok(entry) => Unlocking { token, answer: PinAnswer::Type(entry.pin.clone()), granted: Some(entry) },
                Err(words) => Unlocking { token, answer: PinAnswer::Wait(words), granted: None },
            }
        });
    }

    pub(super) fn pin_found(&mut self, Unlocking { token, answer, granted }: Unlocking) {
        if granted.is_some() {
            tracing::info!(modem.slot = self.setting.slot, "The SIM card is given its PIN");
        }
        self.pin = granted.map(|entry| (token, entry));
        self.session.handle_input(self.setting.clock.now().mono, Input::Pin { token, answer });
    }

    pub(super) fn pin_ended(&mut self, token: u64, outcome: PinOutcome) {
        let Some((_, entry)) = self.pin.take_if(|(of, _)| *of == token) else { return };
        match outcome {
            PinOutcome::Accepted => tracing::info!(modem.slot = self.setting.slot, "The SIM card took its PIN"),
            PinOutcome::Refused => {
                tracing::error!(modem.slot = self.setting.slot, sim_card = %entry.sim_card, "The SIM card refused its PIN")
            }
            PinOutcome::NotTyped => {}
        }
        tokio::spawn(self.setting.store.pin_ended(entry, outcome));
    }

    /// The port is gone: what is granted now is not typed any more.
    pub(super) async fn withdraw_pin(&mut self) {
        while let Ok(Some(found)) = timeout(WITHDRAWN, self.unlocking.join_next()).await {
            if let Ok(Unlocking { granted: Some(entry), .. }) = found {
                let _ = self.setting.store.pin_ended(entry, PinOutcome::NotTyped).await;
            }
        }
        self.unlocking.detach_all();
        self.pin = None;
    }
}

/// A card that asks for its PIN.
struct Asked {
    modem: Imei,
    sim_card: Option<SimCard>,
    tries_left: Option<u8>,
    slot: usize,
}

impl Asked {
    /// The PIN, and that it may be typed; or, in words, what has to be done first.
    async fn decide(self, store: &dyn Store, cards: &[SimCardConfig]) -> Result<PinEntry, String> {
        let last = match &self.sim_card {
            None => store.last_card(self.modem.clone()).await.map_err(|error| unknown(&error))?,
            Some(_) => None,
        };
        let (sim_card, path) = file_of(self.sim_card.as_ref(), last, cards)?;
        let file = path.clone();
        let slot = self.slot;
        // A pipe that nobody writes into, or a file server that is gone, must not hold the modem up.
        let read = timeout(READ, tokio::task::spawn_blocking(move || read_pin(&file, slot))).await;
        let unreadable = || Err(format!("{ASKS}, but its file {} can't be read", path.display()));
        let pin = read.map_or_else(|_| unreadable(), |read| read.unwrap_or_else(|_| unreadable()))?;
        let entry = PinEntry {
            modem: self.modem,
            card_read: self.sim_card.is_some(),
            sim_card,
            pin,
            tries_left: self.tries_left,
        };
        match store.enter_pin(entry.clone()).await {
            Ok(Ok(())) => Ok(entry),
            Ok(Err(refused)) => Err(why_not(refused, &path)),
            Err(error) => Err(unknown(&error)),
        }
    }
}

/// Which card it is, and where its PIN is. A card that does not tell is taken for the one that was in the modem last, or else
/// for the only one with a PIN.
fn file_of(
    told: Option<&SimCard>,
    last: Option<SimCard>,
    cards: &[SimCardConfig],
) -> Result<(SimCard, PathBuf), String> {
    let with_pin = || cards.iter().filter(|card| card.pin_file.is_some());
    let which = match (told.cloned().or(last), with_pin().count()) {
        (Some(card), _) => Some(card),
        (None, 1) => with_pin().next().map(|card| card.iccid.clone()),
        (None, 0) => None,
        (None, _) => {
            return Err(format!(
                "{ASKS}, and this modem does not tell before it which card it is, while several [[sim_card]] \
                                         have a pin_file; switch the PIN off in a phone"
            ));
        }
    };
    let found = which.and_then(|card| cards.iter().find(|c| c.iccid == card));
    match found.and_then(|card| Some((card.iccid.clone(), card.pin_file.clone()?))) {
        Some(found) => Ok(found),
        None => Err(format!(
            "{ASKS}; write its iccid and pin_file into a [[sim_card]] and start otpgate anew, or switch the PIN off in \
                             a phone"
        )),
    }
}

/// Reads a PIN, and shows nothing of it whatever is wrong.
fn read_pin(path: &Path, slot: usize) -> Result<Secret, String> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| format!("{ASKS}, but its file {shown} can't be read ({error})");
    let file = File::open(path).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    if found.is_file() && found.permissions().mode() & 0o077 != 0 {
        tracing::warn!(modem.slot = slot, "Others may read the PIN file {shown}; close it with: chmod 600 {shown}");
    }
    let mut text = Zeroizing::new(String::with_capacity(LONGEST_FILE as usize));
    file.take(LONGEST_FILE).read_to_string(&mut text).map_err(unreadable)?;
    let pin = text.trim_end_matches(['\r', '\n']);
    match (4..=8).contains(&pin.len()) && pin.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(Secret::new(pin)),
        false => Err(format!("{ASKS}, but its file {shown} does not hold a PIN: 4 to 8 digits and nothing else")),
    }
}

fn why_not(refused: PinRefused, path: &Path) -> String {
    let file = path.display();
    match refused {
        PinRefused::RefusedBefore => format!(
            "the SIM card refused the PIN in {file}, which is not typed at it again; put the right one into that file, or switch the PIN \
             off in a phone"
        ),
        PinRefused::AnswerNeverSeen => format!(
            "the PIN in {file} was typed and no answer was seen, so it is not typed again; try it in a phone, and switch the PIN off \
             there, or change it and put the new one into that file"
        ),
        PinRefused::TooFewTries(left) => format!(
            "the SIM card has {left} of its 3 tries left for the PIN, and otpgate leaves the last one to you; enter the right one in a \
             phone, which gives them back, and put it into {file}"
        ),
        PinRefused::TriesUnknown => {
            "a PIN was refused, and this modem does not tell how many tries the SIM card has left, so none is \
                                     typed any more; switch the PIN off in a phone"
                .to_owned()
        }
        PinRefused::TooMany => {
            "so many PINs were tried at this SIM card that no other is; switch the PIN off in a phone".to_owned()
        }
    }
}

fn unknown(error: &StoreError) -> String {
    format!(
        "{ASKS}, but which were tried before can't be told ({error}), so none is typed; switch the PIN off in a phone"
    )
}

const ASKS: &str = "the SIM card asks for its PIN";
/// A PIN and a line's end, with room to see that there is more.
const LONGEST_FILE: u64 = 32;
/// A file may lie on a disk that has gone.
const WITHDRAWN: Duration = Duration::from_secs(5);
/// How long reading a file may take.
const READ: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn card(iccid: &str, pin_file: Option<&str>) -> SimCardConfig {
        SimCardConfig { pin_file: pin_file.map(PathBuf::from), ..SimCardConfig::new(SimCard::new(iccid)) }
    }

    #[test]
    fn l10_which_pin_is_for_which_card() {
        let (a, b) = (SimCard::new("8901"), SimCard::new("8902"));
        let one = [card("8901", Some("/a")), card("8902", None)];
        let two = [card("8901", Some("/a")), card("8902", Some("/b"))];
        let found = |told: Option<&SimCard>, last: Option<&SimCard>, cards: &[SimCardConfig]| {
            file_of(told, last.cloned(), cards)
                .map(|(_, path)| path.display().to_string())
                .map_err(|words| words.contains("several"))
        };
        assert_eq!(found(Some(&b), None, &two), Ok("/b".to_owned()));
        assert_eq!(found(Some(&b), None, &one), Err(false), "another card's PIN is not for it");
        assert_eq!(found(None, Some(&b), &two), Ok("/b".to_owned()), "seen last");
        assert_eq!(found(None, Some(&b), &one), Err(false));
        assert_eq!(found(None, None, &one), Ok("/a".to_owned()), "the only one");
        assert_eq!(found(None, None, &two), Err(true));
        assert_eq!(found(Some(&a), None, &[]), Err(false));
        assert_eq!(found(None, None, &[]), Err(false));
    }

    #[test]
    fn l10_a_pin_file_is_read_as_people_write_it_and_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pin");
        for (text, pin) in [("1234", "1234"), ("1234\n", "1234"), ("12345678\r\n", "12345678")] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read_pin(&path, 0).unwrap().reveal(), pin);
        }
        for text in ["", "\n", "123", "123456789", "12 34", "1234 # the shop's", "PIN=4321", "4321\n4321\n"] {
            std::fs::write(&path, text).unwrap();
            let words = read_pin(&path, 0).unwrap_err();
            assert!(words.contains("4 to 8 digits") && words.contains(path.to_str().unwrap()), "{words}");
            assert!(!words.contains("4321"), "{words}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(read_pin(&path, 0).unwrap_err().contains("can't be read"));
    }
}
