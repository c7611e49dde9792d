use super::{Stop, console};
use crate::sms::pdu::{self, Address, Alphabet, Dcs, Decoded, Payload, SmscField, TpVp, Tpdu, UserData};
use serde_json::{Map, Value, json};
use std::io::Read;

/// Show what a PDU says: SMS-SUBMIT, SMS-DELIVER or SMS-STATUS-REPORT, with or without the SMSC field
///
/// Works alone, without a gateway. What it prints holds the message's text and numbers.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// The PDU in hexadecimal; blanks are dropped; - reads it from standard input
    #[arg(required = true, num_args = 1..)]
    pdu: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Stop> {
    let mut hex = args.pdu.concat();
    if hex == "-" {
        hex.clear();
        let read = std::io::stdin().take(LARGEST).read_to_string(&mut hex);
        read.map_err(|e| Stop::Failed(format!("can't read the PDU from standard input: {e}")))?;
    }
    hex.retain(|c| !c.is_whitespace());
    if hex.is_empty() {
        return Err(Stop::Usage("there is no PDU; give it in hexadecimal".to_owned()));
    }
    let decoded = pdu::decode_hex(&hex, SmscField::Auto).map_err(|error| Stop::Failed(error.to_string()))?;
    let fields = fields(&decoded);
    if args.json {
        let object: Map<String, Value> = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        return console::json(&Value::Object(object));
    }
    for (name, value) in fields {
        let value = json!({ "it": value });
        let cell = console::cell(&value, "it");
        if cell != "-" {
            console::line(format!("{name:<24}{cell}"))?;
        }
    }
    Ok(())
}

type Fields = Vec<(&'static str, Value)>;

/// Every field under its name in TS 23.040, in the order of the octets.
fn fields(decoded: &Decoded) -> Fields {
    let mut fields: Fields = Vec::new();
    let name = match &decoded.tpdu {
        Tpdu::Submit(_) => "SMS-SUBMIT",
        Tpdu::Deliver(_) => "SMS-DELIVER",
        Tpdu::StatusReport(_) => "SMS-STATUS-REPORT",
    };
    fields.push(("type", json!(name)));
    fields.push(("tpdu_octets", json!(decoded.tpdu_len)));
    fields.push(("smsc", json!(decoded.smsc.as_ref().map(Address::reveal))));
    match &decoded.tpdu {
        Tpdu::Submit(submit) => {
            fields.push(("tp_mr", json!(submit.message_reference.0)));
            address("tp_da", "tp_da_type", &submit.destination, &mut fields);
            fields.push(("tp_rd", json!(submit.reject_duplicates)));
            fields.push(("tp_srr", json!(submit.status_report_request)));
            fields.push(("tp_rp", json!(submit.reply_path)));
            fields.push(("tp_pid", json!(submit.pid.0)));
            coding(submit.dcs, &mut fields);
            fields.push(("tp_vp", validity(submit.validity)));
            user_data(&submit.user_data, &mut fields);
        }
        Tpdu::Deliver(deliver) => {
            address("tp_oa", "tp_oa_type", &deliver.originator, &mut fields);
            fields.push(("tp_scts", json!(deliver.scts.to_string())));
            fields.push(("tp_mms", json!(deliver.more_messages)));
            fields.push(("tp_lp", json!(deliver.loop_prevention)));
            fields.push(("tp_sri", json!(deliver.status_report_indication)));
            fields.push(("tp_rp", json!(deliver.reply_path)));
            fields.push(("tp_pid", json!(deliver.pid.0)));
            coding(deliver.dcs, &mut fields);
            user_data(&deliver.user_data, &mut fields);
        }
        Tpdu::StatusReport(report) => {
            fields.push(("tp_mr", json!(report.message_reference.0)));
            address("tp_ra", "tp_ra_type", &report.recipient, &mut fields);
            fields.push(("tp_scts", json!(report.scts.to_string())));
            fields.push(("tp_dt", json!(report.discharge_time.to_string())));
            fields.push(("tp_st", json!(format!("0x{:02X}", report.status.0))));
            fields.push(("tp_st_meaning", json!(report.status.name())));
            fields.push(("tp_mms", json!(report.more_messages)));
            fields.push(("tp_srq", json!(report.answers_command)));
            fields.push(("tp_pi", json!(report.parameter_indicator)));
            fields.push(("tp_pid", json!(report.pid.map(|pid| pid.0))));
            report.dcs.into_iter().for_each(|dcs| coding(dcs, &mut fields));
            report.user_data.iter().for_each(|data| user_data(data, &mut fields));
        }
    }
    fields
}

fn address(name: &'static str, type_name: &'static str, address: &Address, fields: &mut Fields) {
    fields.push((name, json!(address.reveal())));
    fields.push((type_name, json!(format!("0x{:02X}", address.type_of_address().0))));
}

fn coding(dcs: Dcs, fields: &mut Fields) {
    let alphabet = match dcs.alphabet() {
        Alphabet::Gsm7 => "GSM 7-bit",
        Alphabet::EightBit => "8-bit data",
        Alphabet::Ucs2 => "UCS-2",
    };
    fields.push(("tp_dcs", json!(format!("0x{:02X}", dcs.0))));
    fields.push(("alphabet", json!(alphabet)));
    fields.push(("class", json!(dcs.class())));
}

fn validity(period: TpVp) -> Value {
    match (period, period.duration()) {
        (TpVp::None, _) => Value::Null,
        (TpVp::Absolute(until), _) => json!(format!("until {until}")),
        (_, Some(duration)) => json!(format!("{} s", duration.as_secs())),
        (TpVp::Relative(octet), None) => json!(format!("0x{octet:02X}")),
        (TpVp::Enhanced(octets), None) => json!(hex(&octets)),
    }
}

fn user_data(data: &UserData, fields: &mut Fields) {
    fields.push(("tp_udl", json!(data.udl())));
    if let Some(udh) = data.udh() {
        let elements: Vec<String> =
            udh.elements.iter().map(|element| format!("{:02X}:{}", element.iei, hex(&element.data))).collect();
        fields.push(("tp_udh", json!(elements)));
        if let Some(concat) = udh.concat() {
            fields.push(("part", json!(format!("{} of {}", concat.part, concat.total))));
            fields.push(("concat_reference", json!(concat.reference)));
        }
        if let Some(ports) = udh.ports() {
            fields.push(("ports", json!(format!("to {}, from {}", ports.destination, ports.source))));
        }
    }
    match (data.text(), data.payload()) {
        (Some(text), _) => fields.push(("text", json!(text.reveal()))),
        (None, Payload::Gsm7(octets) | Payload::Ucs2(octets) | Payload::Octets(octets)) => {
            fields.push(("data", json!(hex(octets))));
        }
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

/// The longest PDU has 176 octets; beyond this it is something else.
const LARGEST: u64 = 64 << 10;

const EXAMPLES: &str = "\
Examples:
  otpgate decode 0001000B914151550501F0000005C8329BFD06
  otpgate decode --json 00 01 00 0B 91 41 51 55 05 01 F0 00 00 05 C8 32 9B FD 06
  cat pdu.txt | otpgate decode -";
