use super::*;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// A text that a request may get, written with this code; or why it is refused.
fn text(book: &Book, asked: &Asked<'_>, code: &str) -> Result<String, Unfit> {
    book.render(&Asked { code_length: code.len(), ..*asked }).map(|rendered| rendered.pieces.join(code))
}

fn five_minutes() -> Asked<'static> {
    Asked { life: Duration::from_secs(300), code_length: 6, ..Asked::default() }
}

fn template(name: &str, form: Form, texts: &[(&str, &str)]) -> Template {
    let texts = texts.iter().map(|(tag, text)| ((*tag).to_owned(), vec![Pattern::parse(text).unwrap()])).collect();
    Template { name: name.to_owned(), brand: None, form, texts }
}

#[test]
fn texts_in_english() {
    let rows = [
        ("no brand", None, 300, "123456 is your code. Valid for 5 min. Don't share it."),
        ("a brand", Some("Acme"), 600, "123456 is your Acme code. Valid for 10 min. Don't share it."),
        (
            "a brand of the small alphabet",
            Some("Café"),
            300,
            "123456 is your Café code. Valid for 5 min. Don't share it.",
        ),
        (
            "a long one beyond it",
            Some("Кофейня на углу улиц"),
            300,
            "123456 is your Кофейня на углу улиц code (5 min).",
        ),
        ("under a minute", None, 45, "123456 is your code. Valid for 45 s. Don't share it."),
        ("one minute", None, 60, "123456 is your code. Valid for 1 min. Don't share it."),
        ("a minute and a half", None, 90, "123456 is your code. Valid for 90 s. Don't share it."),
        ("never more than it is", None, 299, "123456 is your code. Valid for 4 min. Don't share it."),
    ];
    for (name, brand, seconds, expected) in rows {
        let asked = Asked { brand, life: Duration::from_secs(seconds), ..five_minutes() };
        assert_eq!(text(&Book::default(), &asked, "123456").as_deref(), Ok(expected), "{name}");
    }
}

#[test]
fn the_language_is_the_requests_or_the_numbers_or_english() {
    let country = |code| Country::parse(code).ok();
    let rows = [
        ("nothing known", None, None, "en"),
        ("the number's", None, country("FR"), "fr"),
        ("the request's", Some("de-CH"), country("FR"), "de"),
        ("a language without texts", Some("cy"), country("FR"), "fr"),
        ("neither", Some("cy"), country("KE"), "en"),
        ("the script of the country", None, country("TW"), "zh-Hant"),
    ];
    for (name, locale, country, expected) in rows {
        let rendered = Book::default().render(&Asked { locale, country, ..five_minutes() }).unwrap();
        assert_eq!(rendered.locale, expected, "{name}");
    }
}

#[test]
fn lines_for_browsers_and_apps() {
    let book = Book::default();
    let web = Asked { host: Some("example.com"), brand: Some("Acme"), ..five_minutes() };
    let first = "123456 is your Acme code. Valid for 5 min. Don't share it.";
    assert_eq!(text(&book, &web, "123456").unwrap(), format!("{first}\n@example.com #123456"));
    let embedded = Asked { embedded_host: Some("pay.example.net"), ..web };
    assert_eq!(text(&book, &embedded, "123456").unwrap(), format!("{first}\n@example.com #123456 @pay.example.net"));
    let apple = Book { embedded_mark: EmbeddedMark::Percent, ..Book::default() };
    assert_eq!(text(&apple, &embedded, "123456").unwrap(), format!("{first}\n@example.com #123456 %pay.example.net"));
    let app = Asked { host: None, app: Some("FA+9qCX9VSu"), ..web };
    assert_eq!(text(&book, &app, "123456").unwrap(), format!("<#> {first}\nFA+9qCX9VSu"));
    assert_eq!(text(&book, &Asked { app: Some("FA+9qCX9VSu"), ..web }, "123456"), Err(Unfit::TwoForms));
    assert_eq!(text(&book, &Asked { host: None, ..embedded }, "123456"), Err(Unfit::Missing("host")));
}

#[test]
fn payments_show_what_is_paid_to_whom() {
    let asked = Asked { payment: Some(("49.90 EUR", "Acme Shop")), brand: Some("MyBank"), ..five_minutes() };
    let expected = "123456 is your code to pay 49.90 EUR to Acme Shop. Valid for 5 min. Don't share it. - MyBank";
    assert_eq!(text(&Book::default(), &asked, "123456").as_deref(), Ok(expected));
    for language in LANGUAGES {
        let longest = Asked {
            locale: Some(language.tag),
            payment: Some(("1234567890123456 EUR", "ABCDEFGHIJKLMNOPQRSTUVWXYZ ЯЯЯЯЯ")),
            ..asked
        };
        let text = text(&Book::default(), &longest, "1234567890").unwrap_or_else(|e| panic!("{}: {e}", language.tag));
        assert!(text.contains("1234567890123456 EUR") && text.contains("ABCDEFGHIJKLMNOPQRSTUVWXYZ ЯЯЯЯЯ"), "{text}");
    }
}

#[test]
fn configured_templates() {
    let own = template(
        "own",
        Form::Plain,
        &[("default", "{code} for {purpose} at {brand}, {minutes} minutes"), ("de", "{code} zum {purpose}")],
    );
    let web = template("web", Form::WebOtp, &[("en", "{code} for {brand}")]);
    let consent = Template {
        brand: Brand::parse("House").ok(),
        ..template("consent", Form::Consent, &[("en", "{code} {brand}")])
    };
    let pay = template("pay", Form::Plain, &[("en", "{code} {amount} {payee}")]);
    let words = |tag: &str, words: &str| (tag.to_owned(), words.to_owned());
    let purposes = vec![("log-in".to_owned(), vec![words("de", "Anmelden"), words("default", "sign-in")])];
    let book = Book { templates: vec![own, web, consent, pay], purposes, ..Book::default() };
    assert_eq!(book.faults(), Vec::<String>::new());
    let asked = |template| Asked { template: Some(template), ..five_minutes() };
    let own = Asked { purpose: Some("log-in"), brand: Some("Acme"), ..asked("own") };
    let rows = [
        ("any language", own, Ok("123456 for sign-in at Acme, 5 minutes")),
        ("its own language", Asked { locale: Some("de-AT"), ..own }, Ok("123456 zum Anmelden")),
        (
            "a purpose without words",
            Asked { purpose: Some("new_phone"), ..own },
            Ok("123456 for new phone at Acme, 5 minutes"),
        ),
        ("no purpose", Asked { purpose: None, ..own }, Err(Unfit::Missing("purpose"))),
        ("under a minute", Asked { life: Duration::from_secs(59), ..own }, Err(Unfit::UnderAMinute)),
        ("a payment that it does not show", Asked { payment: Some(("5", "x")), ..own }, Err(Unfit::Unused("amount"))),
        ("no payment", asked("pay"), Err(Unfit::Missing("amount"))),
        ("a payment", Asked { payment: Some(("5", "x")), ..asked("pay") }, Ok("123456 5 x")),
        ("a host that it does not show", Asked { host: Some("example.com"), ..own }, Err(Unfit::Unused("host"))),
        ("no host", asked("web"), Err(Unfit::Missing("host"))),
        ("its own brand", asked("consent"), Ok("123456 House")),
        ("no digit", Asked { code_without_digit: true, ..asked("consent") }, Err(Unfit::NoDigit)),
        ("not there", asked("none"), Err(Unfit::UnknownTemplate)),
        ("the built-in one", asked("default"), Ok("123456 is your code. Valid for 5 min. Don't share it.")),
    ];
    for (name, asked, expected) in rows {
        assert_eq!(text(&book, &asked, "123456"), expected.map(str::to_owned), "{name}");
    }
}

#[test]
fn what_two_values_make_together_is_looked_at_too() {
    let book =
        Book { templates: vec![template("t", Form::Plain, &[("en", "{code} {brand}{purpose}")])], ..Book::default() };
    let asked = Asked { template: Some("t"), brand: Some("evil."), purpose: Some("com"), ..five_minutes() };
    assert_eq!(text(&book, &asked, "123456"), Err(Unfit::Link));
}

#[test]
fn t5_a_template_that_may_grow_over_one_sms_is_refused_beforehand() {
    let long = "x".repeat(130);
    let rows = [
        ("room for all", "{code} {brand}".to_owned(), true),
        ("a brand too many", format!("{{code}} {long} {{brand}}"), false),
        ("without one there is room", format!("{{code}} {long}"), true),
        ("half the room beyond the small alphabet", format!("{{code}} {} {{brand}}", "я".repeat(43)), false),
        ("that is enough for less", format!("{{code}} {} {{brand}}", "я".repeat(42)), true),
    ];
    for (name, text, fits) in rows {
        let book = Book { templates: vec![template("t", Form::Plain, &[("default", &text)])], ..Book::default() };
        assert_eq!(book.faults().is_empty(), fits, "{name}: {:?}", book.faults());
    }
}

#[test]
fn the_page_of_all_texts_is_as_the_texts_are() {
    let kept = include_str!("../../../texts.md");
    assert!(kept == page(), "write it anew: otpgate texts > texts.md");
}

/// The first strong letter sets a line's direction, and each language's own is one.
#[test]
fn from_the_right_begins_with_a_word_of_the_language() {
    for language in LANGUAGES.iter().filter(|l| ["ar", "fa", "he", "ur"].contains(&l.tag)) {
        for text in [language.branded, language.plain, language.short, language.payment] {
            let first = text.chars().next().unwrap();
            assert!(('\u{590}'..'\u{700}').contains(&first), "{}: {text}", language.tag);
        }
    }
}

#[test]
fn every_text_says_who_and_how_long() {
    for language in LANGUAGES {
        let has = |text: &str, places: &[Place]| {
            let pattern = Pattern::parse(text).unwrap_or_else(|why| panic!("{}: {why}", language.tag));
            assert!(places.iter().all(|place| pattern.has(*place)), "{}: {text}", language.tag);
        };
        has(language.branded, &[Place::Brand, Place::Life]);
        has(language.plain, &[Place::Life]);
        has(language.short, &[Place::Brand, Place::Life]);
        has(language.payment, &[Place::Amount, Place::Payee, Place::Life]);
        assert_eq!(LANGUAGES.iter().filter(|l| l.tag == language.tag).count(), 1, "{}", language.tag);
    }
    assert!(LANGUAGES.len() >= 50);
}

proptest! {
    /// T1, T3, T5, T6: whatever is asked for, the text is one SMS, the last line is what it must be, and nobody can put
    /// another line or a link into it.
    #[test]
    fn whatever_the_values_it_is_one_sms(
        locale in select(LANGUAGES).prop_map(|language| language.tag),
        brand in option::of("[a-zA-Z0-9 .&'\\-éßÇΩЖ中ﬁ𐐀]{1,32}|\\PC{1,32}|evil\\.com"),
        payment in option::of(("[0-9]{1,8}[.,€ a-zA-Z]{0,12}|\\PC{1,20}", "[a-zA-ZЖ中 .]{1,32}|\\PC{1,32}")),
        target in 0..4,
        seconds in 30u64..=86_400,
        code in "[0-9A-Z]{4,10}",
    ) {
        let brand = brand.and_then(|brand| Brand::parse(&brand).ok());
        let payment = payment.and_then(|(a, p)| amount(&a).ok().zip(payee(&p).ok()));
        let asked = Asked {
            locale: Some(locale),
            brand: brand.as_ref().map(Brand::as_str),
            payment: payment.as_ref().map(|(a, p)| (a.as_str(), p.as_str())),
            host: (target == 1 || target == 2).then_some("login.example.com"),
            embedded_host: (target == 2).then_some("b.example"),
            app: (target == 3).then_some("FA+9qCX9VSu"),
            life: Duration::from_secs(seconds),
            ..Asked::default()
        };
        let written = text(&Book::default(), &asked, &code);
        // Without a last line there is always a text that fits.
        prop_assert!(target != 0 || matches!(written, Ok(_) | Err(Unfit::Link)), "{:?}", written);
        let Ok(text) = written else { return Ok(()) };
        prop_assert_eq!(segment(&text, NationalShift::Off).map(|s| s.len()), Ok(1));
        let (first, last) = text.rsplit_once('\n').unwrap_or((&text, ""));
        let expected = match target {
            0 => String::new(),
            1 => format!("@login.example.com #{code}"),
            2 => format!("@login.example.com #{code} @b.example"),
            _ => "FA+9qCX9VSu".to_owned(),
        };
        prop_assert_eq!(last, expected);
        let first = first.strip_prefix("<#> ").unwrap_or(first);
        prop_assert!(!first.contains(['\n', '\r', '@', '#']) && !first.chars().any(char::is_control), "{}", first);
        prop_assert!(!looks_like_link(first), "{}", first);
        prop_assert_eq!(first.matches(code.as_str()).count() >= 1, true);
        prop_assert!(target != 3 || text.len() <= 140);
    }
}
