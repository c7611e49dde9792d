//! The codec against vectors worked out by hand from TS 23.038 and TS 23.040, and as properties.

use otpgate::domain::msisdn::Msisdn;
use otpgate::sms::gsm7::{ESCAPE, Tables};
use otpgate::sms::pdu::{
    Address, Alphabet, Dcs, DecodeErrorKind, Deliver, InformationElement, MessageReference, Payload, Pdu, Pid, Scts,
    SmscField, StatusReport, Submit, Ton, TpSt, TpVp, Tpdu, TypeOfAddress, Udh, UserData, decode, decode_hex,
};
use otpgate::sms::segment::{NationalShift, TooLong, segment};
use proptest::prelude::*;
use std::time::Duration;

#[test]
fn submits_both_ways() {
    for (name, submit, tpdu) in submits() {
        let pdu = submit.to_pdu(None);
        assert_eq!((pdu.hex(), pdu.tpdu_len()), (format!("00{tpdu}").as_str(), tpdu.len() / 2), "{name}");
        let decoded = decode_hex(tpdu, SmscField::Absent).map(|decoded| decoded.tpdu);
        assert_eq!(decoded, Ok(Tpdu::Submit(submit)), "{name}");
    }
}

fn submits() -> Vec<(&'static str, Submit, &'static str)> {
    let plain = |user_data| Submit::new(Address::international(&number()), user_data);
    let to = |toa, digits, user_data| Submit::new(Address::number(TypeOfAddress(toa), digits).unwrap(), user_data);
    vec![
        ("nothing set", plain(text("Hi")), "01000B914151550501F0000002C834"),
        ("no text", plain(text("")), "01000B914151550501F0000000"),
        (
            "every flag, flash, an hour",
            Submit {
                reject_duplicates: true,
                status_report_request: true,
                reply_path: true,
                message_reference: MessageReference(0x2A),
                dcs: Dcs::class_0(Alphabet::Gsm7),
                validity: TpVp::relative(Duration::from_secs(3600)),
                ..plain(text("@"))
            },
            "B52A0B914151550501F000100B0100",
        ),
        (
            "an even national number, until a moment, a surrogate pair",
            Submit {
                validity: TpVp::Absolute(Scts::new(26, 11, 23, 1, 35, 26, 22)),
                ..to(0xA1, "0155501234", text("щ😀"))
            },
            "19000AA1105505214300086211321053622206\
             0449D83DDE00",
        ),
        (
            "thirty seconds in the enhanced form, a protocol identifier",
            Submit { pid: Pid(0x41), validity: TpVp::Enhanced([0x02, 0x1E, 0, 0, 0, 0, 0]), ..plain(text("Hi")) },
            "09000B914151550501F04100021E000000000002C834",
        ),
        ("an odd short code with signs", to(0x81, "*100#", text("")), "010005811A00FB000000"),
        ("an abbreviated number of a private plan", to(0xE9, "1", text("")), "010001E9F1000000"),
        ("seven septets leave no at sign", plain(text("Otpgate")), "01000B914151550501F00000074F3AFC1CA69701"),
        ("eight septets fill seven octets", plain(text("Otpgate1")), "01000B914151550501F00000084F3AFC1CA69763"),
        ("an escape", plain(text("€1")), "01000B914151550501F00000039B720C"),
        (
            "a part: a header of six octets, one fill bit",
            plain(with_header(&[(0x00, &[0x2A, 2, 1])], Payload::Gsm7(vec![0x41]))),
            "41000B914151550501F00000080500032A020182",
        ),
        (
            "Turkish, three fill bits",
            plain(with_header(&[(0x25, &[1])], Payload::Gsm7(vec![0x04]))),
            "41000B914151550501F0000006032501012000",
        ),
        (
            "Urdu in both tables, no fill bits",
            plain(with_header(&[(0x24, &[13]), (0x25, &[13])], Payload::Gsm7(vec![0x1B, 0x1C]))),
            "41000B914151550501F000000A0624010D25010D1B0E",
        ),
        (
            "data for a port, behind an element nobody knows",
            plain(with_header(
                &[(0x70, &[0xAB, 0xCD]), (0x05, &[0x0B, 0x84, 0x23, 0xF0])],
                Payload::Octets(vec![1, 2]),
            )),
            "41000B914151550501F000040D0A7002ABCD05040B8423F00102",
        ),
        (
            "a header with no text behind it",
            plain(with_header(&[(0x08, &[0x12, 0x34, 3, 3])], Payload::Ucs2(vec![]))),
            "41000B914151550501F000080706080412340303",
        ),
    ]
}

#[test]
fn delivers_both_ways() {
    let scts = Scts::new(26, 11, 23, 1, 35, 26, -20);
    let from = |originator, dcs, user_data| Deliver {
        more_messages: false,
        loop_prevention: false,
        status_report_indication: false,
        reply_path: false,
        originator,
        pid: Pid(0),
        dcs: Dcs(dcs),
        scts,
        user_data,
    };
    let name = || Address::alphanumeric("Otpgate").unwrap();
    let rows = [
        ("from a name", from(name(), 0x00, text("Hi")), "040DD04F3AFC1CA6970100006211321053620A02C834"),
        (
            "every flag",
            Deliver {
                more_messages: true,
                loop_prevention: true,
                status_report_indication: true,
                reply_path: true,
                ..from(name(), 0x08, text("щ😀"))
            },
            "A80DD04F3AFC1CA6970100086211321053620A060449D83DDE00",
        ),
        (
            "group 1111 with its reserved bit",
            from(name(), 0xFB, text("Hi")),
            "040DD04F3AFC1CA6970100FB6211321053620A02C834",
        ),
        (
            "compressed text stays as it came",
            from(name(), 0x20, UserData::new(None, Payload::Octets(vec![0xC8, 0x34])).unwrap()),
            "040DD04F3AFC1CA6970100206211321053620A02C834",
        ),
    ];
    for (name, deliver, tpdu) in rows {
        assert_eq!(Pdu::new(None, &deliver.encode()).hex(), format!("00{tpdu}"), "{name}");
        let decoded = decode_hex(tpdu, SmscField::Absent).map(|decoded| decoded.tpdu);
        assert_eq!(decoded, Ok(Tpdu::Deliver(deliver)), "{name}");
    }
}

#[test]
fn texts_as_people_read_them() {
    let rows = [
        ("plain", "01000B914151550501F0000002C834", Some("Hi")),
        ("group 1111, 7 bits", "01000B914151550501F000FB02C834", Some("Hi")),
        ("group 1111, 8 bits", "01000B914151550501F000F502C834", None),
        ("compressed", "01000B914151550501F0002002C834", None),
        ("reserved alphabet", "01000B914151550501F0000C02C834", Some("Hi")),
        ("Turkish", "41000B914151550501F0000006032501012000", Some("€")),
        ("decimal 25 is another element", "41000B914151550501F0000006031901012000", Some("è")),
        ("a language nobody knows", "41000B914151550501F0000006032501C82000", Some("è")),
        ("lone surrogate", "01000B914151550501F0000802D83D", Some("\u{FFFD}")),
    ];
    for (name, tpdu, expected) in rows {
        let Tpdu::Submit(submit) = decode_hex(tpdu, SmscField::Absent).unwrap().tpdu else { panic!("{name}") };
        assert_eq!(submit.user_data.text().as_ref().map(|text| text.reveal()), expected, "{name}");
    }
}

#[test]
fn addresses_as_people_read_them() {
    let rows = [
        ("international", "01000B914151550501F0000000", Ton::International, 1, "+14155550100"),
        ("a filler that was counted", "01000C914151550501F0000000", Ton::International, 1, "+14155550100"),
        ("unknown", "0100048121430000 00", Ton::Unknown, 1, "1234"),
        ("subscriber, plan 8", "010004C82143000000", Ton::Subscriber, 8, "1234"),
        ("reserved", "010004FF2143000000", Ton::Reserved, 15, "1234"),
        ("no digits", "01000081000000", Ton::Unknown, 1, ""),
        ("a name of seven", "01000DD04F3AFC1CA69701000000", Ton::Alphanumeric, 0, "Otpgate"),
        ("a name of seven in whole octets", "01000ED04F3AFC1CA69701000000", Ton::Alphanumeric, 0, "Otpgate"),
        ("a name of eight", "01000ED04F3AFC1CA69763000000", Ton::Alphanumeric, 0, "Otpgate1"),
    ];
    for (name, tpdu, ton, npi, shown) in rows {
        let decoded = decode_hex(&tpdu.replace(' ', ""), SmscField::Absent).unwrap().tpdu;
        let Tpdu::Submit(submit) = decoded else { panic!("{name}") };
        let toa = submit.destination.type_of_address();
        assert_eq!((toa.ton(), toa.npi(), submit.destination.reveal().as_str()), (ton, npi, shown), "{name}");
    }
}

#[test]
fn addresses_that_cannot_be_written() {
    assert_eq!(Address::number(TypeOfAddress(0x81), "123456789012345678901"), None, "21 digits");
    assert_eq!(Address::number(TypeOfAddress(0x81), "12d"), None, "no such digit");
    assert_eq!(Address::number(TypeOfAddress::ALPHANUMERIC, "12"), None, "a number is no name");
    assert_eq!(Address::alphanumeric("twelve chars"), None, "12 septets");
    assert_eq!(Address::alphanumeric("щ"), None, "not in the alphabet");
}

#[test]
fn the_smsc_field() {
    let tpdu = "01000B914151550501F0000002C834";
    let rows = [
        ("absent", "", SmscField::Absent, None),
        ("absent, guessed", "", SmscField::Auto, None),
        ("empty", "00", SmscField::Present, None),
        ("empty, guessed", "00", SmscField::Auto, None),
        ("a number", "07914151550599F9", SmscField::Present, Some("+14155550999")),
        ("a number, guessed", "07914151550599F9", SmscField::Auto, Some("+14155550999")),
        ("a type and no digits", "0181", SmscField::Auto, Some("")),
    ];
    for (name, field, smsc, shown) in rows {
        let decoded = decode_hex(&format!("{field}{tpdu}"), smsc).unwrap();
        assert_eq!(decoded.smsc.as_ref().map(Address::reveal).as_deref(), shown, "{name}");
        assert_eq!(decoded.tpdu_len, tpdu.len() / 2, "{name}");
    }
    let smsc = Address::international(&Msisdn::parse("+14155550999").unwrap());
    let submit = Submit::new(Address::international(&number()), text("Hi"));
    assert_eq!(submit.to_pdu(Some(&smsc)).hex(), format!("07914151550599F9{tpdu}"));
    assert_eq!(submit.to_pdu(Some(&smsc)).tpdu_len(), tpdu.len() / 2);
}

#[test]
fn status_reports() {
    let bare = StatusReport {
        more_messages: false,
        loop_prevention: false,
        answers_command: false,
        message_reference: MessageReference(0x2A),
        recipient: Address::international(&number()),
        scts: Scts::new(26, 11, 23, 1, 35, 26, 0),
        discharge_time: Scts::new(26, 11, 23, 1, 35, 31, 0),
        status: TpSt(0),
        parameter_indicator: None,
        pid: None,
        dcs: None,
        user_data: None,
    };
    let hi = Some(text("Hi"));
    let head = "062A0B914151550501F06211321053620062113210531300";
    let rows = [
        ("bare", format!("{head}00"), bare.clone()),
        ("not received", format!("{head}46"), StatusReport { status: TpSt(0x46), ..bare.clone() }),
        (
            "every flag",
            format!("2A{}00", &head[2..]),
            StatusReport { more_messages: true, loop_prevention: true, answers_command: true, ..bare.clone() },
        ),
        (
            "recipient in national form",
            "062A0AA1145155051062113210536200621132105313000 0".replace(' ', ""),
            StatusReport { recipient: Address::number(TypeOfAddress(0xA1), "4115555001").unwrap(), ..bare.clone() },
        ),
        ("an empty indicator", format!("{head}0000"), StatusReport { parameter_indicator: Some(0), ..bare.clone() }),
        (
            "all that can follow",
            format!("{head}0007000002C834"),
            StatusReport {
                parameter_indicator: Some(7),
                pid: Some(Pid(0)),
                dcs: Some(Dcs(0)),
                user_data: hi.clone(),
                ..bare.clone()
            },
        ),
        (
            "text without a coding scheme",
            format!("{head}000402C834"),
            StatusReport { parameter_indicator: Some(4), user_data: hi, ..bare.clone() },
        ),
        (
            "fields of a later release",
            format!("{head}000941FFFF"),
            StatusReport { parameter_indicator: Some(9), pid: Some(Pid(0x41)), ..bare.clone() },
        ),
        (
            "an indicator of two octets",
            format!("{head}00810041"),
            StatusReport { parameter_indicator: Some(0x81), pid: Some(Pid(0x41)), ..bare.clone() },
        ),
    ];
    for (name, tpdu, report) in rows {
        let decoded = decode_hex(&tpdu, SmscField::Absent).map(|decoded| decoded.tpdu);
        assert_eq!(decoded, Ok(Tpdu::StatusReport(report)), "{name}");
    }
}

#[test]
fn errors_name_field_and_offset() {
    use DecodeErrorKind::*;
    use SmscField::*;
    let rows = [
        ("nothing", Present, "", "smsc.length", 0, Truncated(1)),
        ("nothing at all", Absent, "", "first", 0, Truncated(1)),
        ("half an octet", Present, "000", "hex", 1, NotHex),
        ("no digit", Present, "00010G", "hex", 2, NotHex),
        ("a character of two bytes", Present, "00é0", "hex", 1, NotHex),
        ("SMSC field too long", Present, "0D9100", "smsc.length", 0, BadLength(13)),
        ("SMSC field cut off", Present, "079141", "smsc.value", 2, Truncated(5)),
        ("only an SMSC field", Present, "00", "first", 1, Truncated(1)),
        ("cut in front of TP-MR", Present, "0001", "mr", 2, Truncated(1)),
        ("21 digits", Present, "00010015", "da.length", 3, BadLength(21)),
        ("no type of address", Absent, "01000B", "da.toa", 3, Truncated(1)),
        ("number cut off", Absent, "01000B914151", "da.value", 4, Truncated(4)),
        ("filler inside a number", Absent, "01000491F143000000", "da.value", 4, BadDigit),
        ("sender cut off", Absent, "000B9141", "oa.value", 3, Truncated(5)),
        ("recipient cut off", Absent, "022A0B9141", "ra.value", 4, Truncated(5)),
        ("no TP-VP", Absent, "11000B914151550501F00000", "vp", 12, Truncated(1)),
        ("TP-SCTS cut off", Absent, "000B914151550501F00000621132", "scts", 11, Truncated(4)),
        ("no TP-ST", Absent, "022A0491214362113210536200621132105313 00", "st", 20, Truncated(1)),
        ("indicated but not there", Absent, "022A049121436211321053620062113210531300 0001", "pid", 22, Truncated(1)),
        ("more than was indicated", Absent, "022A049121436211321053620062113210531300 0000AA", "tpdu", 22, Trailing(1)),
        ("TP-UDL promises more", Absent, "010004912143000005C834", "ud", 9, Truncated(3)),
        ("TP-UDL promises less", Absent, "010004912143000001C834", "ud", 10, Trailing(1)),
        ("161 septets", Absent, "0100049121430000A1", "udl", 8, BadLength(161)),
        ("141 octets", Absent, "01000491214300088D", "udl", 8, BadLength(141)),
        ("header announced, none there", Absent, "410004912143000000", "ud.udh.udhl", 9, Truncated(1)),
        ("header longer than the user data", Absent, "41000491214300040205AA", "ud.udh", 10, Truncated(4)),
        ("element longer than the header", Absent, "410004912143000405040003FFFF", "ud.udh.ied", 12, Truncated(1)),
        ("element without a length", Absent, "4100049121430004020100", "ud.udh.iedl", 11, Truncated(1)),
        ("header of more septets than there are", Absent, "41000491214300000605000301 0201", "udl", 8, BadLength(6)),
    ];
    for (name, smsc, hex, field, offset, kind) in rows {
        let error = decode_hex(&hex.replace(' ', ""), smsc).unwrap_err();
        assert_eq!((error.field.as_str(), error.offset, error.kind), (field, offset, kind), "{name}");
        assert!(error.to_string().starts_with(&format!("{field} at octet {offset}: ")), "{name}: {error}");
    }
}

#[test]
fn segments() {
    use Alphabet::{Gsm7, Ucs2};
    use NationalShift::{Allowed, Off};
    let rows = [
        ("nothing", String::new(), Off, (Gsm7, 1, 0, 160)),
        ("160 letters", "a".repeat(160), Off, (Gsm7, 1, 160, 0)),
        ("161 letters", "a".repeat(161), Off, (Gsm7, 2, 161, 145)),
        ("an escape is two septets", "a".repeat(159) + "€", Off, (Gsm7, 2, 161, 145)),
        ("no cut behind an escape", "a".repeat(152) + "€" + &"a".repeat(10), Off, (Gsm7, 2, 164, 141)),
        ("70 Cyrillic letters", "ж".repeat(70), Off, (Ucs2, 1, 70, 0)),
        ("71 Cyrillic letters", "ж".repeat(71), Off, (Ucs2, 2, 71, 63)),
        ("no cut in a surrogate pair", "ж".repeat(66) + "😀" + &"ж".repeat(10), Off, (Ucs2, 2, 78, 55)),
        ("Turkish, not allowed", "ş".repeat(71), Off, (Ucs2, 2, 71, 63)),
        ("Turkish in one table", "ş".repeat(71), Allowed, (Gsm7, 1, 71, 84)),
        ("Turkish that UCS-2 takes in as few parts", "ş".repeat(70), Allowed, (Ucs2, 1, 70, 0)),
        ("Turkish parts", "ş".repeat(156), Allowed, (Gsm7, 2, 156, 2 * 149 - 156)),
        ("no table has all of it", "şж".repeat(40), Allowed, (Ucs2, 2, 80, 54)),
        ("the most parts", "a".repeat(255 * 153), Off, (Gsm7, 255, 255 * 153, 0)),
    ];
    for (name, text, shifts, expected) in rows {
        let s = segment(&text, shifts).unwrap();
        assert_eq!((s.alphabet(), s.len(), s.units(), s.units_left()), expected, "{name}");
        assert_eq!(s.part_user_data(s.len(), 0), None, "{name}");
    }
    assert_eq!(segment(&"a".repeat(255 * 153 + 1), Off), Err(TooLong { parts: 256 }));
}

#[test]
fn nothing_shows_texts_or_numbers() {
    let smsc = Address::international(&Msisdn::parse("+14155550999").unwrap());
    let submit = Submit::new(Address::international(&number()), text("your code is 918273"));
    let pdu = submit.to_pdu(Some(&smsc));
    let decoded = decode_hex(pdu.hex(), SmscField::Present).unwrap();
    let segments = segment("your code is 918273", NationalShift::Off).unwrap();
    let short = Address::number(TypeOfAddress(0x81), "12345").unwrap();
    let name = Address::alphanumeric("Otpgate").unwrap();
    let ports = element(0x70, &[0x91, 0x82, 0x73]);
    let shown =
        format!("{submit:?} {pdu:?} {decoded:?} {segments:?} {short} {short:?} {name} {name:?} {ports:?} {smsc}");
    for secret in ["918273", "your", "5550", "12345", "Otpgate", "145, 130, 115", pdu.hex()] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert!(shown.contains("+14…00"), "{shown}");
}

proptest! {
    #[test]
    fn no_octets_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        read_every_way(&octets);
    }

    #[test]
    fn no_text_panics_as_hexadecimal(text in any::<String>()) {
        let _ = decode_hex(&text, SmscField::Auto);
    }

    #[test]
    fn no_damaged_pdu_panics(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..6),
    ) {
        let valid = submits();
        let mut octets = valid[which.index(valid.len())].1.encode();
        for (at, octet, how) in damage {
            let at = at.index(octets.len().max(1));
            match how {
                0 if at < octets.len() => octets[at] ^= octet,
                1 => octets.truncate(at),
                _ => octets.insert(at, octet),
            }
        }
        read_every_way(&octets);
    }

    #[test]
    fn any_submit_comes_back(
        flags: [bool; 3], mr: u8, pid: u8, destination in any_address(), validity in any_validity(),
        (dcs, user_data) in any_user_data(), smsc in prop::option::of(any_address()),
    ) {
        let [reject_duplicates, status_report_request, reply_path] = flags;
        let submit = Submit {
            reject_duplicates, status_report_request, reply_path, message_reference: MessageReference(mr), destination,
            pid: Pid(pid), dcs, validity, user_data,
        };
        let pdu = submit.to_pdu(smsc.as_ref());
        let decoded = decode_hex(pdu.hex(), SmscField::Present).unwrap();
        prop_assert_eq!(decoded.tpdu_len, pdu.tpdu_len());
        prop_assert_eq!(decoded.smsc.and_then(|a| a.reveal_digits().map(str::to_owned)),
            smsc.and_then(|a| a.reveal_digits().map(str::to_owned)));
        prop_assert_eq!(decoded.tpdu, Tpdu::Submit(submit));
    }

    #[test]
    fn any_deliver_comes_back(
        flags: [bool; 4], pid: u8, originator in any_address(), scts: [u8; 7], (dcs, user_data) in any_user_data(),
    ) {
        let [more_messages, loop_prevention, status_report_indication, reply_path] = flags;
        let deliver = Deliver {
            more_messages, loop_prevention, status_report_indication, reply_path, originator, pid: Pid(pid), dcs,
            scts: Scts(scts), user_data,
        };
        let decoded = decode(&deliver.encode(), SmscField::Absent).unwrap();
        prop_assert_eq!(decoded.tpdu, Tpdu::Deliver(deliver));
    }

    #[test]
    fn parts_join_to_the_text(
        text in prop_oneof!["[a-z€\\[\\] @]{0,400}", "[a-zşığжщ😀€]{0,250}", any::<String>()],
        allowed: bool, reference: u8,
    ) {
        let shifts = if allowed { NationalShift::Allowed } else { NationalShift::Off };
        let segments = segment(&text, shifts).unwrap();
        let mut joined = String::new();
        for index in 0..segments.len() {
            let user_data = segments.part_user_data(index, reference).unwrap();
            prop_assert!(!ends_inside_a_pair(user_data.payload()), "part {}", index);
            let concat = user_data.udh().and_then(Udh::concat);
            let found = concat.map(|c| (c.reference, usize::from(c.total), usize::from(c.part), c.bits));
            let expected = (segments.len() > 1).then_some((reference.into(), segments.len(), index + 1, 8));
            prop_assert_eq!(found, expected);
            let submit = Submit::new(Address::international(&number()), user_data);
            let decoded = decode(&submit.encode(), SmscField::Absent).unwrap().tpdu;
            let Tpdu::Submit(decoded) = decoded else { panic!("not a submit") };
            joined.push_str(decoded.user_data.text().unwrap().reveal());
        }
        prop_assert_eq!(joined, text);
    }

    #[test]
    fn the_relative_period_is_the_smallest(seconds in 0u64..63 * 7 * 86_400) {
        let life = Duration::from_secs(seconds);
        let TpVp::Relative(value) = TpVp::relative(life) else { panic!("not relative") };
        prop_assert!(TpVp::Relative(value).duration().unwrap() >= life);
        prop_assert!(value == 0 || TpVp::Relative(value - 1).duration().unwrap() < life);
    }
}

fn read_every_way(octets: &[u8]) {
    for smsc in [SmscField::Present, SmscField::Absent, SmscField::Auto] {
        match decode(octets, smsc) {
            Ok(decoded) => drop(format!("{decoded:?}")),
            Err(error) => assert!(error.offset <= octets.len(), "{error}"),
        }
    }
}

fn ends_inside_a_pair(payload: &Payload) -> bool {
    match payload {
        Payload::Gsm7(septets) => septets.last() == Some(&ESCAPE),
        Payload::Ucs2(octets) => octets.len() >= 2 && (0xD8..0xDC).contains(&octets[octets.len() - 2]),
        Payload::Octets(_) => true,
    }
}

fn any_address() -> impl Strategy<Value = Address> {
    let number = (any::<u8>(), "[0-9*#abc]{0,20}")
        .prop_filter_map("a name's type", |(toa, digits)| Address::number(TypeOfAddress(toa), &digits));
    let name = "[A-Za-z0-9 ]{1,11}".prop_map(|name| Address::alphanumeric(&name).unwrap());
    prop_oneof![number, name]
}

fn any_validity() -> impl Strategy<Value = TpVp> {
    prop_oneof![
        Just(TpVp::None),
        any::<u8>().prop_map(TpVp::Relative),
        any::<[u8; 7]>().prop_map(|octets| TpVp::Absolute(Scts(octets))),
        any::<[u8; 7]>().prop_map(TpVp::Enhanced),
    ]
}

/// A coding scheme and user data that agree with it and fit.
fn any_user_data() -> impl Strategy<Value = (Dcs, UserData)> {
    let element = (any::<u8>(), prop::collection::vec(any::<u8>(), 0..8));
    let header = prop::option::of(prop::collection::vec(element, 0..4));
    (any::<u8>(), header, prop::collection::vec(any::<u8>(), 0..165)).prop_filter_map(
        "more than 140 octets",
        |(dcs, elements, content)| {
            let dcs = Dcs(dcs);
            let payload = match dcs.alphabet() {
                _ if dcs.is_compressed() => Payload::Octets(content),
                Alphabet::Gsm7 => Payload::Gsm7(content.into_iter().map(|octet| octet & 0x7F).collect()),
                Alphabet::Ucs2 => Payload::Ucs2(content),
                Alphabet::EightBit => Payload::Octets(content),
            };
            let elements = elements
                .map(|elements| elements.into_iter().map(|(iei, data)| InformationElement { iei, data }).collect());
            UserData::new(elements.map(|elements| Udh { elements }), payload).map(|user_data| (dcs, user_data))
        },
    )
}

fn number() -> Msisdn {
    Msisdn::parse("+14155550100").unwrap()
}

/// A text in the default alphabet if it fits, else in UCS-2, without a header.
fn text(text: &str) -> UserData {
    let ucs2 = || Payload::Ucs2(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    UserData::new(None, Tables::DEFAULT.encode(text).map_or_else(ucs2, Payload::Gsm7)).unwrap()
}

fn with_header(elements: &[(u8, &[u8])], payload: Payload) -> UserData {
    let elements = elements.iter().map(|(iei, data)| element(*iei, data)).collect();
    UserData::new(Some(Udh { elements }), payload).unwrap()
}

fn element(iei: u8, data: &[u8]) -> InformationElement {
    InformationElement { iei, data: data.to_vec() }
}
