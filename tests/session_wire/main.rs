//! The session against the virtual modem, row by row of the catalogue of failure modes, in virtual time.
//!
//! | row | what goes wrong | tests |
//! | --- | --- | --- |
//! | S1 | the prompt has another shape | `s1_every_shape_of_the_prompt` |
//! | S2 | refused before the prompt | `s2_refused_before_the_prompt` |
//! | S3 | the prompt never comes | `s3_*` |
//! | S4 | the prompt comes late | `s4_a_prompt_that_nobody_waits_for_any_more` |
//! | S5 | silence after 0x1A | `s5_*` |
//! | S6 | the result comes late | `s6_*` |
//! | S7 | an error after 0x1A | `s7_*` |
//! | S8 | half of a result | `s8_half_a_result` |
//! | S9 | the modem is left in its editor | `s9_left_in_the_editor` |
//! | S10 | old lines after a time-out | `s10_*` |
//! | S11 | something comes in during a send | `s11_something_comes_in_between` |
//! | S12 | bytes of the PDU are lost | `s12_*` |
//! | S13 | a line feed would disturb | `s13_no_line_feed` |
//! | S14 | a crash with a message on the air | `s14_*` |
//! | S15 | a long message breaks in the middle | `s15_a_port_lost_between_parts` |
//! | T1 | news inside an answer | `t1_news_inside_answers` |
//! | T2 | news for ever | `t2_*` |
//! | T3 | a report cut off | `t3_a_report_is_cut_off` |
//! | T4 | the echo comes back | `t4_the_echo_comes_back` |
//! | T5 | answers of other shapes | `t5_*` |
//! | 330 | no service centre is set | `e330_*` |
//! | T7 | settings are refused | `t7_*` |
//! | T8 | the modem restarts unasked | `t8_*` |
//! | T9 | busy after its boot | `t9_busy_after_its_boot` |
//! | T13 | what another program has set | `t13_*` |
//! | L1 | the port goes away | `l1_the_port_goes_away` |
//! | L5 | it hangs | `l5_*` |
//! | L6 | registration | `l6_*` |
//! | L8 | the radio is off | `l8_*` |
//! | L9 | messages fail over LTE | `l9_*` |
//! | L10 | the PIN is asked for | `l10_*` |
//! | L11 | the SIM card is absent, or loses contact | `l11_*` |
//! | L12 | the SIM card is another one | `l12_*` |
//! | L13 | the balance | `l13_*` |
//! | L15 | a foreign network | `l15_*` |
//! | R3 | places are counted from 0 | `r3_the_first_place_may_be_0` |
//! | R2, R4 | what is announced lies elsewhere | `r4_*` |
//! | R5 | reports want acknowledging | `r5_*` |
//! | R7 | the report comes first | `r7_the_report_comes_first` |
//! | G10 | the machine was suspended | `g10_*` |
//!
//! In every scenario [`wire::Wire`] holds: between 0x1A and the result, or 180 s, or 5 s after the modem said that it
//! has restarted, no byte is written; every PDU handed over had a granted intent; no line feed, and no Ctrl-Z but behind
//! a PDU; an ESC is followed by CR; the network has no more copies than PDUs were handed over; nobody is woken for a
//! moment that is over.

mod cards;
mod dialects;
mod life;
mod network;
mod properties;
mod recovery;
mod sending;
mod talking;
mod transcripts;
mod wire;
