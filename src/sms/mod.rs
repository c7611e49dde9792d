//! Short messages as octets: alphabets (3GPP TS 23.038), segmentation and TPDUs (3GPP TS 23.040).
//!
//! A pure codec. It knows nothing of AT commands, and what it decodes it keeps as it came: reserved values, unknown
//! information elements and characters that have no glyph survive to whoever wants to look at them. No input panics.
//!
//! The way out is [`segment::segment`] → [`segment::Segments::part_user_data`] → [`pdu::Submit`] → [`pdu::Pdu`];
//! the way in is [`pdu::decode`] or [`pdu::decode_hex`].

#[doc(hidden)]
pub mod fuzzing;
pub mod gsm7;
mod gsm7_tables;
pub mod pdu;
pub mod segment;
pub mod ucs2;
pub mod ussd;
