//! Numbering plans: what a number written as people write it at home is to the rest of the world, where a number belongs,
//! and of what kind it is.
//!
//! The plans are those of libphonenumber, which come with the library and go with the time: a number that is not in them is
//! not called wrong, it is only not known. Pure.

use crate::domain::country::Country;
use crate::domain::equipment::SimCard;
use crate::domain::msisdn::Msisdn;
use crate::domain::number_kind::NumberKind;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, PhoneNumberType};
use std::fmt;

/// Where a numbering plan holds: a country of ISO 3166-1, mostly.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Region(rlibphonenumber::Region);

impl Region {
    /// The region with these two letters. `None` if no plan is known for it.
    pub fn of_country(letters: &str) -> Option<Self> {
        let region = letters.to_ascii_uppercase().parse().ok().map(Self)?;
        PHONE_NUMBER_UTIL.get_country_code_for_region(region.0).map(|_| region)
    }

    /// Where a SIM card is at home, if its ICCID tells: it begins with 89 and the calling code (ITU-T E.118 §4.1). Of
    /// several countries with one code it is the main one, whose numbers are written as those of the others.
    pub fn of_sim_card(sim_card: &SimCard) -> Option<Self> {
        let issuer = sim_card.as_str().strip_prefix("89")?;
        // Some write 01 for 1.
        let code = if issuer.starts_with("01") { &issuer[1..] } else { issuer };
        let region = |digits| {
            let code = code.get(..digits)?.parse().ok()?;
            PHONE_NUMBER_UTIL.get_region_for_country_code(code)
        };
        // No calling code begins as another one does. Codes of no country belong to none.
        (1..=3).find_map(region).map(Self).filter(|region| region.letters() != "001")
    }

    /// Its two letters.
    pub fn letters(&self) -> String {
        self.0.to_string()
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.letters())
    }
}

/// The number that is written so in this region, in national or in international form. `None` if the plan has no such
/// number.
pub fn parse(text: &str, region: Region) -> Option<Msisdn> {
    let number = PHONE_NUMBER_UTIL.parse(text, Some(region.0)).ok()?;
    if number.extension.is_some() || !number.is_valid() {
        return None;
    }
    Msisdn::parse(&number.format_as(PhoneNumberFormat::E164)).ok()
}

/// The one number that digits of unknown form can be in this region: national, or international without its `+`. `None` if
/// they can be none, or two.
pub fn parse_only(digits: &str, region: Region) -> Option<Msisdn> {
    let international = parse(&format!("+{digits}"), region);
    match (parse(digits, region), international) {
        (Some(national), Some(other)) if national != other => None,
        (national, international) => national.or(international),
    }
}

/// Where a number belongs. `None` if no plan has it.
pub fn region(number: &Msisdn) -> Option<Region> {
    of(number)?.get_region_code().map(Region)
}

/// The country that a number belongs to, and what it is for.
pub fn place(number: &Msisdn) -> (Option<Country>, NumberKind) {
    let country = region(number).and_then(|region| Country::parse(&region.letters()).ok());
    (country, kind(number))
}

/// Of what kind a number is.
pub fn kind(number: &Msisdn) -> NumberKind {
    match of(number).map_or(PhoneNumberType::Unknown, |number| number.get_type()) {
        PhoneNumberType::FixedLine => NumberKind::FixedLine,
        PhoneNumberType::Mobile => NumberKind::Mobile,
        PhoneNumberType::FixedLineOrMobile => NumberKind::FixedLineOrMobile,
        PhoneNumberType::TollFree => NumberKind::TollFree,
        PhoneNumberType::PremiumRate => NumberKind::PremiumRate,
        PhoneNumberType::SharedCost => NumberKind::SharedCost,
        PhoneNumberType::VoIP => NumberKind::Voip,
        PhoneNumberType::PersonalNumber => NumberKind::Personal,
        PhoneNumberType::Pager => NumberKind::Pager,
        PhoneNumberType::UAN => NumberKind::Universal,
        PhoneNumberType::VoiceMail => NumberKind::VoiceMail,
        PhoneNumberType::Unknown => NumberKind::Unknown,
    }
}

fn of(number: &Msisdn) -> Option<PhoneNumber> {
    PHONE_NUMBER_UTIL.parse(number.reveal_e164(), None).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region_of(letters: &str) -> Region {
        Region::of_country(letters).unwrap()
    }

    fn e164(number: Option<Msisdn>) -> Option<String> {
        number.map(|number| number.reveal_e164())
    }

    #[test]
    fn national_numbers_are_read_by_the_plan_of_their_region() {
        let rows = [
            ("DE", "017012345678", Some("+4917012345678")),
            ("DE", "17012345678", Some("+4917012345678")),
            ("DE", "0049 170 12345678", Some("+4917012345678")),
            ("de", "+447400123456", Some("+447400123456")),
            ("GB", "07400123456", Some("+447400123456")),
            ("US", "(415) 555-0123", Some("+14155550123")),
            ("US", "14155550123", Some("+14155550123")),
            ("ES", "612345678", Some("+34612345678")),
            ("IT", "3471234567", Some("+393471234567")),
            ("RU", "89161234567", Some("+79161234567")),
            ("DE", "77000", None),
            ("US", "12345", None),
            ("GB", "07400123456x5", None),
            ("GB", "*100#", None),
            ("GB", "", None),
        ];
        for (region, text, number) in rows {
            assert_eq!(e164(parse(text, region_of(region))).as_deref(), number, "{region} {text}");
        }
    }

    #[test]
    fn digits_of_unknown_form_are_read_only_where_they_can_be_one_number() {
        let rows = [
            ("DE", "017012345678", Some("+4917012345678")),
            // A telephone in one place, or a mobile telephone without its plus.
            ("DE", "4917012345678", None),
            ("DE", "447400123456", None),
            ("US", "447400123456", Some("+447400123456")),
            ("US", "4155550123", Some("+14155550123")),
            ("US", "12345", None),
        ];
        for (region, digits, number) in rows {
            assert_eq!(e164(parse_only(digits, region_of(region))).as_deref(), number, "{region} {digits}");
        }
    }

    #[test]
    fn a_sim_card_is_at_home_where_its_number_says() {
        let rows = [
            ("8949012345678901234", Some("DE")),
            ("8944012345678901234", Some("GB")),
            ("8914800000000000001", Some("US")),
            ("8901260000000000001", Some("US")),
            ("89351012345678901234", Some("PT")),
            ("8988312345678901234", None),
            ("8999901000000000018", None),
            ("310150123456789", None),
            ("89", None),
        ];
        for (iccid, region) in rows {
            let found = Region::of_sim_card(&SimCard::new(iccid)).map(|region| region.letters());
            assert_eq!(found.as_deref(), region, "{iccid}");
        }
    }

    #[test]
    fn a_number_has_a_region_and_a_kind() {
        let rows = [
            ("+4917012345678", Some("DE"), NumberKind::Mobile),
            ("+14155550123", Some("US"), NumberKind::FixedLineOrMobile),
            ("+16135550123", Some("CA"), NumberKind::FixedLineOrMobile),
            ("+447400123456", Some("GB"), NumberKind::Mobile),
            ("+18005550123", Some("US"), NumberKind::TollFree),
            ("+491", None, NumberKind::Unknown),
            ("+9991234567", None, NumberKind::Unknown),
        ];
        for (number, letters, is) in rows {
            let Ok(number) = Msisdn::parse(number) else { continue };
            assert_eq!(region(&number).map(|region| region.letters()).as_deref(), letters, "{number}");
            assert_eq!(kind(&number), is, "{number}");
        }
        assert_eq!(Region::of_country("QQ"), None);
        assert_eq!(format!("{:?}", region_of("fr")), "FR");
    }
}
