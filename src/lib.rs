//! otpgate: an SMS gateway for one-time passwords that runs on a box you own.
//!
//! # Bird's-eye view
//!
//! A daemon drives GSM/LTE modems over serial ports with AT commands. Applications ask it over HTTP to send a code or a
//! text and, later, whether a code that somebody typed in is right. Everything it accepts is in one store on disk before
//! the caller hears of it, and stays there until its end is known.
//!
//! Three promises shape the code:
//!
//! 1. **Nothing accepted is lost, and nothing is silently sent twice.** An answer of 2xx means "on disk". The one byte that
//!    can't be taken back, Ctrl-Z (0x1A), leaves only after the intent to send is on disk. An end that can't be known is
//!    called *uncertain*, shown, and settled by evidence only.
//! 2. **A modem that stops is brought back without a human** and holds neither another modem nor another message up.
//! 3. **A code is a secret with a deadline.** It is derived when it is needed and stored nowhere, in no log, never sent
//!    after it expired, compared in constant time, and right once.
//!
//! # A message's journey
//!
//! ```text
//! POST /v1/verifications          http      who asks, and is it a number and a text?
//!   code key, nonce               otp       the code can be derived now; it is not stored
//!   accept                        store     verification and message in one commit            → 201
//!   ----------------------------------------------- the request ends here
//!   claim                         store     highest priority, earliest deadline, oldest
//!   AT+CMGS=23                    modem     the command leaves at once …
//!   begin                         store     … while the intent becomes durable behind the prompt
//!   prompt and Granted            modem     PDU and 0x1A: not before both; else ESC, provably not sent
//!   +CMGS, error, or silence      modem     accepted, refused by its class, or uncertain
//!   settle                        store     the outcome, and the next intent in the same commit
//!   ----------------------------------------------- seconds later
//!   +CDS, +CDSI                   modem     a status report, matched by SIM card, TP-MR, recipient and time
//!   report                        store     delivered or undelivered; for each webhook that wants it, in the same commit
//!   parcel, told                  webhook   told until it is heard, in order, at least once
//! +CMTI, +CMT                     modem     what came in is journaled first, then deleted where it lay
//!   take_inbound                  store     known by its octets; put together from its parts; STOP and START heeded
//! POST …/{id}/check               store     attempt and verdict in one commit, before the answer
//! ```
//!
//! One way down, one way up. The modem's own prompt hides the disk: between a result and the next `AT+CMGS` nothing
//! waits for a sync.
//!
//! # The rooms
//!
//! Imports go down only: `cli` → [`app`] → the shells that act → the files that decide → [`at`] | [`sms`] → [`domain`].
//! *Pure* files decide and do not act: they name no runtime, file, socket, clock or random source, and take time and
//! randomness as arguments.
//!
//! - [`domain`]: the vocabulary. Numbers (masked when shown), ids, the three clocks, messages and verifications with every
//!   change of theirs. Pure.
//! - [`sms`]: texts and octets: alphabets, parts, TPDUs (3GPP TS 23.038, 23.040). Pure; knows no AT command.
//! - [`at`]: the dialogue with a modem: lines, commands with their deadlines and shapes, one engine with one command in
//!   flight (TS 27.005, 27.007, V.250). Pure; knows no TPDU.
//! - [`modem`]: one modem. `session` is the machine in which AT and SMS meet, with `bringup` as data and `quirks` as rows; what
//!   a model and a SIM card were seen to do is `learned` and kept. What the session can't mend it gives up by the trouble's
//!   name, and `recovery` is the ladder that brings the modem back. The driver, the serial port, the USB device and the board
//!   of what is known are the I/O around them. The driver pulls: it asks the store for the next message when its modem is
//!   free, and for one ahead while it is on the air; it asks for none while its modem rests after a refusal that was no
//!   message's fault. A SIM card's PIN is typed once the store has that on record, and only if nothing that is on record
//!   speaks against it. What comes in is deleted from the modem once it is on record here.
//! - [`numbers`]: numbering plans: what a national number is to the rest of the world, where a number belongs. Pure.
//! - [`otp`]: codes: derived, rendered into a text, read as people type them; and the `guard`: whom they may be sent to, how often,
//!   and when none is compared. Pure.
//! - [`dispatch`]: what to do about an outcome: retry, resend, give up, believe that a number is unassigned; what a SIM card may
//!   send (`quota`), whether it is in service (`breaker`), which is preferred (`router`), whether what it sends arrives, by the
//!   reports (`delivery`) and by its own messages to itself (`canary`).
//!   Pure. The order of sending is the store's, since the store hands out claims: one ordered queue for each set of SIM cards that
//!   may take a message. What a card has sent is in the messages' own records, and counted from them at start.
//! - [`store`]: the only room that knows how things lie on disk. [`store::Store`] speaks in the domain's words; behind it
//!   one committer task owns all writing: what has queued up becomes one batch, one sync, one mark. Operations are in
//!   `requests` (callers), `sending` (modems), `evidence` (reports, late results: whose they are is decided there), `inbound`
//!   and `opt_out` (what comes in), `guard` (what is counted of numbers, keys and prefixes, in the commit that it let through), `sim_cards` (which may take what), `slots` (when), `pin_guard`, `lessons` (what was learned), `events` (what somebody may want to hear of) and
//!   `audit` (who did what, each line chained to the one before). Why sled 0.34: it was asked for, and is
//!   safe behind these rules; another engine can stand behind the same trait.
//! - [`webhook`]: what others are told without asking. An outbox in the store, written with the change itself, so that nothing that
//!   happened goes untold; what is told, where it may go, in what order and how often, are pure; `delivery` and `client` act.
//! - [`http`]: routes in one list, keys and scopes, errors as RFC 9457 problems, one file per resource; and beside each of those
//!   what the API says of itself (`http/openapi/*.json`), which programs get as it is and people as a page.
//! - [`ops`]: what the process owes the machine: clocks, random numbers, logs, panics.
//! - [`config`]: one table of settings, read from flags, environment and file.
//! - [`app`]: the composition root. The whole daemon is a library call: [`app::App::start`] with a [`app::World`], and another
//!   world makes a test.
//! - [`cli`]: one file per subcommand.
//! - [`simulator`]: the other end of the wire: virtual modems and a virtual network that counts what it accepts, written
//!   from the specifications with its own codec, so that *lost* and *twice* are assertions. Its driver and ptys are I/O,
//!   the rest is pure.
//!
//! # What must always be true
//!
//! 1. [`at`] knows no TPDU and [`sms`] no AT command. They meet in `modem/session` only.
//! 2. Only [`store`] names sled, only [`http`] names axum; only `modem/serial.rs` and `simulator/pty.rs` name serial ports and
//!    ptys; only `modem/quirks.rs` names a manufacturer.
//! 3. Pure files take [`domain::time::Now`] and random bytes as arguments: `mono` for deadlines within the process, `boot` and
//!    `wall` for those on disk.
//! 4. Every machine has one shape: hand it an input with the time, then drain its output until there is none. Engine, session
//!    and virtual modem alike, so that a test joins two of them without a clock.
//! 5. A message changes in `Message::apply` only, a modem in its transition function only. States are enums that carry their
//!    data. A transition that is not allowed is an error that is logged and changes nothing.
//! 6. Outcomes have three values: accepted, refused, *uncertain*. The phase decides first (before 0x1A nothing was sent),
//!    then the error's class. Another modem may take a message only if it is provably unsent, or the caller has opted in to a
//!    resend.
//! 7. The simulator shares no code with what it judges, and only `cli`, [`app`], `http/simulator.rs` and tests know of it.
//! 8. Domain types are not serializable. Bodies live beside their handlers, disk records in `store/record.rs` with a version;
//!    an unknown one is kept and reported, never dropped.
//! 9. Codes, texts, full numbers, keys and PDUs appear in no log, error, metric or panic. A number shows itself masked;
//!    its digits come out by one named method.
//! 10. A modem is its IMEI, a SIM card its ICCID. Port names are in no key and no id; of a modem that tells no IMEI a hash of
//!     its place stands in.
//!
//! `tests/tidy.rs` keeps 1, 2, 3 and 7, and the direction of imports.
//!
//! # Where to start reading
//!
//! [`domain::message`] for what can become of a message; `modem/session.rs` for how one is sent; `store/engine.rs` for what
//! an operation is; [`http::router`] for the API; `tests/app_scenarios.rs` for the whole of it at work. The tests are in four
//! rings: codecs; session and virtual modem on a virtual wire; the whole [`app::App`] on a paused clock; the real binary with
//! ptys and real programs.

pub mod app;
pub mod at;
pub mod cli;
pub mod config;
pub mod dispatch;
pub mod domain;
pub mod http;
pub mod modem;
pub mod numbers;
pub mod ops;
pub mod otp;
pub mod simulator;
pub mod sms;
pub mod store;
pub mod webhook;
