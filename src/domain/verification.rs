//! A verification: one number, one purpose, one code, and what became of it. Every change is in
//! [`Verification::apply`].

use super::id::{ClientId, KeyId, MessageId, VerificationId};
use super::msisdn::Msisdn;
use super::reason::Reason;
use super::time::{Deadline, Now, Wall};

/// A code that was sent to a number. The code itself is nowhere in here: it is derived when it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Its id.
    pub id: VerificationId,
    /// Whose it is.
    pub client: ClientId,
    /// The number to be proved.
    pub to: Msisdn,
    /// What the code is for; a newer code for the same number and purpose takes this one's place.
    pub purpose: Option<String>,
    /// The name that the text shows.
    pub brand: Option<String>,
    /// The caller's own JSON, as text.
    pub metadata: Option<String>,
    /// How the code comes about.
    pub code: CodeSource,
    /// Where it stands.
    pub state: VerificationState,
    /// Wrong codes so far.
    pub failures: u8,
    /// When it was created.
    pub created: Wall,
    /// When it last changed.
    pub updated: Wall,
    /// No code is right after this. A resend does not move it; only who asks for that does.
    pub expires: Deadline,
    /// The message that carried the code last.
    pub message: MessageId,
    /// What a resend's message does when its end can't be known; as the first one's.
    pub on_uncertain: super::message::OnUncertain,
    /// How many messages have carried a code of this verification.
    pub sends: u8,
    /// Goes up with each change.
    pub version: u32,
    /// How it was asked for.
    pub origin: Origin,
}

/// How a verification was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// With which API key. `None`: from before this was kept.
    pub key: Option<KeyId>,
    /// In which dialect.
    pub entrance: Entrance,
    /// From which address.
    pub address: Option<String>,
    /// Whether it was to be sent although an older code was still good.
    pub forced: bool,
    /// What its texts are made of: a resend is written from this.
    pub wording: Wording,
    /// Which way the proof goes.
    pub channel: Channel,
    /// Whether none of its messages was ever meant to leave: then nobody can have its code, whoever may know it.
    pub suppressed: bool,
}

/// Which way the proof goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channel {
    /// A code goes to the number, and whoever reads it there gives it back.
    #[default]
    Sms,
    /// A word was shown to the person, who texts it from the number to ours. Nothing is sent.
    Inbound,
}

impl Channel {
    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Inbound => "inbound",
        }
    }
}

/// The dialect of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Entrance {
    /// Our own.
    #[default]
    Native,
    /// MyOTP.App's.
    MyOtp,
}

/// What a verification's texts are made of, beside brand, purpose and code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wording {
    /// The template's name. `None`: the built-in one.
    pub template: Option<String>,
    /// The language, as a BCP 47 tag. `None`: that of the number's country.
    pub locale: Option<String>,
    /// What is to be paid; the code is good for that amount only.
    pub amount: Option<String>,
    /// Who is to be paid; the code is good for that payee only.
    pub payee: Option<String>,
    /// The web host that the code is bound to.
    pub host: Option<String>,
    /// The hash of the Android app that the text is addressed to.
    pub app: Option<String>,
    /// The host of the page within that host's page that asks for the code.
    pub embedded_host: Option<String>,
    /// What a derived code is written in.
    pub alphabet: CodeAlphabet,
}

impl Wording {
    /// Amount and payee, if the code is bound to a payment.
    pub fn payment(&self) -> Option<(&str, &str)> {
        self.amount.as_deref().zip(self.payee.as_deref())
    }
}

/// What a derived code is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CodeAlphabet {
    /// 0 to 9.
    #[default]
    Digits,
    /// Digits and capital letters, none of which is taken for another.
    Unambiguous,
}

impl CodeAlphabet {
    /// The words of the API and the configuration.
    pub const WORDS: [(&'static str, Self); 2] = [("digits", Self::Digits), ("alphanumeric", Self::Unambiguous)];

    /// Its symbols. Of the two that are taken for each other (0 and O, 1 and I or L, 2 and Z, 5 and S, 8 and B, U and V) one
    /// is here, or none; with A and E missing no word comes about by chance.
    pub fn symbols(self) -> &'static [u8] {
        match self {
            Self::Digits => b"0123456789",
            Self::Unambiguous => b"23456789CDFGHJKMNPQRTVWXY",
        }
    }

    /// The word of the API and the configuration.
    pub fn as_str(self) -> &'static str {
        Self::WORDS[self as usize].0
    }
}

/// How a code comes about.
#[derive(Clone, PartialEq, Eq)]
pub enum CodeSource {
    /// Derived from the code key, the id, the generation and this nonce.
    Derived {
        /// Characters of the code, 4 to 10.
        length: u8,
        /// Raised by a resend that asks for a fresh code.
        generation: u32,
        /// Dropped when the verification is final, so that id and key alone give no past code.
        nonce: [u8; 16],
    },
    /// The caller's own; kept sealed in a record of its own until the verification is final.
    Supplied,
    /// Gone: the verification is final.
    Erased,
}

impl std::fmt::Debug for CodeSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Derived { .. } => "Derived",
            Self::Supplied => "Supplied",
            Self::Erased => "Erased",
        })
    }
}

/// Where a verification stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerificationState {
    /// The right code would approve it.
    Pending,
    /// The right code was given.
    Approved,
    /// Its time ran out.
    Expired,
    /// Too many wrong codes.
    MaxAttemptsReached,
    /// Called off, or superseded.
    Canceled(Reason),
}

impl VerificationState {
    /// The word that the API shows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Expired => "expired",
            Self::MaxAttemptsReached => "max_attempts_reached",
            Self::Canceled(_) => "canceled",
        }
    }
}

/// What happens to a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerificationEvent {
    /// A code was given; whether it was the right one was found out in constant time.
    Checked {
        /// Whether it was the right code, for the right number and purpose.
        right: bool,
    },
    /// A further message carries the code.
    Resent {
        /// That message.
        message: MessageId,
        /// Whether it carries a new code.
        fresh: bool,
    },
    /// Called off, or superseded.
    Cancel(Reason),
    /// Its time ran out.
    Expire,
    /// Its time is to run out then, and not sooner.
    Extend(Deadline),
}

/// Why an event can't happen to a verification as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerificationRefused {
    /// The right code was given already; no compare is made any more.
    AlreadyApproved,
    /// It has ended.
    Final(VerificationState),
    /// Too little of its life is left for a resend to arrive.
    TooLate,
    /// A fresh code was asked for, but the caller supplied this one.
    NotDerived,
    /// It has been sent too often.
    TooManySends,
    /// It has not ended yet.
    NotYet,
    /// No code was sent: a text from the number is waited for.
    AwaitsText,
    /// It lives that long already, or as long as a code may.
    LongEnough,
}

impl Verification {
    /// The only place where a verification changes. On an error nothing has changed.
    pub fn apply(&mut self, now: &Now, event: VerificationEvent) -> Result<(), VerificationRefused> {
        use VerificationRefused as No;
        use VerificationState as State;
        match (event, self.state) {
            (_, State::Approved) => return Err(No::AlreadyApproved),
            (_, State::Expired | State::MaxAttemptsReached | State::Canceled(_)) => return Err(No::Final(self.state)),
            (VerificationEvent::Expire, State::Pending) if !self.expires.passed(now) => return Err(No::NotYet),
            (VerificationEvent::Expire, State::Pending) => self.end(State::Expired),
            (VerificationEvent::Cancel(reason), State::Pending) => self.end(State::Canceled(reason)),
            // Whatever else is asked of it, an expired one is expired.
            (_, State::Pending) if self.expires.passed(now) => self.end(State::Expired),
            (VerificationEvent::Extend(to), State::Pending) if to.left(now) <= self.expires.left(now) => {
                return Err(No::LongEnough);
            }
            (VerificationEvent::Extend(to), State::Pending) => self.expires = to,
            (VerificationEvent::Checked { right: true }, State::Pending) => self.end(State::Approved),
            (VerificationEvent::Checked { right: false }, State::Pending) => {
                self.failures += 1;
                if self.failures >= MAX_FAILURES {
                    self.end(State::MaxAttemptsReached);
                }
            }
            (VerificationEvent::Resent { message, fresh }, State::Pending) => {
                if self.expires.left(now).as_secs() < RESEND_LIFE_SECONDS {
                    return Err(No::TooLate);
                }
                if self.sends >= MAX_SENDS {
                    return Err(No::TooManySends);
                }
                match &mut self.code {
                    CodeSource::Derived { generation, .. } if fresh => *generation += 1,
                    _ if fresh => return Err(No::NotDerived),
                    _ => {}
                }
                self.message = message;
                self.sends += 1;
            }
        }
        self.version += 1;
        self.updated = now.wall;
        Ok(())
    }

    /// Wrong codes that may still be given.
    pub fn attempts_left(&self) -> u8 {
        match self.state {
            VerificationState::Pending => MAX_FAILURES.saturating_sub(self.failures),
            _ => 0,
        }
    }

    /// Whether nothing more can happen to it.
    pub fn is_final(&self) -> bool {
        self.state != VerificationState::Pending
    }

    fn end(&mut self, state: VerificationState) {
        self.state = state;
        self.code = CodeSource::Erased;
    }
}

/// The fifth wrong code ends a verification.
pub const MAX_FAILURES: u8 = 5;
/// A verification carries at most so many messages: the first and nine resends.
pub const MAX_SENDS: u8 = 10;
/// A resend with less life than this would arrive dead.
pub const RESEND_LIFE_SECONDS: u64 = 60;
