//! Bringing a modem back that has stopped: the ladder, as a machine with a memory. Pure; the driver climbs.
//!
//! Call [`Recovery::handle_input`], then drain [`Recovery::poll_output`], then come back at [`Recovery::next_timeout`].
//!
//! The mildest help is the engine's own: ESC, quiet and a barrier after any time-out. What that does not mend comes here
//! as a [`Trouble`], and the modem climbs, a [`Rung`] at a time: it is set up anew; its port is opened anew; its radio is
//! switched off and on; it restarts; its USB device is reset; and at last it is left in quarantine with the remedy in
//! words, tried again after 10 and 30 minutes, then hourly, and at once when it was plugged in anew or a person says so.
//!
//! What holds on the way:
//!
//! - A rung is believed when it is verified: by a modem that is set up and registered or, where sending was the trouble,
//!   by a message that the network took. Peace that has held for [`HELD`] begins the next climb at its foot.
//! - No two rungs within the modem's own boot time, and none between 0x1A and the result, or 180 s.
//! - Never on a neighbour: a modem is restarted or reset while no other on its hub is. What the network does to one SIM card
//!   alone may be the modem; what it does to all is not (`rulings`: one CFUN cycle in 30 minutes, one modem at a time).
//! - What never works for a model is left out (rows L3, L4).
//! - A machine that slept is no modem that hung (row G10).

mod restarts;
pub mod ward;

use crate::domain::msisdn::Msisdn;
use crate::domain::reason::Reason;
use crate::domain::time::Mono;
use restarts::Restarts;
use std::collections::VecDeque;
use std::time::Duration;
use ward::Ward;

/// One rung, from the mildest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// The bring-up, anew.
    SetUp,
    /// The port is closed and opened.
    Reopen,
    /// The radio off and on: `AT+CFUN=4`, then `=1`.
    Radio,
    /// `AT+CFUN=1,1`, or what the model wants instead.
    Restart,
    /// Its USB device is reset from outside.
    UsbReset,
}

impl Rung {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [Self::SetUp, Self::Reopen, Self::Radio, Self::Restart, Self::UsbReset];

    /// The word that the API shows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SetUp => "set_up",
            Self::Reopen => "reopen",
            Self::Radio => "radio",
            Self::Restart => "restart",
            Self::UsbReset => "usb_reset",
        }
    }

    /// Whether others on the same hub may feel it.
    fn is_heavy(self) -> bool {
        self >= Self::Restart
    }
}

/// What is said to a modem before it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revival {
    /// Radio off and on.
    Radio,
    /// Restart.
    Restart,
}

/// What is wrong with a modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It does not answer.
    Silent,
    /// Its answers fit no question.
    Desynchronised,
    /// It takes no bytes.
    Stalled,
    /// Messages in a row never left it: it prompts no more.
    NeverLeaves,
    /// No result of a message came within 180 s.
    NoResult,
    /// It says that it fails: `+CMS ERROR: 300` or 302, for longer than a boot takes.
    Sick,
    /// The network refuses every message to whomever, while it says that all is well (row L6).
    Refused,
    /// It has not been registered for long (row L7).
    Unregistered,
    /// It answers, and some step of its bring-up never ends.
    Stuck,
    /// It refuses every message for what it is: 301 or 303.
    Unfit,
    /// It restarts by itself again and again (row L2).
    Boots,
}

impl Trouble {
    /// What it is, and the remedy.
    pub fn words(self) -> &'static str {
        match self {
            Self::Silent => "it does not answer; check its power and cable, and that this is its AT port",
            Self::Desynchronised => "its answers no longer fit the questions; does another program use this port?",
            Self::Stalled => "it takes no more bytes; pull it out and plug it in again",
            Self::NeverLeaves => "several messages in a row never left it; pull it out and plug it in again",
            Self::NoResult => "it tells no result of its messages; pull it out and plug it in again",
            Self::Sick => "it says that it fails (300 or 302); pull it out and plug it in again",
            Self::Refused => {
                "the network takes no message over this SIM card, to whichever number: is it blocked or unpaid?"
            }
            Self::Unregistered => {
                "it has found no network for long; check antenna and place, and that the SIM card is not blocked or unpaid"
            }
            Self::Stuck => {
                "it never gets ready: it answers, but something that is needed to send is refused or never comes, of its SIM \
                 card, its radio or its AT port; take the SIM card out and put it in again, and the modem too"
            }
            Self::Unfit => {
                "it refuses every message (301 or 303): check that this is its AT port and that no other program uses it; if \
                 both are so, it can't send messages"
            }
            Self::Boots => {
                "it restarts again and again: check its power supply; it may take 2 A at times, so use a hub with a supply of \
                 its own"
            }
        }
    }

    /// Where the climb begins. `None`: nothing that is done to it would help.
    fn first(self) -> Option<Rung> {
        match self {
            Self::NoResult | Self::Sick => Some(Rung::SetUp),
            Self::Silent | Self::Desynchronised | Self::Stalled | Self::NeverLeaves => Some(Rung::Reopen),
            Self::Refused | Self::Unregistered | Self::Stuck => Some(Rung::Radio),
            Self::Unfit | Self::Boots => None,
        }
    }

    /// Whether only a message that goes out shows that it is over.
    fn needs_a_message(self) -> bool {
        matches!(self, Self::NeverLeaves | Self::NoResult | Self::Sick | Self::Refused | Self::Unfit)
    }

    fn is_the_networks(self) -> bool {
        matches!(self, Self::Refused | Self::Unregistered)
    }

    /// Whether a machine that slept may have made it up.
    fn may_be_ours(self) -> bool {
        matches!(self, Self::Silent | Self::Desynchronised | Self::Stalled | Self::Stuck)
    }
}

/// How far a session has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Not far yet, or waiting for a person.
    #[default]
    Starting,
    /// In its bring-up, it is waited for the modem itself.
    Stuck,
    /// Set up; without a network.
    Unregistered,
    /// Set up and registered.
    Ready,
}

/// Everything that can happen.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// The port was opened.
    Opened,
    /// It could not be opened.
    NotOpened {
        /// Whether its device is there all the same: another program has it, or it may not be opened.
        there: bool,
    },
    /// It went away by itself.
    Lost,
    /// It was closed, as was wanted.
    Closed,
    /// Whether its device is there; told while the port is closed.
    There(bool),
    /// How far the session has come.
    Stage(Stage),
    /// It has this trouble. Where the port had to be closed for it, `closed`.
    Trouble {
        /// Which.
        trouble: Trouble,
        /// Whether the port is closed.
        closed: bool,
    },
    /// The modem says that it has restarted.
    Booted,
    /// 0x1A left.
    HandedOver,
    /// The network took a message of it.
    Accepted,
    /// A message was refused, or its end left open, with this reason.
    Refused(Reason, &'a Msisdn),
    /// The port need not be kept silent any more.
    ListeningEnded,
    /// The USB device was reset, or why not.
    Reset(Result<(), String>),
    /// A person says: try it now. While it is being tried already: once more, should that be in vain.
    Resume,
    /// The machine slept, or was stopped: what was due meanwhile says nothing.
    Slept,
    /// A moment may have come.
    Timeout,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open the port and say this first. Answered with [`Input::Opened`] or [`Input::NotOpened`].
    Open(Option<Revival>),
    /// Set the modem up anew.
    SetUp,
    /// Close the port as soon as nothing is in flight, for what comes next. Answered with [`Input::Closed`].
    Close,
    /// Reset the USB device. Answered with [`Input::Reset`].
    Reset,
    /// Something to be told.
    Note(Note),
}

/// Something to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A rung is taken.
    Took(Rung, Trouble),
    /// It has worked.
    Worked(Rung, Trouble),
    /// The modem is left alone for so long.
    Quarantined(Trouble, Duration),
    /// What may be the matter, in words.
    Hint(&'static str),
}

/// How a model boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot {
    /// From power to the first answer.
    pub time: Duration,
    /// A restart makes a storage of it, until somebody switches it back (row L3).
    pub changes_mode: bool,
}

impl Default for Boot {
    fn default() -> Self {
        Self { time: Duration::from_secs(30), changes_mode: false }
    }
}

/// Where a modem stands on the ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The rung's word, or `quarantine`.
    pub rung: &'static str,
    /// Since when.
    pub since: Mono,
    /// When something is done next, if that is known.
    pub next_at: Option<Mono>,
    /// Rungs taken in this climb.
    pub attempts: u32,
    /// Why, and the remedy.
    pub reason: String,
}

/// One modem's ladder. See the module's text.
#[derive(Debug)]
pub struct Recovery {
    slot: usize,
    hub: String,
    ward: Ward,
    boot: Boot,
    model: Option<String>,
    operator: Option<String>,
    port: Port,
    /// When the port is opened next, if it is closed.
    open_at: Mono,
    pause: Duration,
    opened: Mono,
    /// When it was missed first, and last.
    absent: Option<(Mono, Mono)>,
    /// It was seen to be gone, since its port was tried last.
    missed: bool,
    /// Since the last rung it was away for longer than a boot takes.
    stayed_away: bool,
    lost: Option<Lost>,
    revival: Option<Revival>,
    course: Course,
    /// The last rung.
    taken: Option<Mono>,
    /// Rungs of this climb, the last one included.
    climb: Vec<Rung>,
    quarantines: usize,
    /// A person wants it tried once more when this climb was in vain.
    resumed: bool,
    stage: Stage,
    stage_since: Mono,
    restarts: Restarts,
    boot_expected: Mono,
    handed_over: Option<Mono>,
    silent_until: Mono,
    /// To whom the network refused messages in a row.
    refused: Vec<Msisdn>,
    sick_since: Option<Mono>,
    network_cycle: Option<Mono>,
    /// Why its USB device can't be reset.
    no_reset: Option<String>,
    excused: Mono,
    hint: Option<&'static str>,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    Closed,
    Opening,
    Open,
    /// It is to be closed.
    Closing,
    /// Its device is being reset.
    Resetting,
}

/// A port that went away by itself.
#[derive(Clone, Copy, Debug)]
struct Lost {
    at: Mono,
    cause: Cause,
}

/// Why it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// A rung.
    Ours,
    /// The modem had just begun to send.
    BrownOut,
    /// It was not registered yet, or had just been.
    Early,
    /// A hand.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Well,
    /// This rung is next, as soon as its time has come.
    Due {
        rung: Rung,
        trouble: Trouble,
        since: Mono,
    },
    /// This one was taken and is not verified yet.
    Trying {
        rung: Rung,
        trouble: Trouble,
        taken: Mono,
    },
    /// This one has worked; the peace must hold.
    Held {
        rung: Rung,
        trouble: Trouble,
        until: Mono,
    },
    Quarantined {
        trouble: Trouble,
        since: Mono,
        until: Mono,
        gone: Option<Mono>,
        /// When its device was there again, last.
        came: Mono,
    },
}

impl Recovery {
    /// The ladder of the modem in this place; `hub` names what it shares its power with.
    pub fn new(slot: usize, hub: String, ward: Ward) -> Self {
        let never = Mono::default();
        Self {
            slot,
            hub,
            ward,
            boot: Boot::default(),
            model: None,
            operator: None,
            port: Port::Closed,
            open_at: never,
            pause: PAUSE_FIRST,
            opened: never,
            absent: None,
            missed: false,
            stayed_away: false,
            lost: None,
            revival: None,
            course: Course::Well,
            taken: None,
            climb: Vec::new(),
            quarantines: 0,
            resumed: false,
            stage: Stage::Starting,
            stage_since: never,
            restarts: Restarts::default(),
            boot_expected: never,
            handed_over: None,
            silent_until: never,
            refused: Vec::new(),
            sick_since: None,
            network_cycle: None,
            no_reset: None,
            excused: never,
            hint: None,
            outputs: VecDeque::new(),
        }
    }

    /// Which model it is, and what is special about it.
    pub fn know(&mut self, model: Option<String>, boot: Boot) {
        if model.is_some() {
            (self.model, self.boot) = (model, boot);
        }
    }

    /// Which model it is, as far as it has been known.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// What it shares its power with by now.
    pub fn place(&mut self, hub: String) {
        self.hub = hub;
    }

    /// Whose network it is in.
    pub fn operator(&mut self, operator: Option<String>) {
        if operator.is_some() {
            self.operator = operator;
        }
    }

    /// Its registration is doubtful, and given up for what the network refuses: that is no matter of the ladder's.
    pub fn forgive_refusals(&mut self) {
        self.refused.clear();
    }

    /// What to do next; `None` when there is nothing before the next input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether there is something to do before the next input.
    pub fn has_output(&self) -> bool {
        !self.outputs.is_empty()
    }

    /// What is to be told, while what is to be done must wait.
    pub fn poll_note(&mut self) -> Option<Note> {
        let at = self.outputs.iter().position(|output| matches!(output, Output::Note(_)))?;
        match self.outputs.remove(at) {
            Some(Output::Note(note)) => Some(note),
            _ => None,
        }
    }

    /// Whether nothing new may be begun on the port: it is to be closed, or the modem set up.
    pub fn wants_port(&self) -> bool {
        self.port == Port::Closing || self.outputs.contains(&Output::SetUp)
    }

    /// Whether it is left alone.
    pub fn is_quarantined(&self) -> bool {
        matches!(self.course, Course::Quarantined { .. })
    }

    /// Where it stands, if it is on the ladder.
    pub fn standing(&self) -> Option<Standing> {
        let (rung, since, next_at, trouble) = match self.course {
            Course::Well | Course::Held { .. } => return None,
            Course::Due { rung, trouble, since } => {
                (rung.as_str(), since, Some(self.due_at(rung, trouble, since)), trouble)
            }
            Course::Trying { rung, trouble, taken } => (rung.as_str(), taken, self.stage_due(), trouble),
            Course::Quarantined { trouble, since, until, .. } => ("quarantine", since, Some(until), trouble),
        };
        let words = [Some(trouble.words()), self.hint, self.no_reset.as_deref().filter(|_| self.is_quarantined())];
        let reason = words.into_iter().flatten().collect::<Vec<_>>().join("; ");
        Some(Standing { rung, since, next_at, attempts: self.climb.len() as u32, reason })
    }

    /// When [`Input::Timeout`] is due, if nothing else happens before.
    pub fn next_timeout(&self) -> Option<Mono> {
        let course = match self.course {
            Course::Due { rung, trouble, since } => Some(self.due_at(rung, trouble, since)),
            Course::Held { until, .. } | Course::Quarantined { until, .. } => Some(until),
            Course::Well | Course::Trying { .. } => None,
        };
        let opens = (self.port == Port::Closed && !self.is_quarantined()).then_some(self.open_at);
        course.into_iter().chain(opens).chain(self.stage_due()).min()
    }

    /// Takes what happened.
    pub fn handle_input(&mut self, now: Mono, input: Input<'_>) {
        match input {
            Input::Opened => self.is_open(now),
            Input::NotOpened { there } => self.is_not_opened(now, there),
            Input::Lost => self.is_lost(now),
            Input::Closed => self.is_closed(now),
            Input::There(there) => self.is_there(now, there),
            Input::Stage(stage) => self.has_come_to(now, stage),
            Input::Trouble { trouble, closed } => {
                if closed {
                    self.is_closed(now);
                    self.open_at = now + self.pause;
                    self.pause = (self.pause * 2).min(PAUSE_LAST);
                }
                self.trouble(now, trouble);
            }
            Input::Booted => self.has_booted(now),
            Input::HandedOver => {
                self.handed_over = Some(now);
                self.silent_until = now + LISTEN;
            }
            Input::Accepted => self.has_sent(now),
            Input::Refused(reason, to) => self.is_refused(now, reason, to),
            Input::ListeningEnded => {
                // With its port it went the same way, and that is another trouble.
                if self.port == Port::Open {
                    self.silent_until = now;
                    self.trouble(now, Trouble::NoResult);
                }
            }
            Input::Reset(result) => self.is_reset(now, result),
            Input::Resume => {
                self.quarantines = 0;
                match self.course {
                    Course::Quarantined { .. } => self.leave_quarantine(now),
                    Course::Due { .. } | Course::Trying { .. } => self.resumed = true,
                    Course::Well | Course::Held { .. } => {}
                }
            }
            Input::Slept => self.excused = now + EXCUSED,
            Input::Timeout => {}
        }
        self.proceed(now);
    }

    // The port.

    fn is_open(&mut self, now: Mono) {
        self.port = Port::Open;
        self.missed = false;
        self.revival = None;
        self.opened = now;
        self.has_come_to(now, Stage::Starting);
        self.is_back();
        match self.lost.take() {
            Some(Lost { at, cause: Cause::BrownOut }) if now - at <= BLINK => self.has_restarted(now),
            Some(lost) => {
                let in_a_loop = match lost.cause {
                    Cause::Ours => false,
                    _ if now - lost.at > BLINK => {
                        self.restarts.keep_no_time();
                        false
                    }
                    cause => self.restarts.vanished(lost.at, cause == Cause::Early),
                };
                if in_a_loop {
                    self.quarantine(now, Trouble::Boots);
                }
            }
            None => return,
        }
        // What it says of its boot now is no news.
        self.boot_expected = self.boot_expected.max(now + self.boot.time + BLINK);
    }

    fn is_not_opened(&mut self, now: Mono, there: bool) {
        self.port = Port::Closed;
        self.missed = false;
        self.open_at = now + self.pause;
        self.pause = (self.pause * 2).min(PAUSE_LAST);
        // That another program has the port says nothing about the modem: the climb goes on when it can be opened.
        if there {
            return self.is_back();
        }
        let since = self.absent.map_or(now, |(first, _)| first);
        self.absent = Some((since, now));
        // Nothing can be done to what is not there. When it is there again, it has had its power off.
        if now - since >= MODE_SWITCH && matches!(self.course, Course::Trying { .. } | Course::Due { .. }) {
            self.has_stayed_away(since);
            self.ward.is_done(self.slot);
            self.climb.clear();
            self.course = Course::Well;
        }
    }

    /// Its device is there. A stick that comes back as a storage first, to be switched over, is not restarted for ever.
    fn is_back(&mut self) {
        if let Some((first, last)) = self.absent.take()
            && last - first >= self.boot.time
        {
            self.has_stayed_away(first);
        }
    }

    /// It was away for long. If it left with a restart of ours, that may have made something else of it; if later, somebody
    /// has pulled it out.
    fn has_stayed_away(&mut self, since: Mono) {
        if let (Course::Trying { rung, taken, .. }, Some(model)) = (self.course, &self.model)
            && rung.is_heavy()
            && (taken..=taken + LEAVES).contains(&since)
        {
            self.stayed_away = true;
            self.ward.stayed_away(model, rung);
        }
    }

    fn is_lost(&mut self, now: Mono) {
        let registered = self.stage == Stage::Ready && now - self.stage_since > EARLY;
        let cause = match self.course {
            _ if self.handed_over.is_some_and(|at| now - at <= BROWN_OUT) => Cause::BrownOut,
            Course::Trying { rung, .. } if rung >= Rung::Radio => Cause::Ours,
            _ if registered => Cause::Other,
            _ => Cause::Early,
        };
        self.is_closed(now);
        self.lost = Some(Lost { at: now, cause });
        self.open_at = now + self.pause;
        self.pause = (self.pause * 2).min(PAUSE_LAST);
        if cause == Cause::BrownOut {
            self.suspect(POWER);
        }
    }

    fn is_closed(&mut self, now: Mono) {
        if now - self.opened >= STABLE {
            self.pause = PAUSE_FIRST;
        }
        self.port = Port::Closed;
        self.open_at = now;
        self.outputs.retain(|output| !matches!(output, Output::SetUp | Output::Close));
    }

    /// Plugged in anew, a modem is as good as another. One that comes and goes in its loop is waited for until it misses a
    /// beat, or somebody has pulled it out for longer.
    fn is_there(&mut self, now: Mono, there: bool) {
        let Course::Quarantined { trouble, gone, since, until, came } = self.course else {
            let is_back = there && (self.missed || self.absent.is_some());
            self.missed |= !there;
            if is_back && self.port == Port::Closed {
                // The system may not have set it up yet.
                self.open_at = self.open_at.min(now + PAUSE_FIRST);
                self.pause = PAUSE_FIRST;
            }
            return;
        };
        let (gone, came) = match (there, gone) {
            (true, Some(at)) if now - at < BLINK && self.restarts.in_rhythm(came, at) => (None, now),
            (true, None) if came == since || !self.restarts.has_rhythm() || self.restarts.in_rhythm(came, now) => {
                (None, came)
            }
            (true, _) => {
                self.quarantines = 0;
                return self.leave_quarantine(now);
            }
            (false, gone) => (gone.or(Some(now)), came),
        };
        self.course = Course::Quarantined { trouble, gone, since, until, came };
    }

    fn is_reset(&mut self, now: Mono, result: Result<(), String>) {
        self.port = Port::Closed;
        let Course::Due { rung, trouble, .. } = self.course else { return };
        match result {
            Ok(()) => {
                self.no_reset = None;
                self.took(now, rung, trouble);
                self.open_at = now + PAUSE_FIRST;
            }
            Err(why) => {
                self.no_reset = Some(why);
                self.ward.is_done(self.slot);
                self.climb_above(now, rung, trouble);
            }
        }
    }

    // What is heard of the modem.

    fn has_come_to(&mut self, now: Mono, stage: Stage) {
        if self.stage != stage {
            (self.stage, self.stage_since) = (stage, now);
        }
        if stage == Stage::Ready {
            match self.course {
                Course::Trying { rung, trouble, .. } if !trouble.needs_a_message() => {
                    self.has_worked(now, rung, trouble)
                }
                // While the next rung waited for its time, the last one has worked after all.
                Course::Due { trouble, .. } if !trouble.needs_a_message() && self.port == Port::Open => {
                    match self.climb.last() {
                        Some(rung) => self.has_worked(now, *rung, trouble),
                        None => self.course = Course::Well,
                    }
                }
                _ => {}
            }
        }
    }

    fn has_booted(&mut self, now: Mono) {
        if now >= self.boot_expected {
            self.has_restarted(now);
        }
        // Of one boot there is more than one sign.
        self.boot_expected = self.boot_expected.max(now + SAME_BOOT);
    }

    /// By itself.
    fn has_restarted(&mut self, now: Mono) {
        if self.handed_over.is_some_and(|at| now - at <= BROWN_OUT) {
            self.suspect(POWER);
        }
        if self.restarts.own(now) && !self.is_quarantined() {
            self.quarantine(now, Trouble::Boots);
        }
    }

    fn has_sent(&mut self, now: Mono) {
        self.silent_until = now;
        self.refused.clear();
        self.sick_since = None;
        self.hint = None;
        if let Some(operator) = &self.operator {
            self.ward.accepted(self.slot, operator, now);
        }
        match (self.course, self.climb.last().copied()) {
            (Course::Trying { rung, trouble, .. }, _) => self.has_worked(now, rung, trouble),
            // While the next rung waited for its time, the last one has worked after all.
            (Course::Due { trouble, .. }, last) => {
                if self.port == Port::Closing {
                    self.port = Port::Open;
                    self.outputs.retain(|output| *output != Output::Close);
                }
                match last {
                    Some(rung) => self.has_worked(now, rung, trouble),
                    None => self.course = Course::Well,
                }
            }
            _ => {}
        }
    }

    fn is_refused(&mut self, now: Mono, reason: Reason, to: &Msisdn) {
        if !matches!(reason, Reason::NoResult | Reason::PortLost) {
            self.silent_until = now;
        }
        match reason {
            Reason::Cms(300 | 302) | Reason::Cme(100) => {
                let since = *self.sick_since.get_or_insert(now);
                let again = matches!(self.course, Course::Trying { trouble: Trouble::Sick, .. });
                if again || now - since >= SICK_FOR {
                    self.trouble(now, Trouble::Sick);
                }
            }
            // 42 and 47 say that it is to go slower.
            Reason::Cms(17 | 38 | 41 | 331) | Reason::Cme(30) => {
                if !self.refused.contains(to) {
                    self.refused.push(to.clone());
                }
                if self.refused.len() >= REFUSED_IN_A_ROW {
                    self.refused.clear();
                    self.trouble(now, Trouble::Refused);
                }
            }
            _ => {}
        }
    }

    /// When the stage that has been reached becomes a trouble of its own.
    fn stage_due(&self) -> Option<Mono> {
        if self.port != Port::Open || matches!(self.course, Course::Due { .. }) {
            return None;
        }
        match self.stage {
            Stage::Unregistered => Some(self.stage_since.max(self.network_cycle.unwrap_or_default()) + UNREGISTERED),
            Stage::Stuck => Some(self.stage_since + STUCK.max(self.boot.time)),
            // A modem that answers and waits for a person is no longer brought back.
            Stage::Starting if matches!(self.course, Course::Trying { .. }) => {
                Some(self.stage_since.max(self.opened) + STUCK.max(self.boot.time))
            }
            Stage::Starting | Stage::Ready => None,
        }
    }

    fn suspect(&mut self, words: &'static str) {
        self.hint = Some(words);
        self.note(Note::Hint(words));
    }

    // The ladder.

    fn trouble(&mut self, now: Mono, trouble: Trouble) {
        if now < self.excused && trouble.may_be_ours() {
            return;
        }
        match self.course {
            Course::Due { .. } | Course::Quarantined { .. } => {}
            _ if trouble.first().is_none() => self.quarantine(now, trouble),
            // Within the boot time it says nothing about the rung: the port is opened again, and no more.
            Course::Trying { taken, .. } if now < taken + self.boot.time => {}
            Course::Trying { trouble: before, .. } if before.is_the_networks() != trouble.is_the_networks() => {
                self.climb.clear();
                self.begin(now, trouble);
            }
            Course::Trying { rung, .. } => self.climb_above(now, rung, trouble),
            Course::Held { rung, trouble: before, .. } if before == trouble => self.climb_above(now, rung, trouble),
            Course::Well | Course::Held { .. } => {
                self.climb.clear();
                self.begin(now, trouble);
            }
        }
    }

    fn begin(&mut self, now: Mono, trouble: Trouble) {
        let Some(first) = trouble.first() else { return self.quarantine(now, trouble) };
        if trouble.is_the_networks()
            && self.network_cycle.is_some_and(|at| now - at < NETWORK_CYCLE)
            && !self.is_alone(now)
        {
            return;
        }
        match self.usable_from(first) {
            Some(rung) => self.course = Course::Due { rung, trouble, since: now },
            None => self.quarantine(now, trouble),
        }
    }

    fn climb_above(&mut self, now: Mono, rung: Rung, trouble: Trouble) {
        let next = Rung::ALL.get(rung as usize + 1).and_then(|above| self.usable_from(*above));
        match next {
            // What all suffer from no restart of one mends.
            _ if trouble.is_the_networks() && !(self.is_alone(now) && next.is_some()) => {
                self.ward.is_done(self.slot);
                self.climb.clear();
                self.course = Course::Well;
            }
            Some(rung) => self.course = Course::Due { rung, trouble, since: now },
            None => self.quarantine(now, trouble),
        }
    }

    /// Whether it alone has trouble with its network.
    fn is_alone(&self, now: Mono) -> bool {
        self.operator.as_ref().is_some_and(|operator| self.ward.another_works(self.slot, operator, now))
    }

    /// This rung, or the next one that is worth its time.
    fn usable_from(&self, first: Rung) -> Option<Rung> {
        Rung::ALL.into_iter().filter(|rung| *rung >= first).find(|rung| {
            let switches = self.boot.changes_mode && *rung == Rung::Restart;
            let useless = self.model.as_ref().is_some_and(|model| self.ward.is_useless(model, *rung));
            let denied = *rung == Rung::UsbReset && self.no_reset.is_some();
            !(switches || useless || denied)
        })
    }

    /// When a rung may be taken.
    fn due_at(&self, rung: Rung, trouble: Trouble, since: Mono) -> Mono {
        let booted = self.taken.map_or(since, |taken| taken + self.boot.time);
        let quiet = if rung == Rung::SetUp { since } else { self.silent_until };
        let own = since.max(booted).max(quiet);
        let own = if self.port == Port::Closed { own.max(self.open_at) } else { own };
        match rung {
            _ if rung.is_heavy() => self.ward.may_reset(self.slot, &self.hub, own),
            Rung::Radio if trouble.is_the_networks() => self.ward.may_cycle(self.slot, own),
            _ => own,
        }
    }

    fn proceed(&mut self, now: Mono) {
        if self.stage_due().is_some_and(|at| at <= now) {
            self.stage_since = now;
            match self.stage {
                Stage::Unregistered => self.trouble(now, Trouble::Unregistered),
                Stage::Stuck => self.trouble(now, Trouble::Stuck),
                Stage::Starting | Stage::Ready => self.is_left_to_a_person(),
            }
        }
        match self.course {
            Course::Due { rung, trouble, since } if self.due_at(rung, trouble, since) <= now => {
                self.take(now, rung, trouble);
            }
            Course::Held { until, .. } if until <= now => {
                self.course = Course::Well;
                self.climb.clear();
                self.quarantines = 0;
            }
            Course::Quarantined { until, .. } if until <= now => self.leave_quarantine(now),
            _ => {}
        }
        if self.port == Port::Closed && !self.is_quarantined() && self.open_at <= now {
            self.port = Port::Opening;
            self.outputs.push_back(Output::Open(self.revival));
        }
    }

    fn take(&mut self, now: Mono, rung: Rung, trouble: Trouble) {
        match (self.port, rung) {
            (Port::Open, Rung::SetUp) => {
                self.outputs.push_back(Output::SetUp);
                self.took(now, rung, trouble);
            }
            (Port::Open, _) => {
                self.port = Port::Closing;
                self.outputs.push_back(Output::Close);
            }
            (Port::Closed, Rung::UsbReset) => {
                self.port = Port::Resetting;
                self.ward.resets(self.slot, &self.hub, now + self.boot.time + SETTLED);
                self.outputs.push_back(Output::Reset);
            }
            (Port::Closed, _) => {
                self.revival = match rung {
                    Rung::Radio => Some(Revival::Radio),
                    Rung::Restart => Some(Revival::Restart),
                    _ => None,
                };
                self.open_at = now;
                self.took(now, rung, trouble);
            }
            (Port::Opening | Port::Closing | Port::Resetting, _) => {}
        }
    }

    fn took(&mut self, now: Mono, rung: Rung, trouble: Trouble) {
        self.course = Course::Trying { rung, trouble, taken: now };
        self.taken = Some(now);
        self.climb.push(rung);
        self.stayed_away = false;
        self.pause = PAUSE_FIRST;
        if rung >= Rung::Radio {
            self.boot_expected = now + self.boot.time + BLINK;
        }
        if rung.is_heavy() {
            self.ward.resets(self.slot, &self.hub, now + self.boot.time + SETTLED);
        }
        if rung == Rung::Radio && trouble.is_the_networks() {
            self.network_cycle = Some(now);
            self.ward.cycles(self.slot, now + self.boot.time + SETTLED);
        }
        if let Some(model) = &self.model {
            self.ward.count(model, rung, |count| count.tried += 1);
        }
        self.note(Note::Took(rung, trouble));
    }

    fn has_worked(&mut self, now: Mono, rung: Rung, trouble: Trouble) {
        self.ward.is_done(self.slot);
        self.resumed = false;
        if let Some(model) = &self.model {
            self.ward.count(model, rung, |count| count.worked += 1);
            if !self.stayed_away {
                self.ward.came_back(model, rung);
            }
            for below in self.climb.iter().filter(|below| **below < rung) {
                self.ward.count(model, *below, |count| count.in_vain += 1);
            }
        }
        self.course = Course::Held { rung, trouble, until: now + HELD };
        self.note(Note::Worked(rung, trouble));
    }

    /// What it waits for no rung brings.
    fn is_left_to_a_person(&mut self) {
        self.ward.is_done(self.slot);
        self.resumed = false;
        self.climb.clear();
        self.course = Course::Well;
    }

    fn quarantine(&mut self, now: Mono, trouble: Trouble) {
        self.ward.is_done(self.slot);
        let stay = STAYS[self.quarantines.min(STAYS.len() - 1)];
        self.course = Course::Quarantined { trouble, since: now, until: now + stay, gone: None, came: now };
        self.revival = None;
        if self.port == Port::Open {
            self.port = Port::Closing;
            self.outputs.push_back(Output::Close);
        }
        if std::mem::take(&mut self.resumed) {
            return self.leave_quarantine(now);
        }
        self.quarantines += 1;
        self.note(Note::Quarantined(trouble, stay));
    }

    /// It is tried again, from the port up.
    fn leave_quarantine(&mut self, now: Mono) {
        let Course::Quarantined { trouble, .. } = self.course else { return };
        self.climb.clear();
        self.no_reset = None;
        self.restarts.forget();
        self.pause = PAUSE_FIRST;
        self.open_at = now;
        self.boot_expected = now + self.boot.time + BLINK;
        self.took(now, Rung::Reopen, trouble);
    }

    fn note(&mut self, note: Note) {
        self.outputs.push_back(Output::Note(note));
    }
}

/// How long a modem in quarantine is left alone: the first time, the second, and from then on.
const STAYS: [Duration; 3] = [Duration::from_secs(600), Duration::from_secs(1800), HOUR];
/// A peace that has held for so long is one.
pub const HELD: Duration = Duration::from_secs(600);
/// From a closed port to the next try: at first, and at most.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_LAST: Duration = Duration::from_secs(30);
/// A port that stayed open for so long begins with the short pause again.
const STABLE: Duration = Duration::from_secs(60);
/// How long a device that was reset may be away, until it was switched back from a storage.
const MODE_SWITCH: Duration = Duration::from_secs(90);
/// From a rung to the absence that came of it: a modem that restarts leaves the bus in that time.
const LEAVES: Duration = Duration::from_secs(10);
/// A device that is away no longer has lost its power, or was restarted; nobody has pulled it out.
const BLINK: Duration = Duration::from_secs(10);
/// Signs that a modem has restarted, within so long, are of one restart.
const SAME_BOOT: Duration = Duration::from_secs(10);
/// From 0x1A to a breakdown that came of it: the radio takes some 2 A then.
const BROWN_OUT: Duration = Duration::from_secs(3);
const POWER: &str = "it broke down as it began to send (a brown-out?): give it a power supply or a hub that bears 2 A";
/// A modem that breaks down as it registers does so that soon.
const EARLY: Duration = Duration::from_secs(5);
/// After 0x1A the port is silent for so long, unless a result comes.
const LISTEN: Duration = Duration::from_secs(180);
/// A modem that boots says 300 too, at first.
const SICK_FOR: Duration = Duration::from_secs(60);
/// Numbers in a row to which the network takes nothing.
const REFUSED_IN_A_ROW: usize = 3;
/// No network for so long may be the modem's fault.
const UNREGISTERED: Duration = Duration::from_secs(600);
/// A bring-up that waits for so long for the modem does not end by itself: SIM cards are busy for up to 40 s after a boot.
const STUCK: Duration = Duration::from_secs(300);
/// From one radio cycle for the network's sake to the next.
const NETWORK_CYCLE: Duration = Duration::from_secs(1800);
/// After a boot: until the next one on the hub may begin.
const SETTLED: Duration = Duration::from_secs(30);
/// What a machine that slept makes of its modems lasts no longer.
const EXCUSED: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests;
