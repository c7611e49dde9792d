//! The codec against tables and PDUs that others published, read in place: `OTPGATE_REFERENCE` names the folder.

#[path = "common/csv.rs"]
mod csv;

use otpgate::at::response;
use otpgate::sms::gsm7::{ESCAPE, Tables};
use otpgate::sms::pdu::{
    Address, Alphabet, Concat, Dcs, Decoded, Payload, ReportVerdict, Scts, SmscField, StatusReport, TpSt, TpVp, Tpdu,
    UserData, decode_hex,
};
use otpgate::sms::ussd;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_table_of_the_gsm_alphabet() {
    let Some(folder) = reference() else { return };
    let mut tables = 0;
    for entry in fs::read_dir(folder.join("gsm7")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let Some((kind, rest)) = name.split_once('-').filter(|(kind, _)| matches!(*kind, "locking" | "single")) else {
            continue;
        };
        let language: u8 = rest[..2].parse().unwrap();
        let rows = csv::rows(&fs::read_to_string(&path).unwrap());
        match kind {
            "locking" => check_locking(&name, language, &rows),
            _ => check_single(&name, language, &rows),
        }
        tables += 1;
    }
    assert_eq!(tables, 27, "thirteen locking and fourteen single shift tables");
}

fn check_locking(name: &str, language: u8, rows: &[Vec<String>]) {
    let tables = Tables::new(language, 0);
    assert_eq!((rows.len(), tables.locking()), (128, language), "{name}");
    for row in rows {
        let (code, shown) = (u8::from_str_radix(&row[0], 16).unwrap(), character(&row[1]));
        let text = tables.decode(&[code]);
        match row[2].as_str() {
            "char" | "control" => {
                assert_eq!(text, shown, "{name} 0x{code:02X}");
                let septets = tables.encode(&text).unwrap();
                assert_eq!((septets.len(), tables.decode(&septets)), (1, text), "{name} 0x{code:02X}");
            }
            "reserved" | "escape" => assert_eq!(text, " ", "{name} 0x{code:02X}"),
            kind => panic!("{name}: unknown kind {kind}"),
        }
    }
}

fn check_single(name: &str, language: u8, rows: &[Vec<String>]) {
    let tables = Tables::new(0, language);
    assert_eq!(tables.single(), language, "{name}");
    for code in 0..128u8 {
        let row = rows.iter().find(|row| u8::from_str_radix(&row[0], 16) == Ok(code));
        let text = tables.decode(&[ESCAPE, code]);
        match row.map(|row| row[2].as_str()) {
            Some("char" | "control") => {
                assert_eq!(text, character(&row.unwrap()[1]), "{name} 0x{code:02X}");
                assert_eq!(tables.decode(&tables.encode(&text).unwrap()), text, "{name} 0x{code:02X}");
            }
            Some("reserved-ss2") => assert_eq!(text, " ", "{name} 0x{code:02X}"),
            Some("control-cr2") | None => assert_eq!(text, Tables::DEFAULT.decode(&[code]), "{name} 0x{code:02X}"),
            Some(kind) => panic!("{name}: unknown kind {kind}"),
        }
    }
}

#[test]
fn every_value_of_tp_status() {
    let Some(folder) = reference() else { return };
    let rows = csv::rows(&fs::read_to_string(folder.join("tp-status.csv")).unwrap());
    assert_eq!(rows.len(), 256);
    for row in rows {
        let status = TpSt(row[0].parse().unwrap());
        let expected = match (row[3].as_str(), row[4].as_str()) {
            ("success", "delivered") => ReportVerdict::Delivered,
            ("success", "sent-unconfirmed") => ReportVerdict::Unconfirmed,
            ("permanent", "replaced") => ReportVerdict::Replaced,
            ("temporary", "pending") => ReportVerdict::StillTrying,
            ("permanent", "failed" | "expired") => ReportVerdict::PermanentFailure,
            ("temporary", "failed") => ReportVerdict::GaveUp,
            other => panic!("{status:?}: unknown class and outcome {other:?}"),
        };
        assert_eq!(status.verdict(), expected, "{status:?}");
        assert_eq!(status.verdict().is_final(), row[5] == "yes", "{status:?}");
        assert_eq!(status.is_reserved(), row[2].starts_with("Reserved"), "{status:?}");
    }
}

#[test]
fn every_pdu() {
    let Some(folder) = reference() else { return };
    let rows = pdus(&folder);
    assert!(rows.len() >= 353, "only {} rows", rows.len());
    let failures: Vec<String> = rows.iter().flat_map(check_pdu).collect();
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}

/// What is wrong with our reading of a row: every field of it, the reading with the SMSC field guessed, and the TPDU
/// encoded again.
fn check_pdu(row: &Value) -> Vec<String> {
    let (id, hex) = (row["id"].as_str().unwrap(), row["pdu"].as_str().unwrap());
    let smsc = if row["has_smsc"] == json!(true) { SmscField::Present } else { SmscField::Absent };
    let decoded = match decode_hex(hex, smsc) {
        Ok(decoded) => decoded,
        Err(error) => return vec![format!("{id}: {error}")],
    };
    let (expected, shown) = (row["fields"].as_object().unwrap(), fields(&decoded, row));
    let differs = |key: &&String| expected.get(*key) != shown.get(*key);
    let mut failures: Vec<String> = expected
        .keys()
        .chain(shown.keys())
        .filter(differs)
        .map(|key| format!("{id}: {key}: expected {:?}, decoded {:?}", expected.get(key), shown.get(key)))
        .collect();
    if json!(decoded.tpdu_len) != row["tpdu_len"] {
        failures.push(format!("{id}: tpdu_len {}", decoded.tpdu_len));
    }
    if decode_hex(hex, SmscField::Auto).as_ref() != Ok(&decoded) {
        failures.push(format!("{id}: read another way when the SMSC field is to be guessed"));
    }
    let tpdu = tpdu(&decoded, row);
    let same = encode(&decoded.tpdu).is_none_or(|encoded| encoded == tpdu);
    if same == PADDED_WITH_ONES.contains(&id) {
        failures.push(format!("{id}: encodes to {:?}, not {tpdu}", encode(&decoded.tpdu)));
    }
    failures
}

/// Rows whose senders set bits that the specification has 0 (TS 23.038 §6.1.2.1.1, TS 23.040 §9.2.3.24): the fill bit
/// behind the header in the first two, the padding behind the last septet in the others. They decode like any other;
/// encoded again, those bits are 0.
const PADDED_WITH_ONES: [&str; 4] = ["H0230", "H0299", "H0355", "H0369"];

/// The decoded PDU in the form of the reference's `fields`.
fn fields(decoded: &Decoded, row: &Value) -> Map<String, Value> {
    let mut map = Map::new();
    if row["has_smsc"] == json!(true) {
        map.insert("smsc".into(), decoded.smsc.as_ref().map_or(Value::Null, address));
    }
    map.insert("first_octet".into(), json!(u8::from_str_radix(&tpdu(decoded, row)[..2], 16).unwrap()));
    let mut put = |key: &str, value: Value| map.insert(key.into(), value);
    match &decoded.tpdu {
        Tpdu::Submit(submit) => {
            put("reject_dup", json!(submit.reject_duplicates));
            put("srr", json!(submit.status_report_request));
            put("udhi", json!(submit.user_data.udh().is_some()));
            put("reply_path", json!(submit.reply_path));
            put("mr", json!(submit.message_reference.0));
            put("da", address(&submit.destination));
            put("pid", json!(submit.pid.0));
            let (format, value) = match submit.validity {
                TpVp::None => ("none", None),
                TpVp::Relative(value) => ("relative", Some(json!(value))),
                TpVp::Absolute(time) => ("absolute", Some(scts(time))),
                TpVp::Enhanced(octets) => ("enhanced", Some(json!(octets))),
            };
            put("vpf", json!(format));
            if let Some(value) = value {
                put(&format!("vp_{format}"), value);
            }
            put_dcs(&mut map, submit.dcs);
            put_user_data(&mut map, &submit.user_data);
        }
        Tpdu::Deliver(deliver) => {
            put("more_messages", json!(deliver.more_messages));
            put("sri", json!(deliver.status_report_indication));
            put("udhi", json!(deliver.user_data.udh().is_some()));
            put("reply_path", json!(deliver.reply_path));
            put("oa", address(&deliver.originator));
            put("pid", json!(deliver.pid.0));
            put("scts", scts(deliver.scts));
            put_dcs(&mut map, deliver.dcs);
            put_user_data(&mut map, &deliver.user_data);
        }
        Tpdu::StatusReport(report) => put_status_report(&mut map, report),
    }
    map
}

fn put_status_report(map: &mut Map<String, Value>, report: &StatusReport) {
    let mut put = |key: &str, value: Value| map.insert(key.into(), value);
    put("more_messages", json!(report.more_messages));
    put("srq", json!(report.answers_command));
    put("udhi", json!(report.user_data.as_ref().is_some_and(|user_data| user_data.udh().is_some())));
    put("mr", json!(report.message_reference.0));
    put("ra", address(&report.recipient));
    put("scts", scts(report.scts));
    put("dt", scts(report.discharge_time));
    put("status", json!(report.status.0));
    if let Some(pi) = report.parameter_indicator {
        put("pi", json!(pi));
    }
    if let Some(pid) = report.pid {
        put("pid", json!(pid.0));
    }
    if let Some(dcs) = report.dcs {
        put_dcs(map, dcs);
    }
    if let Some(user_data) = &report.user_data {
        put_user_data(map, user_data);
    }
}

fn put_dcs(map: &mut Map<String, Value>, dcs: Dcs) {
    let alphabet = match dcs.alphabet() {
        Alphabet::Gsm7 => "gsm7",
        Alphabet::EightBit => "8bit",
        Alphabet::Ucs2 => "ucs2",
    };
    map.insert("dcs".into(), json!(dcs.0));
    map.insert("alphabet".into(), json!(alphabet));
    map.insert("class".into(), json!(dcs.class()));
    map.insert("compressed".into(), json!(dcs.is_compressed()));
}

fn put_user_data(map: &mut Map<String, Value>, user_data: &UserData) {
    let mut put = |key: &str, value: Value| map.insert(key.into(), value);
    put("udl", json!(user_data.udl()));
    match (user_data.text(), user_data.payload()) {
        (Some(text), _) => put("text", json!(text.reveal())),
        (None, Payload::Octets(octets)) => put("data_hex", json!(to_hex(octets))),
        (None, payload) => panic!("no text in {payload:?}"),
    };
    let Some(udh) = user_data.udh() else { return };
    put(
        "udh",
        udh.elements.iter().map(|element| json!({ "iei": element.iei, "hex": to_hex(&element.data) })).collect(),
    );
    if let Some(Concat { reference, total, part, bits }) = udh.concat() {
        put("concat", json!({ "ref": reference, "total": total, "seq": part, "ref_bits": bits }));
    }
    for (key, language) in [("locking_table", udh.tables().locking()), ("single_table", udh.tables().single())] {
        if language != 0 {
            put(key, json!(language));
        }
    }
}

fn address(address: &Address) -> Value {
    let (ton, npi) = (address.type_of_address().0 >> 4 & 7, address.type_of_address().npi());
    match address.reveal_digits() {
        Some(digits) => json!({ "ton": ton, "npi": npi, "digits": digits }),
        None => json!({ "ton": ton, "npi": npi, "alpha": address.reveal() }),
    }
}

fn scts(time: Scts) -> Value {
    json!({
        "year2": time.year2(), "month": time.month(), "day": time.day(),
        "hour": time.hour(), "minute": time.minute(), "second": time.second(), "tz_quarters": time.tz_quarters(),
    })
}

fn encode(tpdu: &Tpdu) -> Option<String> {
    match tpdu {
        Tpdu::Submit(submit) => Some(to_hex(&submit.encode())),
        Tpdu::Deliver(deliver) => Some(to_hex(&deliver.encode())),
        Tpdu::StatusReport(_) => None,
    }
}

fn tpdu<'a>(decoded: &Decoded, row: &'a Value) -> &'a str {
    let hex = row["pdu"].as_str().unwrap();
    &hex[hex.len() - 2 * decoded.tpdu_len..]
}

fn to_hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

/// `U+20AC` as a text of one character; a place without a character as a space.
fn character(code_point: &str) -> String {
    let point = code_point.strip_prefix("U+").and_then(|hex| u32::from_str_radix(hex, 16).ok());
    point.and_then(char::from_u32).unwrap_or(' ').to_string()
}

fn pdus(folder: &Path) -> Vec<Value> {
    let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
    let files = read("pdu-vectors.jsonl") + &read("pdu-corpus.jsonl");
    files.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn l13_answers_to_service_codes_of_real_devices() {
    let Some(folder) = reference() else { return };
    let rows = [
        ("e160-ussd-packed-hex-unquoted", "Ihr Guthaben", "7.95 Euro"),
        ("m35-ussd-ucs2-with-dcs-15", "7777Ft", "*111#"),
        ("he910-ussd-garbage-tail", "107.93", "2018-11-09"),
    ];
    for (name, within, end) in rows {
        let text = fs::read_to_string(folder.join("transcripts").join(format!("{name}.txt"))).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("< ")).unwrap();
        let answer = response::service_answer(line).unwrap();
        let told = ussd::decode(&answer.text.unwrap(), answer.dcs);
        assert!(told.contains(within) && told.ends_with(end), "{name}: {told}");
    }
}

#[allow(clippy::print_stderr, reason = "a skipped test must say so")]
fn reference() -> Option<PathBuf> {
    let folder = std::env::var_os("OTPGATE_REFERENCE").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: OTPGATE_REFERENCE names no folder with the published tables and PDUs");
    }
    folder
}
