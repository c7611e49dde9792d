//! The virtual modem and network, dialog by dialog, on virtual time.

use otpgate::domain::time::{Mono, Wall};
use otpgate::simulator::faults::Faults;
use otpgate::simulator::modem::ModemOptions;
use otpgate::simulator::network::{Copy, NetworkOptions, NumberRule};
use otpgate::simulator::{ModemInput, Output, Simulator};
use proptest::prelude::*;
use std::time::Duration;

/// One modem, its clock, what it said since last asked, and what the network accepted.
struct Bench {
    simulator: Simulator,
    now: Mono,
    said: Vec<u8>,
    copies: Vec<Copy>,
    port: Vec<&'static str>,
}

impl Bench {
    fn new() -> Self {
        Self::with(ModemOptions::default(), |_| {})
    }

    fn with(modem: ModemOptions, network: impl FnOnce(&mut NetworkOptions)) -> Self {
        let mut options = NetworkOptions { epoch: Wall(1_795_397_726_000), ..NetworkOptions::default() };
        network(&mut options);
        let simulator = Simulator::new(1, &modem, options, 7);
        Self { simulator, now: Mono::default(), said: Vec::new(), copies: Vec::new(), port: Vec::new() }
    }

    fn faults(flags: &[&str]) -> Self {
        let mut bench = Self::new();
        bench.set_faults(flags);
        bench
    }

    fn set_faults(&mut self, flags: &[&str]) {
        let mut faults = Faults::default();
        flags.iter().for_each(|flag| faults.set_flag(flag).unwrap());
        self.simulator.set_faults(self.now, None, &faults);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some((_, output)) = self.simulator.poll_output() {
            match output {
                Output::Bytes(bytes) => self.said.extend(bytes),
                Output::Accepted(copy) => self.copies.push(copy),
                Output::PortLost => self.port.push("lost"),
                Output::PortBack => self.port.push("back"),
            }
        }
    }

    fn types(&mut self, bytes: &[u8]) {
        self.simulator.handle_input(self.now, 0, ModemInput::Bytes(bytes));
        self.drain();
    }

    fn wait(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while let Some(next) = self.simulator.next_timeout().filter(|next| *next <= until) {
            self.now = next;
            self.simulator.handle_timeout(next);
            self.drain();
        }
        self.now = until;
    }

    fn said(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.said)).unwrap()
    }

    /// Types, waits 10 s, gives what was said.
    fn asks(&mut self, text: &str) -> String {
        self.types(text.as_bytes());
        self.wait(10_000);
        self.said()
    }

    /// Echo off, and what a gateway sets.
    fn set_up(&mut self) {
        self.asks("ATE0\r");
        assert_eq!(self.asks("AT+CMGF=0;+CNMI=2,1,0,1,0\r"), OK);
    }
}

const OK: &str = "\r\nOK\r\n";
/// "hellohello" to +14155550100 with a report asked for: 21 octets, without an SMSC.
const SUBMIT: &str = "0021000B914151550501F000000AE8329BFD4697D9EC37";
const LENGTH: usize = 22;

#[test]
fn a_message_goes_out_and_is_reported_on() {
    let mut b = Bench::new();
    b.set_up();
    b.types(format!("AT+CMGS={LENGTH}\r").as_bytes());
    assert_eq!(b.said(), "\r\n> ");
    b.types(format!("{SUBMIT}\x1A").as_bytes());
    assert_eq!(b.said(), "", "nothing before the air time is over");
    b.wait(99);
    assert_eq!(b.said(), "");
    b.wait(1);
    assert_eq!(b.said(), "\r\n+CMGS: 0\r\n\r\nOK\r\n");
    b.wait(200);
    // 01:35:46 is the epoch and the 20 s of the set-up.
    let report = "07915155550500F006000B914151550501F0621132105364006211321053640000";
    assert_eq!(b.said(), format!("\r\n+CDS: 25\r\n{report}\r\n"));
    let copy = &b.copies[0];
    assert_eq!((copy.to.as_str(), copy.text.as_str()), ("+14155550100", "hellohello"));
    assert_eq!((copy.part, copy.total, copy.reference, copy.report), (1, 1, 0, true));
}

/// Rows of (typed, answered) on a fresh modem without echo, in order.
fn dialog(rows: &[(&str, &str)]) {
    let mut b = Bench::new();
    assert_eq!(b.asks("ATE0\r"), "ATE0\r\r\nOK\r\n");
    check(&mut b, rows);
}

fn check(b: &mut Bench, rows: &[(&str, &str)]) {
    for (typed, answered) in rows {
        assert_eq!(b.asks(&format!("{typed}\r")), answered.replace('\n', "\r\n"), "{typed}");
    }
}

#[test]
fn lines_and_results() {
    dialog(&[
        ("AT", "\nOK\n"),
        ("at", "\nOK\n"),
        ("", ""),
        ("hello", ""),
        ("\x1b", ""),
        ("xxAT", "\nOK\n"),
        ("ATX\x08", "\nOK\n"),
        ("ATV1Q0&C0&D0S0=0", "\nOK\n"),
        ("ATI", "\notpgate\nvirtual\nRevision: otpgate 0.1.0\n\nOK\n"),
        ("AT+CGMI;+CGMM", "\notpgate\nvirtual\n\nOK\n"),
        ("AT+CSQ;+NOSUCH;+CSQ", "\n+CSQ: 23,99\n\nERROR\n"),
        ("AT+NOSUCH", "\nERROR\n"),
        ("AT+CMEE=1;+CMEE?", "\n+CMEE: 1\n\nOK\n"),
        ("AT+CMEE=7", "\n+CME ERROR: 50\n"),
        ("AT+CMEE=2", "\nOK\n"),
        ("AT+COPS=9", "\n+CME ERROR: Incorrect parameters\n"),
        ("ATQ1", ""),
        ("AT+CSQ", "\n+CSQ: 23,99\n"),
        ("ATQ0", "\nOK\n"),
        ("ATD5551234;", "\nERROR\n"),
        ("ATH", "\nOK\n"),
        ("ATZ", "\nOK\n"),
        ("ATE0", "ATE0\r\nOK\n"),
    ]);
}

#[test]
fn numeric_results() {
    let mut b = Bench::new();
    b.asks("ATE0\r");
    assert_eq!(b.asks("ATV0\r"), "0\r");
    assert_eq!(b.asks("AT+CSQ\r"), "\r\n+CSQ: 23,99\r\n0\r");
    assert_eq!(b.asks("AT+NOSUCH\r"), "4\r");
}

#[test]
fn an_overlong_line_is_an_error_and_the_next_is_read_again() {
    let mut b = Bench::new();
    b.asks("ATE0\r");
    assert_eq!(b.asks(&format!("AT{}\r", "+CSQ;".repeat(300))), "\r\nERROR\r\n");
    assert_eq!(b.asks("AT\r"), OK);
}

#[test]
fn identity_card_and_network() {
    dialog(&[
        ("AT+CGSN", "\n001017000000003\n\nOK\n"),
        ("AT+CIMI", "\n001010000000000\n\nOK\n"),
        ("AT+CCID", "\n+CCID: 8999901000000000005\n\nOK\n"),
        ("AT+QCCID", "\n+QCCID: 8999901000000000005\n\nOK\n"),
        ("AT+CNUM", "\n+CNUM: ,\"+15555550100\",145\n\nOK\n"),
        ("AT+CPIN?", "\n+CPIN: READY\n\nOK\n"),
        ("AT+CPINR", "\n+CPINR: SIM PIN,3,3\n\nOK\n"),
        ("AT+CFUN?", "\n+CFUN: 1\n\nOK\n"),
        ("AT+CREG?", "\n+CREG: 0,1\n\nOK\n"),
        ("AT+CREG=2;+CREG?", "\n+CREG: 2,1,\"0001\",\"00000001\",7\n\nOK\n"),
        ("AT+CEREG?", "\n+CEREG: 0,1\n\nOK\n"),
        ("AT+COPS?", "\n+COPS: 0,0,\"otpgate virtual\",7\n\nOK\n"),
        ("AT+COPS=3,2;+COPS?", "\n+COPS: 0,2,\"00101\",7\n\nOK\n"),
        ("AT+CSQ", "\n+CSQ: 23,99\n\nOK\n"),
        ("AT+CREG=1;+CFUN=4", "\n+CREG: 0\n\nOK\n"),
        ("AT+CREG?;+CSQ;+COPS?", "\n+CREG: 1,0\n+CSQ: 99,99\n+COPS: 0\n\nOK\n"),
        ("AT+CFUN=1", "\nOK\n\n+CREG: 1\n\nSMS Ready\n"),
    ]);
}

#[test]
fn settings_of_messages() {
    dialog(&[
        ("AT+CMGF=?", "\n+CMGF: (0,1)\n\nOK\n"),
        ("AT+CMGF?", "\n+CMGF: 0\n\nOK\n"),
        ("AT+CMGS=?", "\nOK\n"),
        ("AT+CNMI=?", "\n+CNMI: (0-2),(0-3),(0),(0-2),(0,1)\n\nOK\n"),
        ("AT+CNMI=2,1,0,2,0", "\nOK\n"),
        ("AT+CNMI=,2", "\nOK\n"),
        ("AT+CNMI?", "\n+CNMI: 2,2,0,2,0\n\nOK\n"),
        ("AT+CNMI=3", "\n+CMS ERROR: 302\n"),
        ("AT+CNMI=1,1,1,1,1,1", "\n+CMS ERROR: 302\n"),
        ("AT+CSMS=?", "\n+CSMS: (0,1)\n\nOK\n"),
        ("AT+CSMS=1", "\n+CSMS: 1,1,1\n\nOK\n"),
        ("AT+CSMS?", "\n+CSMS: 1,1,1,1\n\nOK\n"),
        ("AT+CPMS=?", "\n+CPMS: (\"ME\",\"SM\",\"SR\"),(\"ME\",\"SM\"),(\"ME\",\"SM\")\n\nOK\n"),
        ("AT+CPMS=\"ME\",\"SM\"", "\n+CPMS: 0,20,0,20,0,20\n\nOK\n"),
        ("AT+CPMS?", "\n+CPMS: \"ME\",0,20,\"SM\",0,20,\"SM\",0,20\n\nOK\n"),
        ("AT+CPMS=\"XX\"", "\n+CMS ERROR: 302\n"),
        ("AT+CSCA?", "\n+CSCA: \"+15555550000\",145\n\nOK\n"),
        ("AT+CSCA=\"+15555550009\",145;+CSCA?", "\n+CSCA: \"+15555550009\",145\n\nOK\n"),
        ("AT+CSCS=?", "\n+CSCS: (\"GSM\",\"IRA\",\"UCS2\")\n\nOK\n"),
        ("AT+CSCS=\"UCS2\";+CSCS?", "\n+CSCS: \"UCS2\"\n\nOK\n"),
        ("AT+CSCS=\"KOI8\"", "\nERROR\n"),
        ("AT+CSMP?", "\n+CSMP: 17,167,0,0\n\nOK\n"),
        ("AT+CMMS=2;+CMMS?", "\n+CMMS: 2\n\nOK\n"),
        ("AT+CNMA", "\n+CMS ERROR: 340\n"),
        ("AT+CMGR=1", "\n+CMS ERROR: 321\n"),
        ("AT+CMGL=4", "\nOK\n"),
        ("AT+CMGD=1", "\nOK\n"),
    ]);
}

/// Types a message and gives all that is said within 10 s after the prompt.
fn send(b: &mut Bench) -> String {
    assert_eq!(b.asks(&format!("AT+CMGS={LENGTH}\r")), "\r\n> ");
    b.asks(&format!("{SUBMIT}\x1A"))
}

fn without_report(said: &str) -> &str {
    said.split("\r\n+CDS").next().unwrap()
}

#[test]
fn tp_mr_counts_up_and_around() {
    let mut b = Bench::with(ModemOptions::default(), |n| n.air_time = Duration::ZERO);
    b.set_up();
    for i in 0..600 {
        let said = send(&mut b);
        assert_eq!(without_report(&said), format!("\r\n+CMGS: {}\r\n\r\nOK\r\n", i % 256));
        assert!(said.contains(&format!("F006{:02X}0B91", i % 256)), "the report bears it: {said}");
    }
    assert_eq!(b.copies.len(), 600);
    let counts = b.simulator.modems()[0].counts();
    assert_eq!((counts.at_lines["+CMGS"], counts.prompts, counts.submits, counts.submitted), (600, 600, 600, 600));
    assert_eq!(b.simulator.modems()[0].turns().from_prompt.len(), 600);
    assert_eq!(b.simulator.modems()[0].turns().from_result.len(), 599);
}

#[test]
fn what_is_wrong_with_a_pdu_is_refused_before_the_air() {
    let rows = [
        ("wrong length", "AT+CMGS=23\r", SUBMIT, "304"),
        ("no hexadecimal", "AT+CMGS=22\r", "00zz", "304"),
        ("odd number of digits", "AT+CMGS=22\r", &SUBMIT[1..], "304"),
        ("nothing", "AT+CMGS=22\r", "", "304"),
        ("a DELIVER", "AT+CMGS=22\r", "0000000B914151550501F000000AE8329BFD4697D9EC37", "304"),
        ("far too long", "AT+CMGS=22\r", &"00".repeat(5000), "304"),
        ("unreadable TP-DA", "AT+CMGS=22\r", "002100FF914151550501F000000AE8329BFD4697D9EC37", "96"),
        ("user data longer than told", "AT+CMGS=22\r", "0021000B914151550501F0000009E8329BFD4697D9EC37", "96"),
    ];
    for (name, command, pdu, code) in rows {
        let mut b = Bench::new();
        b.set_up();
        assert_eq!(b.asks(command), "\r\n> ", "{name}");
        let said = b.asks(&format!("{pdu}\x1A"));
        assert_eq!(said, format!("\r\n+CMS ERROR: {code}\r\n"), "{name}");
        assert_eq!(b.asks("AT\r"), OK, "{name}: as if nothing had been");
    }
    for length in ["", "0", "6", "165", "99999999999999999999", "x"] {
        let mut b = Bench::new();
        b.set_up();
        assert_eq!(b.asks(&format!("AT+CMGS={length}\r")), "\r\n+CMS ERROR: 304\r\n", "{length}");
    }
}

#[test]
fn escape_leaves_edit_mode_and_nothing_is_sent() {
    let mut b = Bench::new();
    b.set_up();
    b.asks("AT+CMGS=22\r");
    b.types(SUBMIT.as_bytes());
    assert_eq!(b.asks("\x1B\r"), OK);
    assert_eq!(b.asks("AT\r"), OK);
    assert!(b.copies.is_empty());
    assert_eq!(b.simulator.modems()[0].counts().escapes, 1);
}

#[test]
fn line_ends_in_a_pdu_are_ignored() {
    let mut b = Bench::new();
    b.set_up();
    b.asks("AT+CMGS=22\r");
    let broken = format!("\n{}\r\n{}\r", &SUBMIT[..20], &SUBMIT[20..]);
    assert_eq!(without_report(&b.asks(&format!("{broken}\x1A"))), "\r\n+CMGS: 0\r\n\r\nOK\r\n");
}

#[test]
fn what_is_typed_while_a_message_is_on_the_air_is_counted_and_taken_up_later() {
    let mut b = Bench::new();
    b.set_up();
    b.asks("AT+CMGS=22\r");
    b.types(format!("{SUBMIT}\x1AAT+CSQ\r").as_bytes());
    assert_eq!(b.said(), "");
    b.wait(100);
    assert_eq!(b.said(), "\r\n+CMGS: 0\r\n\r\nOK\r\n\r\n+CSQ: 23,99\r\n\r\nOK\r\n");
    assert_eq!(b.simulator.modems()[0].counts().bytes_while_sending, 7);
}

#[test]
fn without_echo_off_everything_is_echoed() {
    let mut b = Bench::new();
    assert_eq!(b.asks("AT+CMGS=22\r"), "AT+CMGS=22\r\r\n> ");
    let pdu = SUBMIT.replacen("21", "01", 1);
    assert_eq!(b.asks(&format!("{pdu}\x1A")), format!("{pdu}\r\n+CMGS: 0\r\n\r\nOK\r\n"));
}

#[test]
fn no_smsc_no_network_no_pin() {
    let mut b = Bench::new();
    b.set_up();
    b.asks("AT+CSCA=\"\"\r");
    assert_eq!(send(&mut b), "\r\n+CMS ERROR: 330\r\n");
    b.asks("AT+CSCA=\"+15555550000\"\r");
    b.asks("AT+CFUN=4\r");
    assert_eq!(send(&mut b), "\r\n+CMS ERROR: 331\r\n");
    b.asks("AT+CFUN=1\r");
    assert_eq!(without_report(&send(&mut b)), "\r\n+CMGS: 0\r\n\r\nOK\r\n");
}

#[test]
fn a_pin_is_asked_for_and_three_wrong_ones_block_the_card() {
    let options = ModemOptions { pin: Some("1234".into()), ..ModemOptions::default() };
    let mut b = Bench::with(options.clone(), |_| {});
    b.asks("ATE0+CMEE=1\r");
    check(
        &mut b,
        &[
            ("AT+CPIN?", "\n+CPIN: SIM PIN\n\nOK\n"),
            ("AT+CIMI", "\n+CME ERROR: 11\n"),
            ("AT+CMGS=22", "\n+CMS ERROR: 311\n"),
            ("AT+CPIN=\"1111\"", "\n+CME ERROR: 16\n"),
            ("AT+CPINR", "\n+CPINR: SIM PIN,2,3\n\nOK\n"),
            ("AT+CPIN=\"1234\"", "\nOK\n\nSMS Ready\n"),
            ("AT+CPIN?", "\n+CPIN: READY\n\nOK\n"),
            ("AT+CREG?", "\n+CREG: 0,1\n\nOK\n"),
        ],
    );
    let mut b = Bench::with(options, |_| {});
    b.asks("ATE0+CMEE=1\r");
    check(
        &mut b,
        &[
            ("AT+CPIN=\"1\"", "\n+CME ERROR: 16\n"),
            ("AT+CPIN=\"2\"", "\n+CME ERROR: 16\n"),
            ("AT+CPIN=\"3\"", "\n+CME ERROR: 16\n"),
            ("AT+CPIN?", "\n+CPIN: SIM PUK\n\nOK\n"),
            ("AT+CPIN=\"1234\"", "\n+CME ERROR: 12\n"),
        ],
    );
}

#[test]
fn a_restart_puts_settings_back_and_announces_itself() {
    let mut b = Bench::new();
    b.set_up();
    b.types(b"AT+CFUN=1,1\r");
    assert_eq!(b.said(), OK);
    b.types(b"AT\r");
    b.wait(1999);
    assert_eq!(b.said(), "", "deaf while it boots");
    b.wait(2000);
    assert_eq!(b.said(), "\r\nRDY\r\n\r\n+CFUN: 1\r\n\r\n+CPIN: READY\r\n\r\nSMS Ready\r\n");
    assert_eq!(b.asks("AT+CNMI?\r"), "AT+CNMI?\r\r\n+CNMI: 0,0,0,0,0\r\n\r\nOK\r\n", "echo is on, routing off");
}

/// Sends `text` down and gives what the modem says of it.
fn inbound(b: &mut Bench, text: &str) -> String {
    let now = b.now;
    b.simulator.inbound(now, "+14155550199", "+15555550100", text);
    b.drain();
    b.wait(1000);
    b.said()
}

const FROM: &str = "040B914151550591F9";

#[test]
fn what_comes_in_is_stored_and_announced() {
    let mut b = Bench::new();
    b.set_up();
    assert_eq!(inbound(&mut b, "hi"), "\r\n+CMTI: \"SM\",1\r\n");
    let tpdu = format!("{FROM}0000621132105364{}02E834", "00");
    let listed = b.asks("AT+CMGL=4\r");
    assert!(listed.starts_with("\r\n+CMGL: 1,0,,21\r\n07915155550500F0040B914151550591F90000"), "{listed}");
    assert!(listed.ends_with("02E834\r\n\r\nOK\r\n"), "{listed} {tpdu}");
    assert!(b.asks("AT+CMGR=1\r").starts_with("\r\n+CMGR: 1,,21\r\n"), "read by the listing");
    assert_eq!(b.asks("AT+CMGL=0\r"), OK);
    assert_eq!(b.asks("AT+CMGD=1\r"), OK);
    assert_eq!(b.asks("AT+CMGR=1\r"), "\r\n+CMS ERROR: 321\r\n");
}

#[test]
fn a_message_to_a_subscriber_comes_in_there_unless_it_is_filtered() {
    let mut b = Bench::new();
    b.set_up();
    let to_itself = SUBMIT.replace("0B914151550501F0", "0B915155550501F0");
    let sends = |b: &mut Bench| {
        b.asks("AT+CMGS=22\r");
        b.types(format!("{to_itself}\x1A").as_bytes());
        b.wait(1000);
        b.said()
    };
    let said = sends(&mut b);
    assert!(said.contains("+CDS: ") && said.contains("+CMTI: \"SM\",1"), "{said}");
    let read = b.asks("AT+CMGR=1\r");
    assert!(read.starts_with("\r\n+CMGR: 0,,28\r\n07915155550500F0040B915155550501F00000"), "{read}");
    assert!(read.ends_with("0AE8329BFD4697D9EC37\r\n\r\nOK\r\n"), "{read}");
    b.set_faults(&["filtered=yes"]);
    let said = sends(&mut b);
    assert!(said.contains("+CDS: ") && !said.contains("+CMTI"), "{said}");
    assert_eq!((b.copies.len(), b.simulator.network().counts().inbound), (2, 1));
}

#[test]
fn a_full_storage_takes_nothing_until_there_is_room() {
    let mut b = Bench::with(ModemOptions { capacity: 2, ..ModemOptions::default() }, |_| {});
    b.set_up();
    assert_eq!(inbound(&mut b, "1"), "\r\n+CMTI: \"SM\",1\r\n");
    assert_eq!(inbound(&mut b, "2"), "\r\n+CMTI: \"SM\",2\r\n");
    assert_eq!(inbound(&mut b, "3"), "");
    assert_eq!(b.asks("AT+CMGD=1\r"), format!("{OK}\r\n+CMTI: \"SM\",1\r\n"));
    assert_eq!(b.asks("AT+CPMS?\r"), "\r\n+CPMS: \"SM\",2,2,\"SM\",2,2,\"SM\",2,2\r\n\r\nOK\r\n");
}

#[test]
fn routing_by_cnmi() {
    let report = "07915155550500F006000B914151550501F0";
    let rows = [
        ("2,0,0,0,0", "", ""),
        ("2,1,0,0,0", "\r\n+CMTI: \"SM\",1\r\n", ""),
        ("2,1,0,2,0", "\r\n+CMTI: \"SM\",1\r\n", "\r\n+CDSI: \"SR\",1\r\n"),
        ("2,2,0,1,0", "\r\n+CMT: ,21\r\n07915155550500F0", &format!("\r\n+CDS: 25\r\n{report}")),
        ("0,1,0,1,0", "", ""),
    ];
    for (cnmi, message, report) in rows {
        let mut b = Bench::new();
        b.set_up();
        b.asks(&format!("AT+CNMI={cnmi}\r"));
        let said = inbound(&mut b, "hi");
        assert!(said.starts_with(message) && said.is_empty() == message.is_empty(), "{cnmi}: {said}");
        let said = send(&mut b);
        let after = said.strip_prefix("\r\n+CMGS: 0\r\n\r\nOK\r\n").unwrap();
        assert!(after.starts_with(report) && after.is_empty() == report.is_empty(), "{cnmi}: {after}");
    }
}

#[test]
fn mode_0_keeps_lines_until_it_is_left() {
    for (bfr, released) in [("0", "\r\n+CMTI: \"SM\",1\r\n"), ("1", "")] {
        let mut b = Bench::new();
        b.set_up();
        b.asks("AT+CNMI=0,1,0,0,0\r");
        assert_eq!(inbound(&mut b, "hi"), "");
        assert_eq!(b.asks(&format!("AT+CNMI=2,1,0,1,{bfr}\r")), format!("{OK}{released}"));
    }
}

#[test]
fn stored_reports_are_read_from_their_own_storage() {
    let mut b = Bench::new();
    b.set_up();
    b.asks("AT+CNMI=2,1,0,2,0\r");
    assert!(send(&mut b).ends_with("\r\n+CDSI: \"SR\",1\r\n"));
    b.asks("AT+CPMS=\"SR\"\r");
    assert!(b.asks("AT+CMGR=1\r").contains("07915155550500F006000B914151550501F0"));
}

#[test]
fn phase_2_plus_wants_each_acknowledged() {
    let mut b = Bench::new();
    b.set_up();
    b.asks("AT+CSMS=1\r");
    b.asks("AT+CNMI=2,2,0,1,0\r");
    assert!(inbound(&mut b, "one").starts_with("\r\n+CMT: ,"));
    assert_eq!(inbound(&mut b, "two"), "", "one at a time");
    let said = b.asks("AT+CNMA\r");
    assert!(said.starts_with("\r\nOK\r\n\r\n+CMT: ,"), "{said}");
    assert_eq!(b.asks("AT+CNMA=0\r"), OK);
    assert_eq!(b.asks("AT+CNMA\r"), "\r\n+CMS ERROR: 340\r\n");
    inbound(&mut b, "three");
    b.wait(15_000);
    assert_eq!(b.asks("AT+CNMI?\r"), "\r\n+CNMI: 2,0,0,0,0\r\n\r\nOK\r\n", "not acknowledged in time");
}

#[test]
fn text_mode() {
    let mut b = Bench::new();
    b.set_up();
    assert_eq!(b.asks("AT+CMGF=1;+CSMP=49,167,0,0\r"), OK);
    assert_eq!(b.asks("AT+CMGS=\"+14155550100\"\r"), "\r\n> ");
    assert_eq!(b.asks("two\r"), "\r\n> ");
    let said = b.asks("lines\x1A");
    let report = "+CDS: 6,0,\"+14155550100\",145,\"26/11/23,01:36:16+00\",\"26/11/23,01:36:16+00\",0";
    assert_eq!(said, format!("\r\n+CMGS: 0\r\n\r\nOK\r\n\r\n{report}\r\n"));
    assert_eq!(b.copies[0].text, "two\nlines");
    assert_eq!(b.asks("AT+CMGS=\"\"\r"), "\r\n+CMS ERROR: 305\r\n");

    // As typed by a host that works in UCS-2.
    b.asks("AT+CSCS=\"UCS2\";+CSMP=17,167,0,8\r");
    b.asks("AT+CMGS=\"002B00310034003100350035003500350030003100300030\"\r");
    assert_eq!(b.asks("041604F3\x1A"), "\r\n+CMGS: 1\r\n\r\nOK\r\n");
    assert_eq!((b.copies[1].text.as_str(), b.copies[1].to.as_str()), ("Ж\u{4F3}", "+14155550100"));

    b.asks("AT+CSCS=\"GSM\"\r");
    inbound(&mut b, "hi");
    let said = b.asks("AT+CMGR=1\r");
    assert!(said.starts_with("\r\n+CMGR: \"REC UNREAD\",\"+14155550199\",,\"26/11/23,01:"), "{said}");
    assert!(said.ends_with("\"\r\nhi\r\n\r\nOK\r\n"), "{said}");
    b.asks("AT+CSDH=1\r");
    assert!(b.asks("AT+CMGR=1\r").contains("+00\",145,4,0,0,\"+15555550000\",145,2\r\nhi\r\n"));
    assert!(b.asks("AT+CMGL=\"ALL\"\r").contains("+CMGL: 1,\"REC READ\",\"+14155550199\",,"));
}

#[test]
fn stored_first_sent_later() {
    let mut b = Bench::new();
    b.set_up();
    assert_eq!(b.asks("AT+CMGW=22\r"), "\r\n> ");
    assert_eq!(b.asks(&format!("{SUBMIT}\x1A")), "\r\n+CMGW: 1\r\n\r\nOK\r\n");
    assert!(b.asks("AT+CMGR=1\r").starts_with("\r\n+CMGR: 2,,22\r\n"), "stored, not sent");
    assert_eq!(without_report(&b.asks("AT+CMSS=1\r")), "\r\n+CMSS: 0\r\n\r\nOK\r\n");
    assert!(b.asks("AT+CMGR=1\r").starts_with("\r\n+CMGR: 3,,22\r\n"), "stored, sent");
    assert_eq!(b.asks("AT+CMSS=2\r"), "\r\n+CMS ERROR: 321\r\n");
}

#[test]
fn ussd() {
    let mut b = Bench::new();
    b.set_up();
    assert_eq!(b.asks("AT+CUSD=1,\"*100#\",15\r"), "\r\nOK\r\n\r\n+CUSD: 0,\"Your balance is 10.00\",15\r\n");
    assert_eq!(b.asks("AT+CUSD=2\r"), OK);
}

#[test]
fn numbers_with_a_rule_of_their_own() {
    let mut b = Bench::with(ModemOptions::default(), |n| {
        n.rules =
            ["0100=refuse:28", "0101=report:0x46", "0102=no-report"].map(|r| NumberRule::parse(r).unwrap()).into();
    });
    b.set_up();
    assert_eq!(send(&mut b), "\r\n+CMS ERROR: 28\r\n");
    let mut to = |digits: &str| {
        b.asks("AT+CMGS=22\r");
        b.asks(&format!("{}\x1A", SUBMIT.replace("0501F0", digits)))
    };
    assert!(to("0501F1").ends_with("46\r\n"));
    assert!(to("0501F2").ends_with(OK));
    assert_eq!(b.copies.len(), 2);
    for wrong in ["", "x=refuse:1", "1=refuse", "1=refuse:256", "1=maybe"] {
        assert!(NumberRule::parse(wrong).unwrap_err().contains("SUFFIX=refuse:CAUSE"), "{wrong}");
    }
}

/// A send with the given faults: what the modem said up to the prompt, and from 0x1A on.
fn faulty(flags: &[&str]) -> (Bench, String, String) {
    let mut b = Bench::new();
    b.set_up();
    b.asks("AT+CNMI=2,1,0,0,0\r");
    b.set_faults(flags);
    let before = b.asks("AT+CMGS=22\r");
    let after = b.asks(&format!("{SUBMIT}\x1A"));
    (b, before, after)
}

const PROMPT: &str = "\r\n> ";
const SENT: &str = "\r\n+CMGS: 0\r\n\r\nOK\r\n";

#[test]
fn faults_of_a_send() {
    let glued = "> ";
    // (row, faults, what comes for AT+CMGS, what comes for PDU and 0x1A, copies at the network)
    let rows: &[(&str, &[&str], &str, &str, usize)] = &[
        ("none", &[], PROMPT, SENT, 1),
        ("S1 line end", &["prompt_shape=line_end"], "\r\n>\r\n", SENT, 1),
        ("S1 no space", &["prompt_shape=no_space"], "\r\n>", SENT, 1),
        ("S1 echoed", &["prompt_shape=echoed"], "AT+CMGS=22\r\r\n> ", SENT, 1),
        ("S1 glued", &["prompt_shape=glued"], glued, SENT, 1),
        ("S1 twice", &["prompt_shape=twice"], "\r\n> \r\n> ", SENT, 1),
        ("S2", &["refuse_before_prompt=cms:330"], "\r\n+CMS ERROR: 330\r\n", "", 0),
        ("S2 bare", &["refuse_before_prompt=error"], "\r\nERROR\r\n", "", 0),
        ("S3 in edit mode", &["prompt_never=edit"], "", SENT, 1),
        ("S3 not noticed", &["prompt_never=command"], "", "", 0),
        ("S5 accepted", &["silence=accepted"], PROMPT, "", 1),
        ("S5 lost", &["silence=lost"], PROMPT, "", 0),
        ("S7 accepted", &["error_after=cms:500,accepted"], PROMPT, "\r\n+CMS ERROR: 500\r\n", 1),
        ("S7 lost", &["error_after=cms:332,lost"], PROMPT, "\r\n+CMS ERROR: 332\r\n", 0),
        ("S7 bare", &["error_after=error,accepted"], PROMPT, "\r\nERROR\r\n", 1),
        ("S7 CME, not numbered", &["error_after=cme:14"], PROMPT, "\r\nERROR\r\n", 0),
        ("S7 by the network", &["network_refusal=21"], PROMPT, "\r\n+CMS ERROR: 21\r\n", 0),
        ("S8 reference only", &["half_result=reference"], PROMPT, "\r\n+CMGS: 0\r\n", 1),
        ("S8 OK only", &["half_result=ok"], PROMPT, OK, 1),
        ("S11 ring", &["collision=ring"], PROMPT, "\r\nRING\r\n\r\n+CMGS: 0\r\n\r\nOK\r\n", 1),
        (
            "S11 message, then an error",
            &["collision=cmti", "error_after=cms:512,lost"],
            PROMPT,
            "\r\n+CMTI: \"SM\",4\r\n\r\n+CMS ERROR: 512\r\n",
            0,
        ),
        ("S12", &["lost_bytes=3"], PROMPT, "\r\n+CMS ERROR: 304\r\n", 0),
        ("S12 even", &["lost_bytes=2"], PROMPT, "\r\n+CMS ERROR: 304\r\n", 0),
        ("S13 without a line feed", &["lf_sensitive=yes"], PROMPT, SENT, 1),
    ];
    for (row, flags, before, after, copies) in rows {
        let (b, said_before, said_after) = faulty(flags);
        assert_eq!((said_before.as_str(), said_after.as_str()), (*before, *after), "{row}");
        assert_eq!(b.copies.len(), *copies, "{row}");
    }
}

#[test]
fn s10_a_slow_modem_answers_each_in_its_turn_and_a_deaf_one_loses_what_comes_meanwhile() {
    for (flags, said) in [
        (["answer_delay=3", "late_answer=1@0"], "\r\nOK\r\n\r\n+CSQ: 23,99\r\n\r\nOK\r\n"),
        (["answer_delay=3", "deaf_while_busy=yes"], "\r\nOK\r\n"),
    ] {
        let mut b = Bench::new();
        b.set_up();
        b.set_faults(&flags);
        b.types(b"\x1B\rAT\r");
        b.wait(2_999);
        assert_eq!(b.said(), "");
        assert_eq!(b.asks("AT+CSQ\r"), said);
        // Prompt, result and the answer to an ESC take their time too.
        b.types(b"AT+CMGS=22\r");
        b.wait(2_999);
        assert_eq!(b.said(), "");
        b.wait(1);
        assert_eq!(b.said(), PROMPT);
        b.types(b"\x1B\r");
        b.wait(2_999);
        assert_eq!(b.said(), "");
        b.wait(1);
        assert_eq!(b.said(), OK);
    }
}

#[test]
fn s4_the_prompt_comes_when_nobody_waits_any_more() {
    let mut b = Bench::new();
    b.set_up();
    b.set_faults(&["prompt_late=12"]);
    assert_eq!(b.asks("AT+CMGS=22\r"), "");
    assert_eq!(b.asks("\x1B\rAT+CSQ\r"), "\r\n+CSQ: 23,99\r\n\r\nOK\r\n\r\n> ", "the answer, then the prompt");
    assert_eq!(b.asks("AT\r"), "", "swallowed");
    assert_eq!(b.asks("\x1B\r"), OK);
    assert_eq!(b.asks("AT\r"), OK);
}

#[test]
fn s6_the_result_comes_in_the_middle_of_something_else() {
    let (mut b, _, said) = faulty(&["late_result=25"]);
    assert_eq!(said, "");
    assert_eq!(b.asks("AT\r"), OK, "other commands are answered");
    b.types(b"AT+C");
    b.wait(10_000);
    assert_eq!(b.said(), SENT);
    assert_eq!(b.asks("SQ\r"), "\r\n+CSQ: 23,99\r\n\r\nOK\r\n");
    assert_eq!(b.copies.len(), 1);
}

#[test]
fn s9_edit_mode_from_a_life_before() {
    for (typed, said, copies) in [("\x1B\r", OK, 0), ("AT\r\x1B", OK, 0), ("\x1A", SENT, 1)] {
        let mut b = Bench::faults(&["start_in_edit=yes@next:1"]);
        b.simulator.handle_input(b.now, 0, ModemInput::Opened);
        let heard = b.asks(typed);
        assert!(heard.contains(said), "{typed:?}: {heard:?}");
        assert_eq!(b.copies.len(), copies, "0x1A submits what somebody else had typed");
        if let Some(copy) = b.copies.first() {
            assert_eq!((copy.to.as_str(), copy.text.as_str()), ("+15550009999", "left over"));
        }
    }
}

#[test]
fn s10_an_answer_comes_among_later_ones() {
    let mut b = Bench::new();
    b.set_up();
    b.set_faults(&["late_answer=15@next:1"]);
    assert_eq!(b.asks("AT+CGMM\r"), "");
    assert_eq!(b.asks("AT+CSQ\r"), "\r\n+CSQ: 23,99\r\n\r\nOK\r\n\r\nvirtual\r\n\r\nOK\r\n");
}

#[test]
fn s13_a_line_feed_after_the_command_becomes_part_of_the_pdu() {
    let mut b = Bench::new();
    b.set_up();
    b.set_faults(&["lf_sensitive=yes"]);
    assert_eq!(b.asks("AT+CMGS=22\r\n"), PROMPT);
    assert_eq!(b.asks(&format!("{SUBMIT}\x1A")), "\r\n+CMS ERROR: 304\r\n");
}

#[test]
fn faults_of_talking() {
    // (row, faults, typed, said)
    let rows: &[(&str, &[&str], &str, &str)] = &[
        ("T1", &["urc_in_answer=inside"], "AT+CSQ\r", "\r\n^RSSI:14\r\n+CSQ: 23,99\r\n\r\nOK\r\n"),
        ("T5 no OK", &["answer_shape=no_ok"], "AT+CPIN?\r", "\r\n+CPIN: READY\r\n"),
        ("T5 no OK, no lines", &["answer_shape=no_ok"], "AT\r", OK),
        ("T5 blank lines", &["answer_shape=blank_lines"], "AT\r", "\r\n\r\n\r\nOK\r\n"),
        ("T5 first line end", &["answer_shape=no_first_line_end"], "AT+CSQ\r", "+CSQ: 23,99\r\n\r\nOK\r\n"),
        ("T5 numeric", &["answer_shape=numeric"], "AT\r", "0\r"),
        ("T5 not supported", &["unknown_command=not_support"], "AT+X\r", "\r\nCOMMAND NOT SUPPORT\r\n"),
        ("T5 too many", &["unknown_command=too_many"], "AT+X\r", "\r\nTOO MANY PARAMETERS\r\n"),
        ("T5 CME 100", &["unknown_command=cme100"], "AT+CMEE=1;+X\r", "\r\n+CME ERROR: 100\r\n"),
        ("T7", &["refuse_command=+CNMI=2,|+CSMS"], "AT+CNMI=2,1\r", "\r\nERROR\r\n"),
        ("T7 second", &["refuse_command=+CNMI=2,|+CSMS"], "AT+CSMS=0\r", "\r\nERROR\r\n"),
        ("T7 others", &["refuse_command=+CNMI=2,|+CSMS"], "AT+CNMI=1,1\r", OK),
        ("R5", &["reports_acknowledged_only=yes"], "AT+CNMI=2,1,0,1,0\r", "\r\n+CMS ERROR: 303\r\n"),
        (
            "R5 stored",
            &["reports_acknowledged_only=yes"],
            "AT+CSMS=1;+CNMI=2,1,0,2,0\r",
            "\r\n+CSMS: 1,1,1\r\n\r\n+CMS ERROR: 303\r\n",
        ),
        (
            "R5 phase 2+",
            &["reports_acknowledged_only=yes"],
            "AT+CSMS=1;+CNMI=2,1,0,1,0\r",
            "\r\n+CSMS: 1,1,1\r\n\r\nOK\r\n",
        ),
        ("R5 none", &["reports_acknowledged_only=yes"], "AT+CNMI=2,1,0,0,0\r", OK),
        (
            "R5 said",
            &["reports_acknowledged_only=yes"],
            "AT+CNMI=?\r",
            "\r\n+CNMI: (0-2),(0-3),(0),(0),(0,1)\r\n\r\nOK\r\n",
        ),
    ];
    for (row, flags, typed, said) in rows {
        let mut b = Bench::new();
        b.set_up();
        b.set_faults(flags);
        assert_eq!(b.asks(typed), *said, "{row}");
    }
}

#[test]
fn t1_a_line_splits_the_echo() {
    let mut b = Bench::faults(&["urc_in_answer=echo@next:1"]);
    b.asks("AT\r");
    assert_eq!(b.asks("AT*EMRDY?\r"), "AT*E\r\n^RSSI:14\r\nMRDY?\r\r\nERROR\r\n");
}

#[test]
fn t2_lines_come_for_ever() {
    let mut b = Bench::new();
    b.set_up();
    b.set_faults(&["endless_urcs=3"]);
    b.wait(29_000);
    assert_eq!(b.said().matches("\r\n^BOOT:").count(), 10);
    b.set_faults(&[]);
    b.wait(60_000);
    assert_eq!(b.said(), "");
}

#[test]
fn t3_a_report_is_cut_by_a_final_result() {
    let mut b = Bench::new();
    b.set_up();
    b.set_faults(&["cut_urc=yes"]);
    let said = send(&mut b);
    let report = said.strip_prefix(SENT).unwrap();
    assert!(report.starts_with("\r\n+CDS: 25\r\n0791") && report.ends_with("\r\nOK\r\n"), "{report}");
    assert!(report.len() < 70, "{report}");
}

#[test]
fn t4_the_echo_comes_back() {
    let mut b = Bench::new();
    b.set_up();
    b.set_faults(&["echo_drift=yes@next:1"]);
    assert_eq!(b.asks("AT\r"), OK);
    assert_eq!(b.asks("AT\r"), "AT\r\r\nOK\r\n");
}

#[test]
fn t8_it_restarts_at_a_command() {
    let mut b = Bench::new();
    b.set_up();
    b.set_faults(&["reboot=yes@next:1"]);
    assert!(b.asks("AT\r").starts_with("\r\nRDY\r\n"));
    assert_eq!(b.asks("AT\r"), "AT\r\r\nOK\r\n", "the echo is back on");
}

#[test]
fn l5_it_hangs() {
    for (hang, reopened, later, powered) in
        [("reopen", true, false, true), ("power", false, false, true), ("30", false, true, true)]
    {
        let hears = |b: &mut Bench| b.asks("ATE0\r").ends_with(OK);
        let hung = || {
            let mut b = Bench::new();
            b.set_faults(&[&format!("hang={hang}@next:1")]);
            assert!(!hears(&mut b) && !hears(&mut b), "{hang}");
            b
        };
        let mut b = hung();
        b.simulator.handle_input(b.now, 0, ModemInput::Opened);
        assert_eq!(hears(&mut b), reopened, "{hang}: opened anew");
        let mut b = hung();
        b.wait(60_000);
        assert_eq!(hears(&mut b), later, "{hang}: later");
        let mut b = hung();
        b.simulator.handle_input(b.now, 0, ModemInput::PowerCycle);
        b.wait(5_000);
        assert_eq!(hears(&mut b), powered, "{hang}: power");
    }
}

#[test]
fn l1_the_port_goes_away() {
    for (point, prompt, copies) in
        [("prompt", "", 0), ("after_prompt", PROMPT, 0), ("submit", PROMPT, 1), ("submit_lost", PROMPT, 0)]
    {
        let mut b = Bench::new();
        b.set_up();
        b.set_faults(&[&format!("port_loss={point}@next:1")]);
        b.types(b"AT+CMGS=22\r");
        assert_eq!(b.said(), prompt, "{point}");
        b.types(format!("{SUBMIT}\x1A").as_bytes());
        assert_eq!(b.port, ["lost"], "{point}");
        b.wait(1_000);
        assert_eq!(b.said(), "", "{point}: nobody hears the result");
        b.wait(1_000);
        assert_eq!(b.port, ["lost", "back"], "{point}");
        assert_eq!(b.copies.len(), copies, "{point}");
        b.simulator.handle_input(b.now, 0, ModemInput::Opened);
        assert_eq!(b.asks("AT\r"), OK, "{point}");
    }
}

#[test]
fn faults_of_reports() {
    for (row, flag, part) in [
        ("R6 constant", "report_reference=0", "F006000B91"),
        ("R6 other", "report_reference=0x2A", "F0062A0B91"),
        ("R6 status", "report_status=0x46", "46\r\n"),
    ] {
        let mut b = Bench::new();
        b.set_up();
        send(&mut b);
        b.set_faults(&[flag]);
        let said = send(&mut b);
        assert!(said.contains("+CMGS: 1\r\n") && said.contains(part), "{row}: {said}");
    }
    let mut b = Bench::new();
    b.set_up();
    b.set_faults(&["report_early=yes"]);
    let said = send(&mut b);
    assert!(said.starts_with("\r\n+CDS: 25\r\n") && said.ends_with(SENT), "R7: {said}");
    b.set_faults(&["report_lost=yes"]);
    assert_eq!(send(&mut b), "\r\n+CMGS: 1\r\n\r\nOK\r\n", "L14");
}

#[test]
fn the_same_seed_gives_the_same_faults() {
    let run = || {
        let mut b = Bench::with(ModemOptions::default(), |n| n.air_time = Duration::ZERO);
        b.set_up();
        b.set_faults(&["silence=lost@0.3", "prompt_shape=no_space@0.5"]);
        let said: String = (0..50).map(|_| b.asks("AT+CMGS=22\r") + &b.asks(&format!("{SUBMIT}\x1A"))).collect();
        (said, b.copies)
    };
    let (first, second) = (run(), run());
    assert_eq!(first, second);
    assert!((25..45).contains(&first.1.len()), "{} of 50 accepted", first.1.len());
}

#[test]
fn long_messages_are_put_together_again() {
    let mut b = Bench::new();
    b.set_up();
    // Two parts of 16 bit reference 0x0102, the second sent first; TP-UDL is 8 septets of header and 1 of text.
    for part in ["02", "01"] {
        assert_eq!(b.asks("AT+CMGS=21\r"), PROMPT);
        let pdu = format!("0041000B914151550501F0000009060804010202{part}{}", if part == "01" { "41" } else { "42" });
        assert!(b.asks(&format!("{pdu}\x1A")).ends_with(OK));
    }
    let inbox: Vec<_> = b.simulator.network().inbox().messages(Some("14155550100")).cloned().collect();
    assert_eq!(inbox.len(), 1);
    assert_eq!((inbox[0].text.as_str(), inbox[0].total, inbox[0].is_complete()), ("AB", 2, true));
    assert_eq!(b.simulator.network().inbox().messages(Some("+1")).count(), 0);
}

#[test]
fn the_inbox_is_bounded_and_newest_first() {
    let mut b = Bench::with(ModemOptions::default(), |n| {
        n.air_time = Duration::ZERO;
        n.inbox_capacity = 3;
    });
    b.set_up();
    (0..10).for_each(|_| drop(send(&mut b)));
    let sequences: Vec<u64> = b.simulator.network().inbox().messages(None).map(|m| m.sequence).collect();
    assert_eq!(sequences, [10, 9, 8]);
    assert_eq!(b.simulator.network().counts().accepted, 10);
}

proptest! {
    /// The same bytes, however chopped, give the same bytes.
    #[test]
    fn chopping_makes_no_difference(
        cuts in proptest::collection::vec(1usize..20, 1..40),
        flags in proptest::sample::subsequence(vec![
            "prompt_shape=glued", "urc_in_answer=inside@0.5", "error_after=cms:500,accepted@0.3", "echo_drift=yes@0.2",
            "lost_bytes=2@0.2", "unknown_command=cme100", "late_answer=1@0.2", "collision=ring@0.5",
        ], 0..4),
    ) {
        let text = format!(
            "AT\rATE0\rAT+CMGF=0;+CNMI=2,1,0,1,0\rAT+CMGS=22\r{SUBMIT}\x1AAT+CSQ\rAT+NO\rAT+CMGS=22\r00\x1BAT+CMGL=4\r"
        );
        let run = |pieces: &mut dyn Iterator<Item = usize>| {
            let mut b = Bench::faults(&flags);
            let mut rest = text.as_bytes();
            while !rest.is_empty() {
                let (now, later) = rest.split_at(pieces.next().unwrap_or(1000).min(rest.len()));
                b.types(now);
                rest = later;
            }
            b.wait(10_000);
            (b.said, b.copies)
        };
        prop_assert_eq!(run(&mut cuts.iter().copied()), run(&mut std::iter::empty()));
    }

    /// No bytes make it panic, or say more than it was asked for many times over.
    #[test]
    fn no_bytes_upset_it(
        pieces in proptest::collection::vec(
            prop_oneof![
                "AT[+&^]?[A-Z]{0,5}[=?]{0,2}[0-9,\"+;]{0,12}\r",
                "[ -~]{0,20}\r",
                Just("AT+CMGS=22\r".to_string()),
                Just("AT+CMGW=22\r".to_string()),
                Just("AT+CMGF=1\r".to_string()),
                Just("AT+CSCS=\"UCS2\"\r".to_string()),
                Just("AT+CMGS=\"+1415\"\r".to_string()),
                Just(format!("{SUBMIT}\x1A")),
                Just("\x1B".to_string()),
                "\\PC{0,10}\r",
            ],
            0..30,
        ),
        raw in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut b = Bench::new();
        for piece in &pieces {
            b.types(piece.as_bytes());
            b.wait(50);
        }
        b.types(&raw);
        b.wait(60_000);
        prop_assert!(b.said.len() < 100_000);
    }
}

#[test]
fn messages_of_sixteen_modems_overlap_and_are_counted_each_once() {
    let mut simulator = Simulator::new(16, &ModemOptions::default(), NetworkOptions::default(), 7);
    let mut sent = [0; 16];
    let mut copies = std::collections::BTreeMap::<(String, String), u32>::new();
    let mut now = Mono::default();
    for modem in 0..16 {
        simulator.handle_input(now, modem, ModemInput::Bytes(b"ATE0\r"));
    }
    loop {
        while let Some((modem, output)) = simulator.poll_output() {
            match output {
                Output::Bytes(said) if said.ends_with(b"\r\nOK\r\n") && sent[modem] < 500 => {
                    sent[modem] += 1;
                    simulator.handle_input(now, modem, ModemInput::Bytes(b"AT+CMGS=22\r"));
                }
                Output::Bytes(said) if said.ends_with(b"\r\n> ") => {
                    // Ten digits of the recipient tell the messages apart.
                    let number = format!("55501{:02}{:03}", modem, sent[modem] - 1);
                    let swapped: String =
                        number.as_bytes().chunks(2).flat_map(|p| [p[1] as char, p[0] as char]).collect();
                    let pdu = format!("0001000A91{swapped}00000BE8329BFD4697D9EC3720\x1A");
                    simulator.handle_input(now, modem, ModemInput::Bytes(pdu.as_bytes()));
                }
                Output::Accepted(copy) => *copies.entry((copy.imei, copy.to)).or_default() += 1,
                _ => {}
            }
        }
        match simulator.next_timeout() {
            Some(next) => now = next,
            None => break,
        }
        simulator.handle_timeout(now);
    }
    assert_eq!(copies.len(), 8000, "{:?}", simulator.network().counts());
    assert!(copies.values().all(|count| *count == 1));
    assert_eq!(
        now,
        Mono::default() + Duration::from_secs(50),
        "500 times 100 ms: the radios don't wait for each other"
    );
    assert_eq!(simulator.network().inbox().messages(None).count(), 1000, "the inbox is bounded");
    assert!(simulator.modems().iter().all(|m| m.counts().at_lines["+CMGS"] == 500));
}
