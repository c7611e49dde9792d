//! Languages: which one a text is written in.

use super::texts::LANGUAGES;
use crate::domain::country::Country;

/// A language that otpgate has texts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Language {
    /// Its BCP 47 tag.
    pub tag: &'static str,
    /// Its name in English.
    pub name: &'static str,
    /// So many minutes, with `#` for the number.
    pub minutes: &'static str,
    /// So many seconds, with `#` for the number.
    pub seconds: &'static str,
    /// The text for a brand.
    pub branded: &'static str,
    /// The text without one.
    pub plain: &'static str,
    /// The text for a brand where there is little room.
    pub short: &'static str,
    /// The text for a payment.
    pub payment: &'static str,
}

impl Language {
    /// English, which everything falls back to.
    pub fn english() -> &'static Self {
        &LANGUAGES[0]
    }

    /// The language of exactly this tag, in either case.
    pub(super) fn of(tag: &str) -> Option<&'static Self> {
        LANGUAGES.iter().find(|language| language.tag.eq_ignore_ascii_case(tag))
    }

    /// The first language of a tag's chain.
    pub(super) fn find(tag: &str) -> Option<&'static Self> {
        chain(tag).iter().find_map(|tag| Self::of(tag))
    }

    /// A time to live in words, never longer than it is.
    pub(super) fn life(&self, seconds: u64) -> String {
        if seconds < 120 && seconds != 60 {
            self.seconds.replace('#', &seconds.to_string())
        } else {
            counted(self.minutes, seconds / 60)
        }
    }
}

/// `one|other` by the number, or the one form that there is.
fn counted(form: &str, number: u64) -> String {
    let form = form.split_once('|').map_or(form, |(one, other)| if number == 1 { one } else { other });
    form.replace('#', &number.to_string())
}

/// Whether a text is a language tag: subtags of 1 to 8 letters and digits, the first of 2 to 8 letters.
pub fn is_tag(text: &str) -> bool {
    let mut subtags = text.split('-');
    let first = subtags.next().unwrap_or_default();
    let plain = |subtag: &str| (1..=8).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric());
    text.len() <= MAX_TAG
        && (2..=8).contains(&first.len())
        && first.bytes().all(|b| b.is_ascii_alphabetic())
        && subtags.all(plain)
}

/// What a tag may be answered with, the nearest first: it, what it is short for or was called before, and the same for the
/// tag without its last part (RFC 4647 §3.4).
pub fn chain(tag: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = tag.to_ascii_lowercase();
    loop {
        if let Some((_, other)) = ALIASES.iter().find(|(alias, _)| *alias == rest) {
            tags.push((*other).to_owned());
        }
        tags.push(rest.clone());
        let Some((shorter, _)) = rest.rsplit_once('-') else { return tags };
        // A letter alone opens an extension, and goes with it.
        let shorter = shorter.rsplit_once('-').filter(|(_, last)| last.len() == 1).map_or(shorter, |(first, _)| first);
        rest = shorter.to_owned();
    }
}

/// The language that most people of a country read. Where several are equal, English: a guess would offend the others.
pub fn of_country(country: Country) -> &'static str {
    let of = |(_, countries): &&(&str, &str)| countries.split(' ').any(|code| code == country.as_str());
    COUNTRIES.iter().find(of).map_or("en", |(tag, _)| tag)
}

const MAX_TAG: usize = 35;

/// Older tags, and what is meant by a tag that leaves it open.
const ALIASES: &[(&str, &str)] = &[
    ("zh", "zh-hans"),
    ("zh-tw", "zh-hant"),
    ("zh-hk", "zh-hant"),
    ("zh-mo", "zh-hant"),
    ("no", "nb"),
    ("nn", "nb"),
    ("iw", "he"),
    ("in", "id"),
    ("tl", "fil"),
    ("mo", "ro"),
    ("sh", "sr"),
];

const COUNTRIES: &[(&str, &str)] = &[
    ("ar", "AE BH DZ EG IQ JO KW LB LY MA MR OM PS QA SA SD SY TN YE"),
    ("az", "AZ"),
    ("bg", "BG"),
    ("bn", "BD"),
    ("bs", "BA"),
    ("ca", "AD"),
    ("cs", "CZ"),
    ("da", "DK"),
    ("de", "AT CH DE LI"),
    ("el", "CY GR"),
    ("es", "AR BO CL CO CR CU DO EC ES GQ GT HN MX NI PA PE PR PY SV UY VE"),
    ("et", "EE"),
    ("fa", "AF IR"),
    ("fi", "AX FI"),
    ("fr", "BF BI BJ BL CD CF CG CI DJ FR GA GF GN GP LU MC MF MG ML MQ NC NE PF PM RE SN TD TG WF YT"),
    ("he", "IL"),
    ("hr", "HR"),
    ("hu", "HU"),
    ("id", "ID"),
    ("is", "IS"),
    ("it", "IT SM VA"),
    ("ja", "JP"),
    ("ka", "GE"),
    ("kk", "KZ"),
    ("ko", "KR KP"),
    ("lt", "LT"),
    ("lv", "LV"),
    ("mk", "MK"),
    ("ms", "BN MY"),
    ("nb", "NO SJ"),
    ("nl", "AW BQ CW NL SR SX"),
    ("pl", "PL"),
    ("pt", "AO CV GW MZ PT ST TL"),
    ("pt-BR", "BR"),
    ("ro", "MD RO"),
    ("ru", "BY KG RU"),
    ("sk", "SK"),
    ("sl", "SI"),
    ("sq", "AL XK"),
    ("sr", "ME RS"),
    ("sv", "SE"),
    ("sw", "TZ"),
    ("th", "TH"),
    ("tr", "TR"),
    ("uk", "UA"),
    ("ur", "PK"),
    ("uz", "UZ"),
    ("vi", "VN"),
    ("zh-Hans", "CN"),
    ("zh-Hant", "HK MO TW"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_language_to_a_tag() {
        let rows = [
            ("de", Some("de")),
            ("de-AT", Some("de")),
            ("DE_at", None),
            ("pt-BR", Some("pt-BR")),
            ("pt-PT", Some("pt")),
            ("zh", Some("zh-Hans")),
            ("zh-CN", Some("zh-Hans")),
            ("zh-TW", Some("zh-Hant")),
            ("zh-Hant-HK", Some("zh-Hant")),
            ("zh-HK-x-private", Some("zh-Hant")),
            ("nn-NO", Some("nb")),
            ("iw", Some("he")),
            ("es-419", Some("es")),
            ("en-GB-oed", Some("en")),
            ("cy", None),
        ];
        for (tag, expected) in rows {
            assert_eq!(Language::find(tag).map(|language| language.tag), expected, "{tag}");
        }
    }

    #[test]
    fn tags() {
        for (text, is) in [
            ("en", true),
            ("zh-Hant-TW", true),
            ("e", false),
            ("en_US", false),
            ("", false),
            ("en-", false),
            ("12", false),
            ("en\n", false),
            ("abcdefgh-abcdefgh-abcdefgh-abcdefgh-a", false),
        ] {
            assert_eq!(is_tag(text), is, "{text:?}");
        }
    }

    #[test]
    fn each_country_has_one_language_and_that_has_texts() {
        let mut seen = std::collections::BTreeSet::new();
        for (tag, countries) in COUNTRIES {
            assert!(Language::of(tag).is_some(), "{tag}");
            for code in countries.split(' ').filter(|code| !code.is_empty() && *code != "XK") {
                assert!(Country::parse(code).is_ok(), "{code}");
                assert!(seen.insert(code), "{code} twice");
            }
        }
        for (code, tag) in [("DE", "de"), ("US", "en"), ("IN", "en"), ("BE", "en"), ("BR", "pt-BR"), ("TW", "zh-Hant")]
        {
            assert_eq!(of_country(Country::parse(code).unwrap()), tag, "{code}");
        }
    }

    #[test]
    fn how_long_in_words() {
        let rows = [
            ("en", 300, "5 min"),
            ("en", 299, "4 min"),
            ("en", 60, "1 min"),
            ("en", 90, "90 s"),
            ("en", 45, "45 s"),
            ("el", 60, "1 λεπτό"),
            ("el", 600, "10 λεπτά"),
            ("ja", 600, "10分"),
            ("sw", 600, "dakika 10"),
        ];
        for (tag, seconds, words) in rows {
            assert_eq!(Language::of(tag).unwrap().life(seconds), words, "{tag} {seconds}");
        }
    }
}
