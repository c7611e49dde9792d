//! Climbing the ladder: what `recovery` wants done, when nothing is in flight; and what is told of it.

use super::*;
use crate::domain::event::{EventKind, NewEvent};
use crate::modem::board::RecoveryView;
use crate::modem::recovery::{self, Note, Revival, Rung};
use crate::store::RecoveryTally;

/// What is done to a port that is closed.
pub(super) enum Next {
    Open(Option<Revival>),
    Reset,
    Wait,
}

impl Driver {
    /// Tells the ladder what happened.
    pub(super) fn tell_recovery(&mut self, input: recovery::Input<'_>) {
        self.recovery.handle_input(self.setting.clock.now().mono, input);
    }

    /// What is to be done while the port is closed.
    pub(super) fn next_while_closed(&mut self) -> Next {
        self.tell_recovery(recovery::Input::Timeout);
        let mut next = Next::Wait;
        while let Some(output) = self.recovery.poll_output() {
            match output {
                recovery::Output::Open(revival) => next = Next::Open(revival),
                recovery::Output::Reset => next = Next::Reset,
                recovery::Output::Note(note) => self.note(note),
                // It is closed, and is set up whenever it is opened.
                recovery::Output::Close | recovery::Output::SetUp => {}
            }
        }
        self.show_recovery();
        next
    }

    /// Opens the port, serves it, and tells the ladder how it ended. `Some`: all is done.
    pub(super) async fn open_and_serve(&mut self, revival: Option<Revival>) -> Option<()> {
        let opening = timeout(OPEN, self.setting.ports.open(&self.setting.port)).await;
        let opened = opening.unwrap_or_else(|_| Err(std::io::Error::other("opening the port takes too long")));
        match opened {
            Ok(port) => {
                self.recovery.place(self.setting.ports.hub(&self.setting.port));
                self.generation = self.setting.ports.generation(&self.setting.port);
                self.tell_recovery(recovery::Input::Opened);
                let place = self.place();
                self.setting.board.update(self.setting.slot, |view| {
                    view.opened += 1;
                    view.stand_in = Some(place.stand_in());
                });
                match self.serve(port, revival).await {
                    Closed::Stopped => return Some(()),
                    Closed::Lost(why) => {
                        tracing::warn!(modem.slot = self.setting.slot, port = %self.setting.port, %why, "Port closed; it will be opened again");
                        self.show_closed(why);
                    }
                    Closed::Trouble(trouble) => {
                        let why = trouble.words();
                        tracing::warn!(modem.slot = self.setting.slot, port = %self.setting.port, why, "Port closed, to bring the modem back");
                        self.show_closed(why.to_owned());
                    }
                    Closed::Spare => {}
                    Closed::Wanted => self.show_closed("it is closed for a moment, to bring the modem back".to_owned()),
                }
            }
            Err(error) => {
                let there = self.setting.ports.is_there(&self.setting.port);
                self.tell_recovery(recovery::Input::NotOpened { there });
                if !there {
                    self.setting.census.has_left(self.setting.slot);
                }
                let why = error.to_string();
                let known = self.setting.board.modems().get(self.setting.slot).and_then(|v| v.reason.clone());
                if known.as_ref() != Some(&why) {
                    tracing::warn!(modem.slot = self.setting.slot, %error, "Port can't be opened; it is tried again");
                }
                self.show_closed(why);
            }
        }
        // Where it is left alone, the board says so, and why.
        self.shown_recovery = None;
        None
    }

    /// Whether its device was plugged in anew since it was looked at last.
    fn is_another_device(&mut self) -> bool {
        let generation = self.setting.ports.generation(&self.setting.port);
        std::mem::replace(&mut self.generation, generation) != generation
    }

    pub(super) async fn reset_device(&mut self) {
        let reset = timeout(OPEN, self.setting.ports.reset(&self.setting.port)).await;
        let reset = reset.unwrap_or_else(|_| Err(std::io::Error::other("the USB reset takes too long")));
        if let Err(error) = &reset {
            tracing::warn!(modem.slot = self.setting.slot, port = %self.setting.port, %error, "No USB reset");
        }
        self.tell_recovery(recovery::Input::Reset(reset.map_err(|error| error.to_string())));
    }

    /// Waits, with the port closed, for the next moment, an order, or a person. `Some`: nobody is there to give orders.
    pub(super) async fn wait_closed(&mut self) -> Option<Closed> {
        let now = self.setting.clock.now().mono;
        let mut wake = self.recovery.next_timeout().unwrap_or(now + LOOK_AGAIN).max(now);
        let there = self.setting.ports.is_there(&self.setting.port);
        if there && self.is_another_device() {
            self.tell_recovery(recovery::Input::There(false));
        }
        self.tell_recovery(recovery::Input::There(there));
        if !there || self.recovery.is_quarantined() {
            wake = wake.min(now + LOOK_FOR);
        }
        if self.recovery.has_output() {
            return None;
        }
        wake = wake.min(self.recovery.next_timeout().unwrap_or(wake)).max(now);
        let resume = self.setting.resume.clone();
        tokio::select! {
            biased;
            order = self.orders.changed() => if order.is_err() {
                return Some(Closed::Stopped);
            },
            () = resume.given() => self.resume(),
            () = sleep_until(self.setting.clock.instant(wake)) => {}
        }
        None
    }

    /// A person has said that the modem is to be tried now.
    pub(super) fn resume(&mut self) {
        self.tell_recovery(recovery::Input::Resume);
        self.show_recovery();
        self.setting.resume.heard();
    }

    /// Does what the ladder wants of an open port, once nothing is in flight. `Some`: it is to be closed.
    pub(super) fn climb(&mut self) -> Option<Closed> {
        let stage = self.session.stage();
        if std::mem::replace(&mut self.stage, stage) != stage {
            self.tell_recovery(recovery::Input::Stage(stage));
        }
        self.tell_recovery(recovery::Input::Timeout);
        // Parts of one message stay together.
        let goes_on = self.next.as_ref().is_some_and(|next| next.part > 0);
        if self.recovery.wants_port() && !goes_on {
            self.next = None;
            self.claiming = None;
        }
        let under_way = self.flight.is_some() || self.listening || self.granting.is_some() || self.pin.is_some();
        if under_way || goes_on {
            while let Some(note) = self.recovery.poll_note() {
                self.note(note);
            }
            self.show_recovery();
            return None;
        }
        let mut closed = None;
        while let Some(output) = self.recovery.poll_output() {
            match output {
                recovery::Output::Close => closed = Some(Closed::Wanted),
                recovery::Output::SetUp => {
                    let now = self.setting.clock.now().mono;
                    self.session.handle_input(now, Input::SetUp);
                }
                recovery::Output::Note(note) => self.note(note),
                recovery::Output::Open(_) | recovery::Output::Reset => {}
            }
        }
        self.show_recovery();
        closed
    }

    fn note(&mut self, note: Note) {
        let slot = self.setting.slot;
        match note {
            Note::Took(rung, trouble) => {
                tracing::warn!(
                    modem.slot = slot,
                    rung = rung.as_str(),
                    why = trouble.words(),
                    "Bringing the modem back"
                );
            }
            Note::Worked(rung, _) => {
                tracing::info!(modem.slot = slot, rung = rung.as_str(), "The modem is back");
                self.log_event(
                    EventKind::ModemRecovered,
                    format!("The modem can send again, after this rung: {}", rung.as_str()),
                );
                self.keep_tally();
            }
            Note::Quarantined(trouble, stay) => {
                // Another port of the same modem may do better.
                self.setting.census.has_left(slot);
                let minutes = stay.as_secs() / 60;
                tracing::error!(
                    modem.slot = slot,
                    minutes,
                    why = trouble.words(),
                    "Modem in quarantine; it is tried again later"
                );
                let sentence = format!("{}; it is tried again in {minutes} minutes", trouble.words());
                self.log_event(EventKind::ModemQuarantined, sentence);
                self.keep_tally();
            }
            Note::Hint(words) => tracing::warn!(modem.slot = slot, "{words}"),
        }
    }

    /// Logs what somebody may want to hear of this modem and its SIM card.
    pub(super) fn log_event(&self, kind: EventKind, sentence: String) {
        let sim_card = self.identity.as_ref().map(|(_, sim_card)| sim_card.clone());
        let event = NewEvent { kind, modem: self.last_here.clone(), sim_card, sentence, about: None };
        tokio::spawn(self.setting.store.note(event));
    }

    /// Writes what has helped this model, and what has not. Seldom: when a climb has ended.
    fn keep_tally(&self) {
        let Some(model) = self.recovery.model() else { return };
        let tally = RecoveryTally { model: model.to_owned(), rungs: self.setting.ward.tally(model).0.to_vec() };
        tokio::spawn(self.setting.store.keep_tally(tally));
    }

    fn show_recovery(&mut self) {
        let standing = self.recovery.standing();
        let tally = self.recovery.model().map(|model| self.setting.ward.tally(model));
        let shown = (standing, tally);
        if self.shown_recovery.as_ref() == Some(&shown) {
            return;
        }
        let now = self.setting.clock.now();
        let wall = |at: crate::domain::time::Mono| {
            if at >= now.mono { now.wall + (at - now.mono) } else { now.wall.before(now.mono - at) }
        };
        let (standing, tally) = &shown;
        self.setting.board.update(self.setting.slot, |view| {
            view.recovery = standing.as_ref().map(|standing| RecoveryView {
                rung: standing.rung,
                since: wall(standing.since),
                next_at: standing.next_at.map(wall),
                attempts: standing.attempts,
                reason: standing.reason.clone(),
            });
            let counts = tally.iter().flat_map(|tally| Rung::ALL.map(|rung| (rung.as_str(), tally.of(rung))));
            view.rungs = counts
                .filter(|(_, count)| count.tried > 0)
                .map(|(rung, count)| (rung, count.tried, count.worked))
                .collect();
            if let (true, Some(standing)) = (self.recovery.is_quarantined(), standing) {
                if view.state != ModemState::Quarantined {
                    view.since = now.wall;
                }
                let until = standing.next_at.map_or(Duration::ZERO, |at| at - now.mono);
                let minutes = until.as_secs().div_ceil(60);
                view.state = ModemState::Quarantined;
                view.reason = Some(format!(
                    "{}; it is tried again in {minutes} minutes, and at once when it is plugged in anew",
                    standing.reason
                ));
            } else if view.state == ModemState::Quarantined {
                (view.state, view.since) = (ModemState::Recovering, now.wall);
                view.reason = standing.as_ref().map(|standing| standing.reason.clone());
            }
        });
        self.shown_recovery = Some(shown);
    }

    /// Notes that the machine slept, or stood still: more time has passed than was waited for.
    pub(super) fn note_sleep(&mut self, before: &Now, due: crate::domain::time::Mono) {
        let now = self.setting.clock.now();
        let (mono, boot) = (now.mono - before.mono, now.boot.since_boot.saturating_sub(before.boot.since_boot));
        if now.mono > due + SLEPT || now.boot.id == before.boot.id && boot > mono + SLEPT {
            self.tell_recovery(recovery::Input::Slept);
        }
    }
}

/// How long opening a port, or resetting a device, may take.
const OPEN: Duration = Duration::from_secs(60);
/// How often it is looked whether a modem that is left alone, or was gone, is plugged in anew.
const LOOK_FOR: Duration = Duration::from_millis(500);
/// Nobody is woken that much too late but by a machine that slept.
const SLEPT: Duration = Duration::from_secs(20);
