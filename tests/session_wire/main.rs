//! The session against the virtual modem, row by row of the catalogue of failure modes, in virtual time.
//!
//! `tests/rows.rs` has the catalogue, and names the tests of each row.
//!
//! In every scenario [`wire::Wire`] holds: between 0x1A and the result, or 180 s, or 5 s after the modem said that it
//! has restarted, no byte is written; every PDU handed over had a granted intent; no line feed, and no Ctrl-Z but behind
//! a PDU; an ESC is followed by CR; the network has no more copies than PDUs were handed over; nobody is woken for a
//! moment that is over.

mod cards;
mod dialects;
mod incoming;
mod life;
mod network;
mod properties;
mod recovery;
mod sending;
mod slow;
mod talking;
mod transcripts;
mod wire;
